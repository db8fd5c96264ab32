"""Those who wait for the same thing, in the order in which they may have it: priority first, then fair turns, then age.

Turns order only those who take them together. Between others, and for all who take none, age decides: tags of two virtual
times say nothing about each other, and by age nobody waits for ever.

All heaps here are lazy: whoever leaves stays in the heap as an entry that counts no more, and ranks that got worse since they were
noted are corrected when somebody looks. A rank never gets better without a new entry, except among turns, where it does not matter.
"""

from heapq import heapify, heappop, heappush, heapreplace
from typing import Generic, Protocol, TypeVar

from .turns import Share, Turns

AnyTurns = Turns[str | None]

Head = int
"""A run at the front of its line, and its rank: the lower goes first. One number is compared faster than two, and is less to look up."""

_RUN_BITS = 64
_RUN = (1 << _RUN_BITS) - 1

SLACK = 32
"""So many entries that count no more are kept beside as many as there are that do: then they are cleared away."""


def head(priority: int, run: int) -> Head:
    """By priority, then by run."""
    return (priority << _RUN_BITS) + run


def run_of(head: Head) -> int:
    """Which run this is."""
    return head & _RUN


def priority_of(head: Head) -> int:
    """Its priority."""
    return head >> _RUN_BITS


class Standing:
    """Where somebody stands. live: how many do; what else is noted there counts no more. told: as of a candidate."""

    __slots__ = ("live", "told")

    def __init__(self) -> None:
        self.live = 0
        self.told: Told | None = None


class Waiting:
    """What stands in a row: heads in order, of which the first `gone` have gone; never none while it stands; share and turns both or
    neither. A tuple that is never cut is nothing to the garbage collector, which would look through as many lists as there are lines.

    rank: that of its first head since it stands there. entry: the number of its standing there, 0 while it does not.
    """

    __slots__ = ("entry", "gone", "heads", "rank", "row", "share", "turns")

    def __init__(self, turns: AnyTurns | None, share: Share | None) -> None:
        self.heads: tuple[Head, ...] = ()
        self.gone = 0
        self.turns = turns
        self.share = share
        self.rank = 0
        self.entry = 0
        self.row: Standing | None = None

    def step_in(self, row: Standing, entry: int) -> None:
        """Stands in this row. entry: a number that was given to nobody before."""
        self.rank = self.heads[self.gone]
        self.entry = entry
        self.row = row
        row.live += 1

    def step_out(self) -> None:
        """Leaves its row, if it stands in one."""
        if self.row is not None:
            self.row.live -= 1
            self.row = None
            self.entry = 0


def precedes(one: Waiting, other: Waiting) -> bool:
    """Whether the first of these goes before the other."""
    mine, theirs = one.heads[one.gone], other.heads[other.gone]
    if one.share is None or other.share is None or one.turns is not other.turns or priority_of(mine) != priority_of(theirs):
        return mine < theirs
    return (one.share.tag, mine) < (other.share.tag, theirs)


W = TypeVar("W", bound=Waiting)
W_co = TypeVar("W_co", bound=Waiting, covariant=True)


class Row(Standing, Generic[W]):
    """Those of a crowd who take no turns: by rank.

    Who comes is most often behind those who stand here, the next run of each line: a heap takes that in one step, and gives it back in
    many. So the heap has only the late ones. It is sorted once the early ones, who leave from the end of a list, have gone.
    """

    __slots__ = ("_early", "_late")

    def __init__(self) -> None:
        super().__init__()
        self._early: list[tuple[Head, int, W]] | None = None
        self._late: list[tuple[Head, int, W]] = []

    def line_up(self, one: W, entry: int) -> None:
        """One more stands here, who takes no turns. entry: a number that was given to nobody before."""
        one.step_in(self, entry)
        late, early = self._late, self._early or ()
        if len(late) + len(early) > 2 * self.live + SLACK:
            late = [noted for noted in (*late, *early) if noted[2].entry == noted[1]]
            heapify(late)
            self._early, self._late = None, late
        heappush(late, (one.rank, entry, one))

    def front(self) -> W | None:
        """Who of them goes first."""
        early, late = self._early, self._late
        while late and late[0][2].entry != late[0][1]:
            heappop(late)
        while early:
            noted = early[-1]
            if noted[2].entry == noted[1]:
                return late[0][2] if late and late[0] < noted else noted[2]
            early.pop()
        if not late:
            return None
        if len(late) > SLACK:  # Few are as well where they are.
            late.sort(reverse=True)
            self._early, self._late = late, []
            return late[-1][2]
        return late[0][2]


