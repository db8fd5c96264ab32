"""What limits allow and what runs demand, as rows say it, for the gate's decisions."""

from collections.abc import Iterable, Sequence

from .. import codec
from ..core.bucket import Flow
from ..core.gate import Gate
from ..core.keyed import Admitted, AtMost, Demand, Key
from ..messages import Terms
from .impatience import Impatience


class Rules:
    """The terms of all limits, and the demands of lines."""

    def __init__(self, gate: Gate, impatience: Impatience) -> None:
        self._gate, self._impatience = gate, impatience
        self._rates: set[str] = set()
        self._own: set[Key] = set()
        self._demands: dict[str, tuple[Demand, ...]] = {}

    def read(self, terms: Iterable[Terms]) -> None:
        """These hold from now on: all limits, and all keys that have terms of their own."""
        terms = list(terms)
        self._rates = {one.name for one in terms if one.kind == "rate"}
        self._impatience.modes = {one.name: one.when_full for one in terms if one.when_full is not None}
        own: set[Key] = set()
        paused = {one.name for one in terms if one.key is None and one.paused}
        for one in terms:
            if one.key is None:
                self._gate.set_terms(one.name, _allowed(one))
            elif one.paused or one.number is not None or one.per_s is not None:
                own.add((one.name, one.key))
                self._gate.set_own((one.name, one.key), AtMost(0) if one.name in paused else _allowed(one))
        for key in self._own - own:
            self._gate.set_own(key, None)
        self._own = own

    def demands(self, told: str) -> tuple[Demand, ...]:
        """What a run demands, as howdah.run has it. Runs of one line demand the same, and so they share it."""
        demands = self._demands.get(told)
        if demands is None:
            demands = self._demands[told] = tuple(_demand(*one) for one in codec.decode(told))
        return demands

    def sweep(self) -> None:
        """Forgets what was read: lines that wait have it."""
        self._demands = {}

    def levels(self, decided: Sequence[Admitted]) -> list[tuple[str, str, float, float]]:
        """What the buckets that these took from have left: it is written down with them."""
        if not self._rates:
            return []
        keys = {demand.key for one in decided for demand in one.demands if demand.key[0] in self._rates}
        buckets = [(key, self._gate.bucket(key)) for key in sorted(keys)]
        return [(key[0], key[1], bucket.level, bucket.at) for key, bucket in buckets if bucket is not None]


def _demand(limit: str, key: str, cost: float = 1.0, group: str | None = None, weight: float = 1.0, hold: str | None = None) -> Demand:
    return Demand((limit, key), cost, group, weight, hold is not None)


def _allowed(said: Terms) -> AtMost | Flow:
    if said.paused:
        return AtMost(0)
    if said.kind == "rate":
        assert said.per_s is not None
        assert said.burst is not None
        return Flow(said.per_s, said.burst)
    return AtMost(said.number or 0)
