"""What rows say of who waits, for the gate's decisions."""

from collections.abc import Iterable

from ..core.crowd import head
from ..core.gate import Gate
from ..core.keyed import Demand
from ..messages import Waiting
from .holdings import Holdings
from .placing import Placing
from .rules import Rules

HEADS_MAX = 512
"""So many runs of a line are kept at hand at most."""


class Waiters:
    """Who waits in the lines of one tenure of the gate. A run whose row waits holds nothing, whatever was believed."""

    def __init__(self, gate: Gate, rules: Rules, placing: Placing, holdings: Holdings) -> None:
        self._gate, self._rules, self._placing, self._holdings = gate, rules, placing, holdings

    def tell(self, row: Waiting) -> None:
        """All that waits in a line, as far as it was asked for."""
        demands = () if row.demands is None else self._rules.demands(row.demands)
        self._free(row, demands)
        self._gate.trust(row.line)
        heads = map(head, row.priorities, row.runs)
        self._gate.offer(row.line, self._placing.kind(row), demands, heads, more=bool(row.more))
        self._placing.tell(row)

    def add(self, rows: Iterable[Waiting]) -> None:
        """Some of what waits in lines: they stand among those that are known."""
        for row in rows:
            assert row.demands is not None, "each of these has a run"
            demands = self._rules.demands(row.demands)
            self._free(row, demands)
            heads = list(map(head, row.priorities, row.runs))
            self._gate.add(row.line, self._placing.kind(row), demands, heads, HEADS_MAX)
            self._placing.add(row)

    def _free(self, row: Waiting, demands: Iterable[Demand]) -> None:
        """What these runs held is free, also what they were to keep until their end, if they demand it: they ended and were retried."""
        self._holdings.free_waiting(row.runs)
        if self._holdings.kept and any(demand.kept for demand in demands):
            for run in row.runs:
                self._holdings.let_go(run)