class Round(Standing, Generic[W]):
    """Those of a crowd who take turns together: by priority, turn and age."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        super().__init__()
        self._heap: list[tuple[int, float, int, int, W, Share]] = []

    def push(self, one: W, share: Share, entry: int) -> None:
        """One more stands here, whose turn is that of its share. entry: as in a row."""
        one.step_in(self, entry)
        heap = self._heap
        if len(heap) > 2 * self.live + SLACK:
            heap[:] = [noted for noted in heap if noted[4].entry == noted[3]]
            heapify(heap)
        heappush(heap, (priority_of(one.rank), share.tag, run_of(one.rank), entry, one, share))

    def best(self) -> W | None:
        """Who goes first."""
        heap = self._heap
        while heap:
            priority, tag, run, entry, one, share = heap[0]
            if one.entry != entry:
                heappop(heap)
            elif share.tag > tag:
                heapreplace(heap, (priority, share.tag, run, entry, one, share))
            else:
                return one
        return None


Told = tuple[int, int]
"""What a front noted last of a candidate: the rank of its best, and the number of the entry, so that no two are the same."""


class Candidate(Protocol[W_co]):
    """What a front chooses from. told: what the front noted of it last."""

    told: Told | None

    def best(self) -> W_co | None:
        """Who of it goes first, if anybody may."""
        ...


class Front(Generic[W]):
    """Whose best is first by priority and age, among many."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[Told, Candidate[W]]] = []

    def tell(self, candidate: Candidate[W], rank: int, entry: int) -> None:
        """One more of this rank stands in this candidate. entry: as in a row."""
        told = candidate.told
        if told is None or rank < told[0]:
            candidate.told = told = (rank, entry)
            heappush(self._heap, (told, candidate))

    def first(self) -> W | None:
        """The best of the candidate whose best goes first. A candidate that has none now is forgotten until it is told of again."""
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
            if best.rank <= told[0] or len(heap) == 1:
                return best
            candidate.told = told = (best.rank, told[1])
            heapreplace(heap, (told, candidate))
            if heap[0][0] is told:
                return best
        return None


class Crowd(Row[W]):
    """All who wait for one thing: a row of those who take no turns, and rounds of those who take turns together."""

    __slots__ = ("_front", "_rounds")

    def __init__(self) -> None:
        super().__init__()
        self._rounds: dict[AnyTurns, Round[W]] = {}
        self._front: Front[W] | None = None

    def push(self, one: W, entry: int) -> None:
        """One more waits here. entry: as in a row."""
        turns, share = one.turns, one.share
        if turns is None or share is None:
            self.line_up(one, entry)
            return
        together = self._rounds.get(turns)
        if together is None:
            together = self._rounds[turns] = Round()
        together.push(one, share, entry)
        if self._front is None:
            self._front = Front()
        self._front.tell(together, one.rank, entry)

    def best(self) -> W | None:
        """Who goes first."""
        plain = self.front()
        if self._front is None:
            return plain
        one = self._front.first()
        return plain if one is None or (plain is not None and precedes(plain, one)) else one

    def sweep(self) -> bool:
        """Forgets rounds in which nobody stands. True: nobody is left at all."""
        self._rounds = {turns: together for turns, together in self._rounds.items() if together.live}
        return not self._rounds and not self.live
