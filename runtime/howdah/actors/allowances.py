"""What limits allow, as the rows say, told to the gate: terms, pauses, and until when a rate is closed."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from ..core.bucket import Bucket, Flow
from ..core.gate import Admitted, Gate
from ..core.keyed import AtMost, Key
from ..messages import Terms


class Book(Protocol):
    """What it needs of the database."""

    async def terms(self) -> list[Terms]: ...
    async def buckets(self) -> list[tuple[str, str, float, float]]: ...
    async def closed(self, keys: Sequence[Key]) -> list[tuple[str, str, float]]: ...


class Allowances:
    """The terms of one tenure of the gate."""

    def __init__(self, gate: Gate, book: Book, clock: Callable[[], float]) -> None:
        """clock: the gate's idea of the time of the database. It may be off by milliseconds, and what is closed is not opened early by
        that: the database refuses, and says how long it is still."""
        self._clock = clock
        self._gate = gate
        self._book = book
        self._rates: set[str] = set()
        self._own: set[Key] = set()
        """Keys that have terms of their own."""

    async def read_buckets(self) -> None:
        """Learns what rates have left, and which are closed."""
        for name, key, level, at in await self._book.buckets():
            self._gate.set_bucket((name, key), Bucket(level, at))

    async def read(self) -> list[Terms]:
        """Has the gate go by the terms as they are now. Returns them."""
        terms = await self._book.terms()
        self._rates = {one.name for one in terms if one.kind == "rate"}
        own: set[Key] = set()
        paused = {one.name for one in terms if one.key is None and one.paused}
        for one in terms:
            if one.key is None:
                self._gate.set_terms(one.name, _terms(one))
            elif one.paused or one.number is not None or one.per_s is not None:
                own.add((one.name, one.key))
                self._gate.set_own((one.name, one.key), AtMost(0) if one.name in paused else _terms(one))
        for key in self._own - own:
            self._gate.set_own(key, None)
        self._own = own
        return terms

    async def close(self, keys: Collection[Key]) -> None:
        """Some of these were closed: for how long, the rows say. What is left in them is what the gate knows, which may be less by now."""
        some = [key for key in keys if key[0] in self._rates]
        for name, key, left_s in await self._book.closed(some) if some else ():
            bucket = self._gate.bucket((name, key)) or Bucket.full()
            self._gate.set_bucket((name, key), bucket.closed_until(self._clock() + left_s))

    def levels(self, decided: Iterable[Admitted]) -> list[tuple[str, str, float, float]]:
        """What the buckets that these took from have left: it is written down with them."""
        buckets = [(key, self._gate.bucket(key)) for key in sorted(self.rates_of(decided))]
        return [(key[0], key[1], bucket.level, bucket.at) for key, bucket in buckets if bucket is not None]

    def rates_of(self, decided: Iterable[Admitted]) -> set[Key]:
        """The keys of rates that these take from."""
        if not self._rates:
            return set()
        return {demand.key for one in decided for demand in one.demands if demand.key[0] in self._rates}


def _terms(said: Terms) -> AtMost | Flow:
    if said.paused:
        return AtMost(0)
    if said.kind == "rate":
        assert said.per_s is not None
        assert said.burst is not None
        return Flow(said.per_s, said.burst)
    return AtMost(said.number or 0)
