"""Where runs may go, in SQL: what fits what, what is stored with a run, which nodes the gate is told of, and what is listed."""

import json
from typing import Any

import asyncpg
import pytest
from howdah.core.states import Kind
from howdah.db.files import query
from howdah.messages import Claimed

from . import world
from .world import Connect, Session

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def alone(db: Session) -> None:
    await world.tidy(db)
    await db.execute("delete from howdah.node")
    await db.execute("update howdah.task set defaults = '{}', limits = null, hash = null")


async def define(db: Session, task: str, placement: dict[str, Any] | None = None, limits: list[Any] | None = None) -> int:
    defaults = {} if placement is None else {"placement": placement}
    said = None if limits is None else json.dumps(limits)
    return await db.fetchval(query("register"), task, "default", 0, json.dumps(defaults), None, None, json.dumps([defaults, said]), said)


async def placement(db: Session, run: int) -> Any:
    stored = await db.fetchval("select placement from howdah.run where id = $1", run)
    return None if stored is None else json.loads(stored)


async def lines(db: Session) -> dict[int, int | None]:
    return {row[0]: row[1] for row in await db.fetch("select id, line from howdah.job")}


async def allowed(db: Session, *said: dict[str, Any]) -> dict[int, dict[int, float]]:
    """For each of these placements the nodes that it allows, with their scores."""
    found: dict[int, dict[int, float]] = {}
    for n, node, score in await db.fetch(query("gate_places"), [json.dumps(one) for one in said]):
        found.setdefault(n, {})[node] = score
    return found


@pytest.mark.parametrize(
    ("label", "said", "fits"),
    [
        ("eu", "eu", True),
        ("eu", "us", False),
        (None, "eu", False),
        (True, True, True),
        (True, 1, False),
        ("true", True, False),
        (1, 1.0, True),
        (16, {"at_least": 16}, True),
        (15.9, {"at_least": 16}, False),
        (16, {"at_most": 16}, True),
        (17, {"at_most": 16}, False),
        (16, {"above": 16}, False),
        (17, {"above": 16}, True),
        (16, {"below": 16}, False),
        (-1, {"below": 0}, True),
        (10, {"above": 9}, True),
        ("10", {"above": 9}, False),
        (None, {"below": 0}, False),
        ("eu", {"not_equal": "us"}, True),
        ("us", {"not_equal": "us"}, False),
        (None, {"not_equal": "us"}, True),
        (32, {"at_least": 16, "below": 64}, True),
        (64, {"at_least": 16, "below": 64}, False),
        ("eu", {"equal": "eu", "weight": 3}, True),
    ],
)
async def test_a_label_fits_what_is_said_of_it(db: Session, label: Any, said: Any, fits: bool) -> None:
    given = None if label is None else json.dumps(label)
    assert await db.fetchval("select howdah.fits($1::jsonb, $2::jsonb)", given, json.dumps(said)) is fits


@pytest.mark.parametrize(
    ("said", "mentions"),
    [
        ({"requires": ["gpu"]}, "requires of work must be an object"),
        ({"requires": {"": 1}}, "requires of work must be an object"),
        ({"requires": {"x" * 201: 1}}, "a name of 1 to 200 characters"),
        ({"requires": {str(n): n for n in range(65)}}, "at most 64 labels"),
        ({"requires": {"gpu": None}}, "requires of work says of label gpu"),
        ({"requires": {"gpu": [True]}}, "requires of work says of label gpu"),
        ({"requires": {"gpu": {}}}, "requires of work says of label gpu"),
        ({"requires": {"gpu": {"like": "x"}}}, "requires of work says of label gpu"),
        ({"requires": {"mem": {"at_least": "16"}}}, "requires of work says of label mem"),
        ({"requires": {"zone": {"equal": "eu", "weight": 1}}}, "requires of work says of label zone"),
        ({"prefers": {"zone": {"weight": 1}}}, "prefers of work says of label zone"),
        ({"prefers": {"zone": {"equal": "eu", "weight": 0}}}, "prefers of work says of label zone"),
        ({"prefers": {"zone": {"equal": "eu", "weight": 1e7}}}, "prefers of work says of label zone"),
        ({"prefer_for": -1}, "prefer_for of work is -1"),
        ({"prefer_for": 86401}, "a time of at most a day"),
        ({"prefer_for": "soon"}, "prefer_for of work is soon"),
        ({"sticky": "firm"}, "sticky of work is firm and not soft or hard"),
    ],
)
async def test_a_placement_that_makes_no_sense_is_refused(db: Session, said: dict[str, Any], mentions: str) -> None:
    await define(db, "work")
    for attempt in (world.enqueue(db, 1, "work", **said), define(db, "work", said)):
        with pytest.raises(asyncpg.DataError, match=mentions):
            await attempt
    assert await lines(db) == {}


