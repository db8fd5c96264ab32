"""Words for stories about the gate."""

from collections.abc import Iterable

from howdah.core.crowd import Head, head
from howdah.core.gate import Gate
from howdah.core.keyed import Admitted, Demand, Terms


class Everywhere:
    """Room for everything."""

    def has(self, task: str) -> bool:
        return True

    def left(self, task: str) -> int:
        return 1

    def take(self, task: str) -> int:
        return 1


def need(limit: str, key: str = "", cost: float = 1.0, group: str | None = None, weight: float = 1.0) -> Demand:
    return Demand((limit, key), cost, group, weight)


def heads(*runs: int, priority: int = 0) -> list[Head]:
    return [head(priority, run) for run in runs]


def gate_with(**terms: Terms) -> Gate:
    gate = Gate()
    for limit, each in terms.items():
        gate.set_terms(limit, each)
    return gate


def offer(gate: Gate, line: int, demands: Iterable[Demand], told: list[Head], *, task: str = "t", more: bool = False) -> None:
    gate.offer(line, task, tuple(demands), told, more=more)


def runs(admitted: Iterable[Admitted]) -> list[int]:
    return [one.run for one in admitted]


def started(gate: Gate, now: float = 0.0) -> list[int]:
    return runs(gate.admit(Everywhere(), now))
