"""What limits allow and what runs demand, as rows say it, for the gate's decisions."""

from collections.abc import Iterable, Mapping

from .. import codec
from ..core.bucket import Bucket, Flow
from ..core.gate import Gate
from ..core.keyed import AtMost, Demand, Key
from ..messages import Terms
from .guards import Guards
from .impatience import Impatience

READ_MAX = 10_000
"""Demands that were read are kept, for runs of the same line and for when a line is told again; no more than so many."""

UNBOUND = AtMost(2**31)
"""What a breaker allows that is closed."""


class Rules:
    """The terms of all limits, and the demands of lines."""

    def __init__(self, gate: Gate, impatience: Impatience, guards: Guards) -> None:
        self._gate, self._impatience, self._guards = gate, impatience, guards
        self._rates: set[str] = set()
        self._paused: set[str] = set()
        self._said: dict[Key, AtMost | Flow] = {}
        self._rooms: dict[Key, int] = {}
        self._own: dict[Key, AtMost | Flow] = {}
        """What the gate goes by for single keys: what was said of them, and breakers that are not closed."""
        self._demands: dict[str, tuple[Demand, ...]] = {}

    def read(self, terms: Iterable[Terms], now: float = 0.0) -> None:
        """These hold from now on: all limits, and all keys that have terms of their own. now: 0, where none were known before."""
        terms = list(terms)
        self._rates = {one.name for one in terms if one.kind == "rate"}
        self._impatience.modes = {one.name: one.when_full for one in terms if one.when_full is not None}
        self._guards.guard({one.name: one.guard for one in terms if one.guard is not None})
        self._paused = {one.name for one in terms if one.key is None and one.paused}
        self._said = {}
        for one in terms:
            if one.key is None:
                self._gate.set_terms(one.name, _allowed(one), now)
            elif one.paused or one.number is not None or one.per_s is not None:
                self._said[one.name, one.key] = AtMost(0) if one.name in self._paused else _allowed(one)
        self._tell(now)

    def bound(self, rooms: Mapping[Key, int]) -> None:
        """So many may run under these keys at most, and no other key is bound so: their breakers are not closed."""
        self._rooms = dict(rooms)
        self._tell()

    def _tell(self, now: float = 0.0) -> None:
        own = dict(self._said)
        for key, room in self._rooms.items():
            if key[0] not in self._paused and own.get(key) != AtMost(0):
                own[key] = AtMost(room)
        for key in own.keys() | self._own.keys():
            if own.get(key) != self._own.get(key):
                self._gate.set_own(key, own.get(key), now)
        self._own = own

    def rates(self, keys: Iterable[Key]) -> list[Key]:
        """Those of these that are keys of rates."""
        return [key for key in keys if key[0] in self._rates]

    def close(self, closed: Iterable[tuple[str, str, float]], now: float) -> None:
        """Nothing starts under these keys for so many seconds. What is left in them is what is known here, and stays."""
        for name, key, left_s in closed:
            bucket = self._gate.bucket((name, key)) or Bucket.full()
            self._gate.set_bucket((name, key), bucket.closed_until(now + left_s))

    def demands(self, told: str) -> tuple[Demand, ...]:
        """What a run demands, as howdah.run has it. Runs of one line demand the same, and so they share it."""
        demands = self._demands.get(told)
        if demands is None:
            if len(self._demands) >= READ_MAX:
                self._demands = {}
            demands = self._demands[told] = tuple(_demand(*one) for one in codec.decode(told))
        return demands

    def sweep(self) -> None:
        """Forgets what was read: lines that wait have it."""
        self._demands = {}
        self._impatience.sweep()


def _demand(limit: str, key: str, cost: float = 1.0, group: str | None = None, weight: float = 1.0, hold: str | None = None) -> Demand:
    return Demand((limit, key), cost, group, weight, hold is not None)


def _allowed(said: Terms) -> AtMost | Flow:
    if said.paused:
        return AtMost(0)
    if said.kind == "rate":
        assert said.per_s is not None
        assert said.burst is not None
        return Flow(said.per_s, said.burst)
    if said.kind == "breaker":
        return UNBOUND
    return AtMost(said.number or 0)