async def test_enqueue_takes_words_of_placement_from_any_language(db: Session) -> None:
    run = await db.fetchval(
        """select howdah.enqueue('work', requires => '{"gpu": true}', prefers => '{"zone": {"equal": "eu", "weight": 10}}',
                                 prefer_for => '2 s')"""
    )
    assert await placement(db, run) == {"requires": {"gpu": True}, "prefers": {"zone": {"equal": "eu", "weight": 10}}, "prefer_for": 2}
    assert await db.fetchval("select demands from howdah.run where id = $1", run) == "[]"
    assert await db.fetchval("select options from howdah.run where id = $1", run) is None, "it is kept once"
    assert await world.state(db, run) == "gated"


async def test_the_words_of_a_call_stand_in_the_place_of_those_of_its_task(db: Session) -> None:
    await define(db, "work", {"requires": {"gpu": True}, "prefers": {"zone": "eu"}, "prefer_for": 60})
    (plain,) = await world.enqueue(db)
    (other,) = await world.enqueue(db, requires={"gpu": False})
    (loose,) = await world.enqueue(db, requires={})
    (free,) = await world.enqueue(db, requires={}, prefers={})
    assert await placement(db, plain) == {"requires": {"gpu": True}, "prefers": {"zone": "eu"}, "prefer_for": 60}
    assert await placement(db, other) == {"requires": {"gpu": False}, "prefers": {"zone": "eu"}, "prefer_for": 60}
    assert await placement(db, loose) == {"prefers": {"zone": "eu"}, "prefer_for": 60}
    assert await placement(db, free) is None
    found = await lines(db)
    assert found[free] is None, "any node may claim it"
    assert len({found[plain], found[other], found[loose]}) == 3


async def test_whoever_prefers_something_waits_for_five_seconds_unless_it_is_said(db: Session) -> None:
    (run,) = await world.enqueue(db, prefers={"zone": "eu"})
    assert await placement(db, run) == {"prefers": {"zone": "eu"}, "prefer_for": 5}
    (run,) = await world.enqueue(db, requires={"zone": "eu"}, prefer_for=9)
    assert await placement(db, run) == {"requires": {"zone": "eu"}}, "there is nothing to wait for"


async def test_runs_with_the_same_placement_and_the_same_demands_are_one_line(db: Session) -> None:
    limit = {"limit": "per-user", "kind": "limit", "terms": {"number": 2}, "path": ["user_id"]}
    await define(db, "mail", {"requires": {"gpu": True}}, [limit])

    async def mail(user: int, **options: Any) -> int:
        row = await db.fetchrow(query("submit"), "mail", [json.dumps({"user_id": user})], json.dumps(options) or None, True, None)
        assert row is not None
        return row["ids"][0]

    one, two, other, elsewhere = await mail(1), await mail(1), await mail(2), await mail(1, requires={"gpu": False})
    found = await lines(db)
    assert found[one] == found[two]
    assert len({found[one], found[other], found[elsewhere]}) == 3
    rows = {tuple(row["runs"]): row for row in await db.fetch(query("gate_look"), None, 10, 10)}
    assert json.loads(rows[one, two]["placement"]) == {"requires": {"gpu": True}}
    assert json.loads(rows[one, two]["demands"]) == [["per-user", "1"]]
    assert rows[one, two]["sinces"] is None, "it waits for nothing better"


