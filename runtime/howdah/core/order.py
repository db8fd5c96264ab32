"""The order in which runs go under a key whose runs go in the order in which they were enqueued, over all lines that wait there.

Only the line whose first run is the lowest may have the key: whoever is behind it waits, also while it lacks another key, or a place.
A run whose admission was refused keeps its rank, as does a line of which the next runs are yet to be told: nobody passes what is not
known to be gone.
"""

from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

from .crowd import SLACK, Waiting, run_of

W = TypeVar("W", bound=Waiting)


class Order(Generic[W]):
    """Who stands in the order of one key, by the number of the line. The heap is lazy: who is ranked otherwise by now counts no more."""

    __slots__ = ("_doubts", "_heap", "_ranks")

    def __init__(self) -> None:
        self._ranks: dict[int, tuple[int, W]] = {}
        self._doubts: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def __bool__(self) -> bool:
        return bool(self._ranks or self._doubts)

    def stand(self, number: int, line: W) -> None:
        """The line waits here, by its first run; without one it stands where it did, or before all until it is told of."""
        known = self._ranks.get(number)
        rank = run_of(line.heads[line.gone]) if line.gone < len(line.heads) else 0 if known is None else known[0]
        self._ranks[number] = rank, line
        if known is None or known[0] != rank:
            self._note(rank, number)

    def leave(self, number: int) -> None:
        """The line waits no more."""
        self._ranks.pop(number, None)

    def doubt(self, number: int, run: int) -> None:
        """A run of the line was not admitted: nobody passes it, and nobody takes its place, until it is known whether it waits."""
        self._doubts[number] = min(run, self._doubts.get(number, run))
        self._note(self._doubts[number], number)

    def trust(self, number: int) -> None:
        """It is known of this line what waits."""
        self._doubts.pop(number, None)

    def first(self) -> W | None:
        """The line that may have the key. None: there is none, or it is not known which."""
        heap = self._heap
        while heap:
            rank, number = heap[0]
            if self._doubts.get(number) == rank:
                return None
            known = self._ranks.get(number)
            if known is not None and known[0] == rank:
                return known[1]
            heappop(heap)
        return None

    def _note(self, rank: int, number: int) -> None:
        heap = self._heap
        if len(heap) > 2 * (len(self._ranks) + len(self._doubts)) + SLACK:
            heap[:] = [(known, each) for each, (known, _) in self._ranks.items()] + [(run, each) for each, run in self._doubts.items()]
            heapify(heap)
        else:
            heappush(heap, (rank, number))
