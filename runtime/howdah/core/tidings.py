"""What the gate has heard since it looked last, merged: however much is said, it is read once, and nothing piles up.

All of it is a hint but for the ends that this process saw become durable itself: what was lost is found by the next look at
everything, or by the next check of what is held.
"""

from collections.abc import Iterable, Mapping

import msgspec

from .keyed import Key

MOST = 20_000
"""So many runs or ranges are kept apart: beyond that everything is looked at, or checked, which costs as much."""


class Space(msgspec.Struct, frozen=True):
    """How many runs with limits one executor of a node may hold, of these tasks."""

    node: int
    room: int
    capacity: int
    tasks: list[int]
    queues: list[int] | None
    """Those that the node serves. None: all."""


class Heard(msgspec.Struct):
    """ended: runs whose lease is no more, by the word of who saw it; runs and ranges (both ends included): they may wait now."""

    ended: dict[int, int] = {}
    doubtful: dict[int, int] = {}
    runs: set[int] = set()
    closed: set[Key] = set()
    """Keys of rates that were closed."""
    over: set[int] = set()
    """Runs that kept permits and may have ended."""
    ranges: list[tuple[int, int]] = []
    spaces: dict[tuple[int, int], Space] = {}
    terms: bool = False
    labels: bool = False
    everything: bool = False

    def __bool__(self) -> bool:
        return bool(self.ended or self.spaces) or self.asks

    @property
    def asks(self) -> bool:
        """Whether more was said than ends and changes of room: the database is to be asked about that."""
        said = self.doubtful or self.closed or self.over or self.runs or self.ranges
        return bool(said or self.terms or self.labels or self.everything)


class Tidings:
    """Filled by whoever hears something, emptied by the gate. Each add answers whether the gate must be woken."""

    def __init__(self) -> None:
        self._heard = Heard()

    def take(self) -> Heard:
        """Hands everything over, and starts anew."""
        heard, self._heard = self._heard, Heard()
        return heard

    def add_ended(self, leases: Mapping[int, int]) -> bool:
        """These runs do not hold these leases any more: seen to be durable."""
        first = not self._heard
        self._heard.ended.update(leases)  # Bounded by what is held.
        return first

    def add_doubtful(self, pairs: Iterable[tuple[int, int]]) -> bool:
        """These may not: somebody says so."""
        first = not self._heard
        if len(self._heard.doubtful) < MOST:  # The others are found by the next check.
            self._heard.doubtful.update(pairs)
        return first

    def add_over(self, runs: Iterable[int]) -> bool:
        """These kept permits, and may have ended."""
        first = not self._heard
        if len(self._heard.over) < MOST:
            self._heard.over.update(runs)
        return first

    def add_runs(self, runs: Iterable[int]) -> bool:
        """These may wait now."""
        first = not self._heard
        self._heard.runs.update(runs)
        self._bound()
        return first

    def add_range(self, low: int, high: int) -> bool:
        """All from one to another may."""
        first = not self._heard
        ranges = self._heard.ranges
        if ranges and ranges[-1][1] <= low <= ranges[-1][1] + 64:
            ranges[-1] = (ranges[-1][0], max(high, ranges[-1][1]))
        else:
            ranges.append((low, high))
        self._bound()
        return first

    def add_space(self, space: Space) -> bool:
        """A node says what it has room for."""
        first = not self._heard
        if len(self._heard.spaces) < MOST or (space.node, space.room) in self._heard.spaces:
            self._heard.spaces[space.node, space.room] = space
        return first

    def add_closed(self, key: Key) -> bool:
        """A key of a rate is closed for a while."""
        first = not self._heard
        if len(self._heard.closed) < MOST:  # The others are found where somebody would be admitted under them.
            self._heard.closed.add(key)
        return first

    def add_terms(self) -> bool:
        """What limits allow has changed."""
        first = not self._heard
        self._heard.terms = True
        return first

    def add_labels(self) -> bool:
        """Nodes came, went, or say something else of themselves."""
        first = not self._heard
        self._heard.labels = True
        return first

    def add_everything(self) -> bool:
        """Something may have been missed."""
        first = not self._heard
        self._heard.everything = True
        return first

    def _bound(self) -> None:
        if len(self._heard.runs) + len(self._heard.ranges) > MOST:
            self._heard.runs, self._heard.ranges, self._heard.everything = set(), [], True
