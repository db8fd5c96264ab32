"""Every pair of verbs in all orders of their statements: nothing is lost, nobody waits for ever, everybody is told."""

from itertools import combinations_with_replacement

import pytest

from .conftest import Open
from .play import RC, RR, Theatre, told
from .verbs import BY_NAME, VERBS, Verb

pytestmark = pytest.mark.anyio

PAIRS = [(one, two) for one, two in combinations_with_replacement(VERBS, 2) if one is not two or not one.alone]

THREES = [
    ("claim", "reap", "send outcomes"),
    ("enqueue once by key", "settle", "send outcomes"),
    ("retry", "trim", "cancel"),
    ("watch", "settle", "keep"),
    ("enqueue once by key", "enqueue once by key", "settle"),
    ("complete", "cancel", "reap"),
    ("debounce what waits", "fire timers", "claim"),
    ("debounce what is ready", "debounce what is ready", "claim"),
    ("debounce what waits", "cancel and debounce", "settle"),
]


@pytest.fixture(scope="module")
async def stage(theatre: Open) -> Theatre:
    """One database for all pairs."""
    return await theatre()


@pytest.mark.parametrize(("one", "two"), PAIRS, ids=[f"{one} and {two}" for one, two in PAIRS])
async def test_every_order_of_two_verbs_is_right(stage: Theatre, one: Verb, two: Verb) -> None:
    """Under read committed, under repeatable read, and with callers alone under that: their isolation level is their own."""
    mixed = one.caller != two.caller
    for callers, nodes in [(RC, RC), (RR, RC), (RR, RR)] if mixed else [(RC, RC), (RR, RR)]:
        count, wrong = await stage.play(one, two, callers=callers, nodes=nodes)
        assert not wrong, f"callers {callers}, nodes {nodes}: {told(wrong)}"
        assert count >= 2


@pytest.mark.parametrize("names", THREES, ids=[", ".join(names) for names in THREES])
async def test_every_order_of_three_verbs_is_right(stage: Theatre, names: tuple[str, ...]) -> None:
    count, wrong = await stage.play(*(BY_NAME[name] for name in names))
    assert not wrong, told(wrong)
    assert count >= 6
