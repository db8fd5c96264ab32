"""Functions that look again after they have written, stepped through each other between their own statements.

Each statement of theirs sees what was committed before it, so what happens between two of them is what they must survive.
"""

import pytest
from howdah.db.files import listing

from .conftest import Open
from .engine import paused
from .play import Theatre, told
from .verbs import BY_NAME, ONE_KEY

pytestmark = pytest.mark.anyio

TEXTS = dict(listing("functions"))

INSIDE = ("cancel", "fire", "hold_keys", "keep", "reap", "reap_nodes", "retry", "settle", "trim", "watch")

PAIRS = [
    ("keep", "cancel"),
    ("keep", "watch"),
    ("reap", "claim"),
    ("reap", "renew"),
    ("retry", "cancel"),
    ("retry", "trim"),
    ("retry", "retry"),
    ("watch", "send outcomes"),
    ("watch", "fire timers"),
    ("cancel", "send outcomes"),
    ("settle", "enqueue once by key"),
]


@pytest.fixture(scope="module")
async def stage(theatre: Open) -> Theatre:
    """A database whose functions stop before each of their statements."""
    return await theatre([paused(TEXTS[name]) for name in INSIDE], sessions=2, pauses=True)


@pytest.mark.parametrize(("one", "two"), PAIRS, ids=[f"{one} and {two}" for one, two in PAIRS])
async def test_every_order_of_the_statements_inside_is_right(stage: Theatre, one: str, two: str) -> None:
    count, wrong = await stage.play(BY_NAME[one], BY_NAME[two])
    assert not wrong, told(wrong)
    assert count >= 6


async def test_a_key_taken_after_a_look_that_found_it_stale_is_not_deleted(theatre: Open) -> None:
    """Two enqueues find the same ended holder. One replaces it and commits before the other acts on what it saw."""
    hold_keys = paused(TEXTS["hold_keys"])
    right = await theatre([hold_keys], sessions=2, pauses=True)
    assert (await right.play(ONE_KEY, ONE_KEY))[1] == {}
    wrong = await theatre([planted(hold_keys, "and h.key = s.key and h.run = s.run", "and h.key = s.key")], sessions=2, pauses=True)
    found = (await wrong.play(ONE_KEY, ONE_KEY))[1]
    assert any("lives and its unique key is not held" in sentence for sentences in found.values() for sentence in sentences)


@pytest.mark.parametrize(
    ("name", "text", "instead", "verbs", "sentence"),
    [
        ("complete", " for update;", ";", ("complete", "send outcomes"), "effects of"),
        ("fold", "j.lease = e.lease and j.node = e.node and e.kind <= 3", "e.kind <= 3", ("send outcomes", "reap"), "tallies"),
        ("retry", "order by r.id for key share of r", "order by r.id", ("retry", "trim"), "has a hot row and no row"),
        (
            "cancel",
            "any(v_left) order by j.id for update",
            "any(v_left) order by j.id",
            ("cancel", "send outcomes"),
            "CANCEL_REQUESTED was accepted",
        ),
        ("fire", "told as (", "told as (select * from gone where false), untold as (", ("fire timers", "settle"), "no node was told"),
    ],
    ids=[
        "complete without its lock",
        "an end without its fence",
        "retry without its lock",
        "cancel without its lock",
        "timers that wake nobody",
    ],
)
async def test_a_planted_fault_is_found(theatre: Open, name: str, text: str, instead: str, verbs: tuple[str, str], sentence: str) -> None:
    wrong = await theatre([planted(TEXTS[name], text, instead)], sessions=2)
    one, two = (BY_NAME[verb] for verb in verbs)
    found = (await wrong.play(one, two))[1]
    assert any(sentence in said for sentences in found.values() for said in sentences), found


def planted(text: str, right: str, wrong: str) -> str:
    """The text of a function with a fault in it."""
    assert right in text
    return text.replace(right, wrong)
