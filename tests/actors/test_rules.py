"""What rows say of limits, as the gate's decisions go by it: terms, pauses, closings and breakers that are not closed."""

from collections.abc import Sequence
from typing import Any

import pytest
from howdah.actors.guards import Guards
from howdah.actors.impatience import Impatience
from howdah.actors.rules import Rules
from howdah.core.bucket import Bucket
from howdah.core.crowd import head
from howdah.core.gate import Gate
from howdah.core.keyed import Kind
from howdah.messages import Terms


class Everywhere:
    """Room for all."""

    def has(self, task: Kind) -> bool:
        return True

    def left(self, task: Kind) -> int:
        return 1

    def take(self, task: Kind) -> int:
        return 1


class Nobody:
    """A database that is not asked."""

    async def refuse(self, runs: Sequence[int], kinds: Sequence[int], reasons: Sequence[str]) -> list[int]:
        return []

    async def cancel(self, runs: Sequence[int], reason: str) -> None: ...
    async def breakers(self) -> list[Any]:
        return []

    async def verdicts(self, runs: Sequence[int], leases: Sequence[int], tasks: Sequence[int]) -> list[tuple[int, bool]]:
        return []

    async def note_breakers(self, epoch: int, states: Sequence[Any]) -> None: ...


def term(name: str, key: str | None = None, kind: str = "limit", number: int | None = None, *, paused: bool = False) -> Terms:
    flow = (1000.0, 1000.0) if kind == "rate" else (None, None)
    return Terms(name, key, kind, number, *flow, paused)


class Stage:
    def __init__(self, *terms: Terms) -> None:
        self.gate = Gate()
        self.rules = Rules(self.gate, Impatience(self.gate, Nobody()), Guards(Nobody(), 1))
        self.rules.read(terms)

    def starts(self, name: str, key: str = "a", now: float = 100.0, count: int = 9) -> int:
        """How many of so many runs start, alone."""
        demands = self.rules.demands(f'[["{name}", "{key}"]]')
        self.gate.offer(1, (1, 1), demands, [head(0, run) for run in range(count)], more=False)
        admitted = self.gate.admit(Everywhere(), now)
        for one in admitted:
            self.gate.free(one.demands)
        self.gate.offer(1, (1, 1), (), [], more=False)
        return len(admitted)


USER, STRIPE, CRM = term("user", number=2), term("stripe", kind="breaker"), term("crm", kind="rate")


def test_a_key_goes_by_its_own_terms_and_then_by_those_of_its_limit_again() -> None:
    stage = Stage(USER, term("user", "a", number=5))
    assert (stage.starts("user"), stage.starts("user", "b")) == (5, 2)
    stage.rules.read([USER])
    assert stage.starts("user") == 2


def test_a_pause_of_a_limit_holds_for_keys_with_terms_of_their_own() -> None:
    stage = Stage(term("user", number=2, paused=True), term("user", "a", number=5))
    assert (stage.starts("user"), stage.starts("user", "b")) == (0, 0)


def test_a_closed_breaker_bounds_nothing_an_open_one_all_and_one_that_probes_all_but_one() -> None:
    stage = Stage(STRIPE)
    assert stage.starts("stripe") == 9
    for room, starts in (({("stripe", "a"): 0}, 0), ({("stripe", "a"): 1}, 1), ({}, 9)):
        stage.rules.bound(room)
        assert (stage.starts("stripe"), stage.starts("stripe", "b")) == (starts, 9)


@pytest.mark.parametrize("paused", ["key", "limit"])
def test_a_paused_breaker_lets_no_probe_through(paused: str) -> None:
    stage = Stage(STRIPE)
    stage.rules.bound({("stripe", "a"): 1})
    pause = term("stripe", "a", kind="breaker", paused=True) if paused == "key" else term("stripe", kind="breaker", paused=True)
    stage.rules.read([STRIPE, pause] if paused == "key" else [pause])
    assert stage.starts("stripe") == 0
    stage.rules.read([STRIPE])
    assert stage.starts("stripe") == 1, "its breaker is as it was"


def test_a_closing_holds_for_its_key_until_then_and_what_was_left_stays() -> None:
    stage = Stage(CRM, USER)
    assert stage.starts("crm", now=100.0, count=400) == 400
    assert stage.rules.rates([("crm", "a"), ("user", "a")]) == [("crm", "a")]
    stage.rules.close([("crm", "a", 30.0)], 100.0)
    assert stage.gate.bucket(("crm", "a")) == Bucket(600.0, 130.0)
    assert [stage.starts("crm", now=now, count=700) for now in (101.0, 129.9, 130.0)] == [0, 0, 600]
    assert stage.starts("crm", "b", now=101.0) == 9


def test_a_shorter_closing_opens_nothing_early() -> None:
    stage = Stage(CRM)
    stage.rules.close([("crm", "a", 30.0)], 100.0)
    stage.rules.close([("crm", "a", 5.0)], 101.0)
    assert [stage.starts("crm", now=now) for now in (129.0, 130.0)] == [0, 9]


def test_a_burst_that_is_raised_while_nobody_comes_fills_from_when_it_was_heard_of() -> None:
    stage = Stage(Terms("smtp", None, "rate", None, 2.0, 2.0, False))
    assert stage.starts("smtp", now=100.0, count=0) == 0

    stage.rules.read([Terms("smtp", None, "rate", None, 2.0, 50.0, False)], now=110.0)

    assert stage.starts("smtp", now=110.0) == 2
