"""Who waits for a better place than there is now, and until when. A run waits from when it was ready, and nobody for the sake of another:
so many of a kind as have waited for long enough may go wherever there is room, whichever of that kind go first.
"""

from collections.abc import Iterable
from heapq import heappop, heappush

from .keyed import Kind

Until = tuple[int, float]
"""A run, and until when it waits: seconds of the gate's clock."""


class Patience:
    """By line, as the gate is told of it: what it is told replaces what it knew."""

    __slots__ = ("_due", "_heap", "_kinds", "_lines")

    def __init__(self) -> None:
        self._lines: dict[int, dict[int, float]] = {}
        self._kinds: dict[int, Kind] = {}
        self._heap: list[tuple[float, int, int]] = []
        self._due: dict[Kind, set[int]] = {}
        """Runs that have waited for long enough."""

    def __len__(self) -> int:
        """How many lines it knows of."""
        return len(self._lines)

    def tell(self, line: int, kind: Kind, untils: Iterable[Until]) -> None:
        """These wait in a line, and nobody else. None: the line is forgotten."""
        told = dict(untils)
        known = self._lines.get(line, {})
        for run in known.keys() - told.keys():
            self._leave(line, run)
        if told:
            self.add(line, kind, told.items())

    def add(self, line: int, kind: Kind, untils: Iterable[Until]) -> None:
        """These wait in a line, too."""
        for run, until in untils:  # None for most lines: what prefers nothing waits for nothing better, and leaves nothing here.
            known = self._lines.setdefault(line, {})
            self._kinds[line] = kind
            if known.get(run) != until:
                known[run] = until
                heappush(self._heap, (until, line, run))

    def went(self, line: int, run: int) -> None:
        """The run waits no more."""
        if run in self._lines.get(line, {}):
            self._leave(line, run)

    def due(self, now: float) -> dict[Kind, int]:
        """How many of each kind have waited for long enough."""
        while self._heap and self._is_over(now):
            _, line, run = heappop(self._heap)
            self._due.setdefault(self._kinds[line], set()).add(run)
        return {kind: len(runs) for kind, runs in self._due.items()}

    def next_at(self) -> float | None:
        """When the next one has. None: nobody waits."""
        self._is_over(0.0)
        return self._heap[0][0] if self._heap else None

    def _is_over(self, now: float) -> bool:
        """Whether the first that waits still has waited for long enough; clears away what counts no more."""
        heap = self._heap
        while heap:
            until, line, run = heap[0]
            if self._lines.get(line, {}).get(run) == until:
                return until <= now
            heappop(heap)
        return False

    def _leave(self, line: int, run: int) -> None:
        del self._lines[line][run]
        kind = self._kinds[line]
        due = self._due.get(kind)
        if due is not None:
            due.discard(run)
            if not due:
                del self._due[kind]
        if not self._lines[line]:
            del self._lines[line], self._kinds[line]