async def test_the_gate_is_told_since_when_runs_wait_that_prefer_something(db: Session) -> None:
    await define(db, "work", {"prefers": {"zone": "eu"}})
    (first,) = await world.enqueue(db)
    await world.shift(db, "10 s")
    (second,) = await world.enqueue(db)
    (later,) = await world.enqueue(db, delay=20)
    await world.shift(db, "40 s")
    await db.fetchval("select howdah.fire(10)")
    now = await db.fetchval("select extract(epoch from howdah.clock())::float8")
    (row,) = await db.fetch(query("gate_look"), None, 10, 10)
    assert row["runs"] == [first, second, later]
    assert [round(now - since) for since in row["sinces"]] == [40, 30, 10]
    (heads,) = await db.fetch(query("gate_heads"), [row["line"]], 10)
    (news,) = await db.fetch(query("gate_news"), first, later, [], 10)
    assert heads["sinces"] == news["sinces"] == row["sinces"]
    await world.shift(db, "0")


async def test_nodes_are_allowed_by_what_is_required_and_scored_by_what_is_preferred(db: Session) -> None:
    big = await world.join(db, labels={"gpu": True, "mem_gb": 64, "zone": "eu"})
    small = await world.join(db, labels={"gpu": True, "mem_gb": 8, "zone": "us"})
    bare = await world.join(db)
    dead = await world.join(db, lease_s=-1, labels={"gpu": True, "mem_gb": 64})
    assert dead not in (await allowed(db, {}))[1]
    prefers = {"zone": [{"equal": "eu", "weight": 10}, {"equal": "us", "weight": 4}], "mem_gb": {"at_least": 8, "weight": 3}, "gpu": True}
    found = await allowed(
        db, {"requires": {"gpu": True, "mem_gb": {"at_least": 16}}}, {"requires": {"gpu": {"not_equal": True}}}, {"prefers": prefers}, {}
    )
    assert found == {1: {big: 0}, 2: {bare: 0}, 3: {big: 14, small: 8, bare: 0}, 4: {big: 0, small: 0, bare: 0}}


async def parent(db: Session, name: str = "mother", task: str = "parent") -> tuple[int, Claimed]:
    """A node of this name, and a run that it holds."""
    (run,) = await world.enqueue(db, task=task)
    node = await world.join(db)
    await db.execute("update howdah.node set name = $2 where id = $1", node, name)
    (claimed,) = await world.claim(db, node, tasks=[task])
    assert claimed.id == run
    return node, claimed


async def test_a_sticky_run_is_bound_to_the_node_that_its_parent_is_on_or_was_on_last(db: Session) -> None:
    node, run = await parent(db)
    other = await world.join(db)
    (soft,) = await world.enqueue(db, sticky="soft", parent=run.id, node=node)
    assert await placement(db, soft) == {"sticky": "soft", "node": "mother", "prefer_for": 5}
    assert await allowed(db, await placement(db, soft)) == {1: {node: 100, other: 0}}
    await world.send(db, world.outcome(run))
    (hard,) = await world.enqueue(db, sticky="hard", parent=run.id)
    assert await placement(db, hard) == {"sticky": "hard", "node": "mother"}
    assert await allowed(db, await placement(db, hard)) == {1: {node: 0}}


async def test_a_hard_sticky_run_is_released_when_its_node_is_no_more(db: Session) -> None:
    node, run = await parent(db)
    other = await world.join(db)
    (hard,) = await world.enqueue(db, sticky="hard", requires={"gpu": {"not_equal": True}}, parent=run.id)
    bound = await placement(db, hard)
    assert await allowed(db, bound) == {1: {node: 0}}
    again = await world.join(db)
    await db.execute("update howdah.node set name = 'mother' where id = $1", again)
    await db.execute(query("leave_node"), node)
    assert await allowed(db, bound) == {1: {again: 0}}, "the same process under another identity"
    await db.execute(query("leave_node"), again)
    assert await allowed(db, bound) == {1: {other: 0}}
    (late,) = await world.enqueue(db, sticky="hard", parent=run.id)
    assert await placement(db, late) is None, "there is no node to be bound to"


