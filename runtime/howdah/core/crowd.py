"""Those who wait for the same thing, in the order in which they may have it: priority first, then fair turns, then age.

Turns order only those who take them together. Between others, and for all who take none, age decides: tags of two virtual
times say nothing about each other, and by age nobody waits for ever.

All heaps here are lazy: whoever leaves stays in the heap as an entry that counts no more, and ranks that got worse since they were
noted are corrected when somebody looks. A rank never gets better without a new entry, except among turns, where it does not matter.
"""

from collections import deque
from heapq import heapify, heappop, heappush, heapreplace
from typing import Generic, Protocol, TypeVar

import msgspec

from .turns import Share, Turns

AnyTurns = Turns[str | None]

SLACK = 32
"""So many entries that count no more are kept beside as many as there are that do: then they are cleared away."""


class Head(msgspec.Struct, frozen=True):
    """A run that waits at the front of its line. The lower goes first: by priority, then by run."""

    priority: int
    run: int


class Standing:
    """Where somebody stands. live: how many do; what else is noted there counts no more."""

    __slots__ = ("live",)

    def __init__(self) -> None:
        self.live = 0


class Waiting:
    """What stands in a row: heads in order, never none while it stands; share and turns both or neither."""

    __slots__ = ("entry", "heads", "row", "share", "turns")

    def __init__(self, turns: AnyTurns | None, share: Share | None) -> None:
        self.heads: deque[Head] = deque()
        self.turns = turns
        self.share = share
        self.entry = 0
        self.row: Standing | None = None

    def step_out(self) -> None:
        """Leaves its row, if it stands in one."""
        if self.row is not None:
            self.row.live -= 1
            self.row = None
            self.entry = 0


def precedes(one: Waiting, other: Waiting) -> bool:
    """Whether the first of these goes before the other."""
    mine, theirs = one.heads[0], other.heads[0]
    if mine.priority != theirs.priority:
        return mine.priority < theirs.priority
    if one.turns is other.turns and one.share is not None and other.share is not None and one.share.tag != other.share.tag:
        return one.share.tag < other.share.tag
    return mine.run < theirs.run


W = TypeVar("W", bound=Waiting)


class Row(Standing, Generic[W]):
    """Those of a crowd who take turns together, or all who take none."""

    __slots__ = ("_heap", "told")

    def __init__(self) -> None:
        super().__init__()
        self._heap: list[tuple[int, float, int, int, W]] = []
        self.told: Told | None = None

    def push(self, one: W, entry: int) -> None:
        """One more stands here. entry: a number that was given to nobody before."""
        heap = self._heap
        if len(heap) > 2 * self.live + SLACK:
            heap[:] = [noted for noted in heap if noted[4].entry == noted[3]]
            heapify(heap)
        head, share = one.heads[0], one.share
        one.entry = entry
        one.row = self
        self.live += 1
        heappush(heap, (head.priority, 0.0 if share is None else share.tag, head.run, entry, one))

    def best(self) -> W | None:
        """Who goes first."""
        heap = self._heap
        while heap:
            priority, tag, run, entry, one = heap[0]
            if one.entry != entry:
                heappop(heap)
            elif one.share is not None and one.share.tag > tag:
                heapreplace(heap, (priority, one.share.tag, run, entry, one))
            else:
                return one
        return None


Told = tuple[int, int, int]
"""What a front noted last of a candidate: priority and run of its best, and the number of the entry, so that no two are the same."""


class Candidate(Protocol):
    """What a front chooses from. told: what the front noted of it last."""

    told: Told | None

    def best(self) -> Waiting | None:
        """Who of it goes first, if anybody may."""
        ...


C = TypeVar("C", bound=Candidate)


class Front(Generic[C]):
    """Whose best is first by priority and age, among many."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[Told, C]] = []

    def tell(self, candidate: C, head: Head, entry: int) -> None:
        """One more stands in this candidate, with this head. entry: as in a row."""
        told = candidate.told
        if told is None or head.priority < told[0] or (head.priority == told[0] and head.run < told[1]):
            candidate.told = told = (head.priority, head.run, entry)
            heappush(self._heap, (told, candidate))

    def first(self) -> C | None:
        """The candidate whose best goes first. One that has none now is forgotten until it is told of again."""
        heap = self._heap
        while heap:
            told, candidate = heap[0]
            if candidate.told is not told:
                heappop(heap)
                continue
            best = candidate.best()
            if best is None:
                candidate.told = None
                heappop(heap)
                continue
            head = best.heads[0]
            if head.priority < told[0] or (head.priority == told[0] and head.run <= told[1]):
                return candidate
            candidate.told = told = (head.priority, head.run, told[2])
            heapreplace(heap, (told, candidate))
        return None


class Crowd(Generic[W]):
    """All who wait for one thing: rows of those who take turns together, and one of those who take none."""

    __slots__ = ("_front", "_plain", "_rows")

    def __init__(self) -> None:
        self._plain: Row[W] = Row()
        self._rows: dict[AnyTurns, Row[W]] = {}
        self._front: Front[Row[W]] = Front()

    def push(self, one: W, entry: int) -> None:
        """One more waits here. entry: as in a row."""
        turns = one.turns
        if turns is None:
            self._plain.push(one, entry)
            return
        row = self._rows.get(turns)
        if row is None:
            row = self._rows[turns] = Row()
        row.push(one, entry)
        self._front.tell(row, one.heads[0], entry)

    def best(self) -> W | None:
        """Who goes first."""
        plain = self._plain.best()
        if not self._rows:
            return plain
        row = self._front.first()
        if row is None:
            return plain
        one = row.best()
        return one if plain is None or (one is not None and precedes(one, plain)) else plain

    def sweep(self) -> bool:
        """Forgets rows in which nobody stands. True: nobody is left at all."""
        self._rows = {turns: row for turns, row in self._rows.items() if row.live}
        return not self._rows and not self._plain.live
