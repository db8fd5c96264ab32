"""Functions that look again after they have written, stepped through each other between their own statements.

Each statement of theirs sees what was committed before it, so what happens between two of them is what they must survive.
"""

import pytest
from howdah.db.files import listing

from .conftest import Open
from .engine import paused
from .play import RC, RR, Theatre, told
from .verbs import BY_NAME, DEBOUNCE_NEW, LEAVER_CLAIMS, ONE_KEY

pytestmark = pytest.mark.anyio

TEXTS = dict(listing("functions"))

RARE = "claim suspects and runs that start at most once"
INSIDE = ("cancel", "fire", "hold_keys", "hold_open", "put_off", "keep", "reap", "reap_nodes", "retry", "settle", "trim", "watch")

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
    ("debounce what waits", "debounce what waits"),
    ("debounce what waits", "fire timers"),
    ("debounce what waits", "cancel"),
    ("debounce what waits", "watch"),
    ("debounce what is ready", "claim"),
    ("debounce what is ready", "debounce what is ready"),
    ("debounce several", "debounce several"),
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


async def test_two_that_debounce_a_key_that_is_free_are_answered_with_one_run(theatre: Open) -> None:
    right = await theatre([paused(TEXTS[name]) for name in ("hold_open", "put_off")], sessions=2, pauses=True)
    for level in (RC, RR):
        assert (await right.play(DEBOUNCE_NEW, DEBOUNCE_NEW, callers=level))[1] == {}
        runs = await right.db.fetch("select args from howdah.run where args ->> 'n' is not null")
        assert len(runs) == 1


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
        ("claim_aside", "for no key update", "for key share", (RARE, RARE), "holds 2 suspects"),
        (
            "reap_nodes",
            "when h.flags & 4 <> 0 then 21",
            "when false then 21",
            ("reap", "enqueue"),
            "starts at most once, and a reaper gave",
        ),
        ("note_ends", "e.kind in (2, 18, 21, 22) and v_heard", "e.kind in (2, 18) and v_heard", ("reap", "settle"), "was told 0 times"),
        ("gate_admit", "g.epoch = p_epoch for share", "g.epoch = p_epoch", ("admit", "take the gate over"), "hold a limit"),
        ("gate_admit", "g.epoch = p_epoch for share", "g.epoch = p_epoch for key share", ("admit", "take the gate over"), "hold a limit"),
        (
            "hold_open",
            "j.lease is null order by j.id for update",
            "j.lease is null order by j.id",
            ("debounce what is ready", "claim"),
            "was given with the input",
        ),
        ("fire", "told as (", "told as (select * from gone where false), untold as (", ("fire timers", "settle"), "no node was told"),
    ],
    ids=[
        "complete without its lock",
        "an end without its fence",
        "retry without its lock",
        "cancel without its lock",
        "suspects without their lock",
        "a reaper that forgets what starts at most once",
        "an end that subscribers are not told of",
        "admissions that do not hold the gate",
        "admissions that hold its key alone",
        "an input that replaces another without a lock",
        "timers that wake nobody",
    ],
)
async def test_a_planted_fault_is_found(theatre: Open, name: str, text: str, instead: str, verbs: tuple[str, str], sentence: str) -> None:
    wrong = await theatre([planted(TEXTS[name], text, instead)], sessions=2)
    one, two = (BY_NAME[verb] for verb in verbs)
    found = (await wrong.play(one, two))[1]
    assert any(sentence in said for sentences in found.values() for said in sentences), found


async def test_under_repeatable_read_a_node_that_leaves_sees_every_claim_or_says_that_it_cannot(theatre: Open) -> None:
    """Its snapshot is older than a claim that it has waited for: that run would belong to nobody."""
    leave = BY_NAME["leave"]
    right = await theatre(sessions=2)
    for level in (RC, RR):
        assert (await right.play(leave, LEAVER_CLAIMS, nodes=level))[1] == {}
    text = planted(TEXTS["leave_node"], "if current_setting('transaction_isolation') <> 'read committed' then", "if false then")
    wrong = await theatre([text], sessions=2)
    found = (await wrong.play(leave, LEAVER_CLAIMS, nodes=RR))[1]
    assert any("belongs to no node" in sentence for sentences in found.values() for sentence in sentences), found


def planted(text: str, right: str, wrong: str) -> str:
    """The text of a function with a fault in it."""
    assert right in text
    return text.replace(right, wrong)