async def test_a_sticky_run_without_a_parent_goes_anywhere(db: Session) -> None:
    await define(db, "work", {"sticky": "hard"})
    (run,) = await world.enqueue(db)
    assert await placement(db, run) is None
    assert await lines(db) == {run: None}


async def test_the_gate_hears_of_nodes_and_of_their_labels(db: Session, connect: Connect) -> None:
    told: list[str] = []
    ears = await connect()
    await ears.add_listener("howdah_gate", lambda *said: told.append(str(said[3])))

    async def heard(count: int) -> None:
        while len(told) < count:
            await ears.execute("select 1")
        assert told == ["labels"] * count

    node = await world.join(db, labels={"zone": "eu"})
    await heard(1)
    assert await db.fetchval(query("label_node"), node, '{"zone": "us"}')
    await heard(2)
    assert await db.fetchval("select labels from howdah.nodes where id = $1", node) == '{"zone": "us"}'
    assert not await db.fetchval(query("label_node"), 17, "{}"), "there is no such node"
    await db.execute(query("leave_node"), node)
    await heard(3)
    dead = await world.join(db, lease_s=-1)
    await db.execute("update howdah.node set renewed = until where id = $1", dead)
    await db.fetchval("select howdah.reap(3)")
    await heard(5)


@pytest.mark.parametrize("labels", ["[]", '{"a": null}', '{"a": {}}', '{"": 1}', json.dumps({"a": "x" * 201})])
async def test_labels_that_are_none_are_refused(db: Session, labels: str) -> None:
    node = await world.join(db)
    with pytest.raises(asyncpg.DataError, match="label"):
        await db.fetchval(query("label_node"), node, labels)


async def test_who_enqueues_knocks_at_the_gate_and_nodes_hear_of_a_task_that_they_do_not_expect_there(
    db: Session, connect: Connect
) -> None:
    told: list[tuple[str, str]] = []
    ears = await connect()
    for channel in ("howdah_gate", "howdah_space", "howdah_work"):
        await ears.add_listener(channel, lambda *said: told.append((str(said[2]), str(said[3]))))
    plain, placed = await define(db, "plain"), await define(db, "placed", {"requires": {"gpu": True}})
    (one,) = await world.enqueue(db, task="placed")
    (two,) = await world.enqueue(db, task="plain", requires={"gpu": True})
    (three,) = await world.enqueue(db, task="plain")
    for run, task in ((one, placed), (two, plain), (three, plain)):
        await db.execute(query("hint"), 1, task, 0, run, "me", run)
    while len(told) < 4:
        await ears.execute("select 1")
    assert told == [
        ("howdah_space", f"task {plain}"),
        ("howdah_gate", f"new {one} {one}"),
        ("howdah_gate", f"new {two} {two}"),
        ("howdah_work", f"1 {plain} 0 {three} me"),
    ]
    node = await world.join(db)
    rows = [tuple(row) for row in await db.fetch(query("look"), node, [plain, placed], None)]
    assert sorted(row[1] for row in rows if row[0] is None) == sorted([plain, placed]), "of these runs wait for the gate"
    assert [row[3] for row in rows if row[0] is not None] == [three]


async def test_runs_that_were_enqueued_before_their_task_was_defined_go_where_it_says(db: Session) -> None:
    _, run = await parent(db)
    free = await db.fetchval("select howdah.enqueue('early')")
    child = await db.fetchval("select howdah.enqueue('early', parent => $1)", run.id)
    await define(db, "early", {"sticky": "hard"})
    assert await placement(db, free) is None
    assert await placement(db, child) == {"sticky": "hard", "node": "mother"}
    found = await lines(db)
    assert found[free] is None
    assert found[child] is not None


async def test_a_retried_run_goes_where_it_went_before(db: Session) -> None:
    (run,) = await world.enqueue(db, requires={"gpu": True})
    before = (await lines(db))[run]
    node = await world.join(db)
    epoch = await db.fetchval(query("gate_enter"), node)
    (held,) = [Claimed(*row) for row in await db.fetch(query("gate_admit"), epoch, node, [run], [node], None, None, None, None)]
    await world.send(db, world.outcome(held, Kind.FAILED, data='{"type": "x", "message": "y"}'))
    await db.fetch(query("retry"), [run])
    assert (await lines(db))[run] == before


async def test_what_is_admitted_for_its_placement_alone_is_fetched_with_a_lane(db: Session) -> None:
    (run,) = await world.enqueue(db, requires={"gpu": True})
    own, other = await world.join(db), await world.join(db)
    epoch = await db.fetchval(query("gate_enter"), own)
    (row,) = await db.fetch(query("gate_admit"), epoch, own, [run], [other], None, None, None, None)
    (fetched,) = await db.fetch(query("fetch_admitted"), other, [run], [row["lease"]])
    assert fetched["lane"] == ""


async def test_runs_that_no_node_may_have_are_listed_with_the_reason(db: Session) -> None:
    await define(db, "work")
    await world.join(db, work="h", labels={"gpu": True, "mem_gb": 8})
    await world.join(db, work="h", labels={"mem_gb": 64})
    await world.join(db, other="h", labels={"rack": 7})
    (fine,) = await world.enqueue(db, requires={"gpu": True})
    (rack,) = await world.enqueue(db, requires={"rack": 7})
    await world.enqueue(db, 5, requires={"rack": 7})
    (pair,) = await world.enqueue(db, requires={"gpu": True, "mem_gb": {"at_least": 16}})
    (several,) = await world.enqueue(db, requires={"rack": 7, "row": 2, "gpu": True})
    (nobody,) = await world.enqueue(db, task="nobody", requires={"rack": 7})
    rows = {row["first_run"]: row for row in await db.fetch(query("unplaced"))}
    assert fine not in rows
    assert nobody not in rows, "it is among those that nobody implements"
    assert {run: row["why"] for run, row in rows.items()} == {
        rack: "no node that takes its task has rack: 7",
        pair: 'no node that takes its task has all that it requires: {"gpu": true, "mem_gb": {"at_least": 16}}',
        several: "no node that takes its task has rack: 7, row: 2",
    }
    assert (rows[rack]["task"], rows[rack]["queue"], json.loads(rows[rack]["requires"])) == ("work", "default", {"rack": 7})
    assert [row["first_run"] for row in await db.fetch("select * from howdah.unimplemented where task = 'nobody'")] == [nobody]


async def test_a_debounced_run_goes_where_the_last_enqueue_of_it_says(db: Session) -> None:
    said: dict[str, Any] = {"debounce": {"wait": 60}, "requires": {"gpu": True}}
    other: dict[str, Any] = {"debounce": {"wait": 60}, "requires": {"gpu": False}}
    (run,) = await world.enqueue(db, **said)
    before = await db.fetchval("select line from howdah.timer where id = $1", run)
    assert await world.enqueue(db, **said) == [run]
    assert await db.fetchval("select line from howdah.timer where id = $1", run) == before
    assert await world.enqueue(db, **other) == [run]
    assert await placement(db, run) == {"requires": {"gpu": False}}
    assert await db.fetchval("select line from howdah.timer where id = $1", run) not in (None, before)
    assert await world.enqueue(db, debounce={"wait": 60}) == [run]
    assert await placement(db, run) is None
    (row,) = await db.fetch("select line, demands from howdah.timer t join howdah.run r using (id) where id = $1", run)
    assert tuple(row) == (None, None)
    await world.enqueue(db, **said)
    await world.shift(db, "20 minutes")
    await db.fetchval("select howdah.fire(10)")
    assert await world.enqueue(db, **said) == [run], "it is ready, and waits still"
    (apart,) = await world.enqueue(db, **other)
    assert apart != run, "the gate may be about to admit it where it was to go"
    await world.shift(db, "0")
