"""Runs with limits in SQL: what they demand, how the gate finds and admits them, and that nobody else does."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from howdah.core.states import Kind
from howdah.db.files import query
from howdah.messages import Claimed, Waiting

from . import world
from .world import Connect, Session

pytestmark = pytest.mark.anyio

PER_USER: dict[str, Any] = {"limit": "per-user", "kind": "limit", "terms": {"number": 2}, "path": ["user_id"]}
SMTP: dict[str, Any] = {"limit": "smtp", "kind": "rate", "terms": {"per_s": 2, "burst": 10}}


@pytest.fixture(autouse=True)
async def alone(db: Session) -> None:
    await world.tidy(db)
    await db.execute("truncate howdah.limit_terms, howdah.limit_key, howdah.bucket")


async def define(db: Session, *limits: dict[str, Any], task: str = "mail", queue: str = "default") -> int:
    said = json.dumps(limits)
    return await db.fetchval(query("register"), task, queue, 0, "{}", None, None, said, said)


async def ask(db: Session, *args: dict[str, Any], keys: list[str] | None = None, task: str = "mail", **options: Any) -> list[int]:
    row = await db.fetchrow(query("submit"), task, [json.dumps(a) for a in args], json.dumps(options) if options else None, True, keys)
    assert row is not None
    return row["ids"]


async def demands(db: Session, run: int) -> Any:
    return json.loads(await db.fetchval("select demands from howdah.run where id = $1", run))


async def look(db: Session, after: int | None = None, lines: int = 100, heads: int = 10) -> list[Waiting]:
    return [Waiting(*row) for row in await db.fetch(query("gate_look"), after, lines, heads)]


async def enter(db: Session, node: int) -> int:
    return await db.fetchval(query("gate_enter"), node)


async def admit(db: Session, epoch: int, node: int, *runs: int, own: int | None = None) -> list[Claimed]:
    rows = await db.fetch(query("gate_admit"), epoch, node if own is None else own, list(runs), [node] * len(runs), None, None, None, None)
    return [Claimed(*row) for row in rows]


async def test_a_key_is_where_its_path_leads_in_the_arguments(db: Session) -> None:
    await define(db, PER_USER | {"path": ["user", "id"]}, SMTP)
    first, second = await ask(db, {"user": {"id": 7}}, {"user": {"id": "ann"}})
    assert await demands(db, first) == [["per-user", "7"], ["smtp", ""]]
    assert await demands(db, second) == [["per-user", "ann"], ["smtp", ""]]


async def test_costs_groups_and_weights_are_in_the_demands_where_they_are_not_the_usual_ones(db: Session) -> None:
    await define(
        db,
        PER_USER | {"group": ["tenant"], "weights": {"gold": 3}},
        SMTP | {"cost_path": ["pages"]},
    )
    gold, lead = await ask(db, {"user_id": 1, "tenant": "gold", "pages": 2.5}, {"user_id": 1, "tenant": "lead", "pages": 1})
    assert await demands(db, gold) == [["per-user", "1", 1, "gold", 3], ["smtp", "", 2.5]]
    assert await demands(db, lead) == [["per-user", "1", 1, "lead"], ["smtp", ""]]


async def test_a_key_that_a_function_works_out_comes_with_the_run(db: Session) -> None:
    await define(db, {key: value for key, value in PER_USER.items() if key != "path"} | {"asked": True})
    (run,) = await ask(db, {"user_id": 1}, keys=['{"per-user": "a"}'])
    assert await demands(db, run) == [["per-user", "a"]]
    run = await db.fetchval("""select howdah.enqueue('mail', '{"user_id": 1}', keys => '{"per-user": "b"}')""")
    assert await demands(db, run) == [["per-user", "b"]]
    with pytest.raises(asyncpg.DataError, match="limit per-user of mail has a key that its function in Python works out") as refusal:
        await db.fetchval("""select howdah.enqueue('mail', '{"user_id": 1}')""")
    assert "keys =>" in str(refusal.value.hint)


async def test_a_run_without_its_key_or_with_one_that_is_too_long_or_a_cost_that_is_none_is_refused(db: Session) -> None:
    await define(db, PER_USER, SMTP | {"cost_path": ["pages"], "cost": 1})
    for wrong, says in [
        ({}, "the arguments have no user_id"),
        ({"user_id": None}, "the arguments have no user_id"),
        ({"user_id": "x" * 201}, "more than 200 characters"),
        ({"user_id": 1, "pages": 0}, "not a number above 0"),
        ({"user_id": 1, "pages": "many"}, "not a number above 0"),
    ]:
        with pytest.raises(asyncpg.DataError, match=says):
            await ask(db, {"user_id": 1, "pages": 1}, wrong)
    assert await look(db) == [], "all or none"
    await define(db, PER_USER | {"default": "nobody"}, task="lax")
    (run,) = await ask(db, {}, task="lax")
    assert await demands(db, run) == [["per-user", "nobody"]], "the default of the parameter"


async def test_runs_with_the_same_demands_are_one_line_and_claims_do_not_see_them(db: Session) -> None:
    await define(db, PER_USER)
    one, two, other = await ask(db, {"user_id": 1}, {"user_id": 1}, {"user_id": 2})
    (free,) = await world.enqueue(db, task="free")
    node = await world.join(db)
    assert [run.id for run in await world.claim(db, node)] == [free]
    found = {tuple(waiting.runs): waiting for waiting in await look(db)}
    assert set(found) == {(one, two), (other,)}
    assert json.loads(found[one, two].demands or "") == [["per-user", "1"]]
    assert await world.state(db, one) == "gated"


async def test_a_look_goes_on_behind_a_line_and_says_what_it_left_out(db: Session) -> None:
    await define(db, PER_USER)
    await ask(db, *({"user_id": n} for n in range(5) for _ in range(3)))
    (first, second) = await look(db, None, 2, 2)
    assert first.line < second.line
    assert first.more
    assert len(first.runs) == 2
    rest = await look(db, second.line, 10, 3)
    assert len(rest) == 3
    assert not any(waiting.more for waiting in rest)
    (more,) = await db.fetch(query("gate_heads"), [first.line], 10)
    assert len(more["runs"]) == 3


async def test_the_gate_admits_for_its_own_node_with_the_payload_and_tells_others(db: Session, connect: Connect) -> None:
    await define(db, PER_USER)
    one, two = await ask(db, {"user_id": 1}, {"user_id": 2})
    own, other = await world.join(db), await world.join(db)
    name = await db.fetchval("update howdah.node set name = 'other' where id = $1 returning name", other)
    told: list[str] = []
    ears = await connect()
    await ears.add_listener(f"howdah_at_{name}", lambda *said: told.append(str(said[3])))
    epoch = await enter(db, own)
    (mine,) = await admit(db, epoch, own, one)
    assert (mine.id, mine.attempt, mine.args) == (one, 1, '{"user_id": 1}')
    (theirs,) = await admit(db, epoch, other, two, own=own)
    assert (theirs.node, theirs.args) == (other, None)
    assert await db.fetchval("select count(*) from howdah.job where lease is not null") == 2
    while not told:
        await ears.execute("select 1")
    assert told == [f"admitted {two} {theirs.lease}"]
    (fetched,) = await ears.fetch(query("fetch_admitted"), other, [two, two], [theirs.lease, theirs.lease + 1])
    assert Claimed(other, *fetched).args == '{"user_id": 2}'
    assert not await ears.fetch(query("fetch_admitted"), own, [two], [theirs.lease])


async def test_what_cannot_be_admitted_is_left_out(db: Session) -> None:
    await define(db, PER_USER)
    held, late, ended, locked, good = await ask(db, *({"user_id": n} for n in range(5)))
    await db.execute("update howdah.job set expires = howdah.clock() - interval '1 s' where id = $1", late)
    await db.fetch(query("cancel"), [ended], None)
    node = await world.join(db)
    epoch = await enter(db, node)
    assert [run.id for run in await admit(db, epoch, node, held)] == [held]
    assert await admit(db, epoch, node, held) == []
    assert [run.id for run in await admit(db, epoch, node, late, ended, good)] == [good]
    assert await admit(db, epoch, 17, locked) == [], "there is no such node"


async def test_with_the_epoch_of_a_predecessor_nobody_admits(db: Session) -> None:
    await define(db, PER_USER)
    (run,) = await ask(db, {"user_id": 1})
    first, second = await world.join(db), await world.join(db)
    before = await enter(db, first)
    after = await enter(db, second)
    assert after > before
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await admit(db, before, first, run)
    assert refusal.value.sqlstate == "HW004"
    assert [one.id for one in await admit(db, after, second, run)] == [run]


async def test_a_takeover_waits_for_an_admission_under_way_and_sees_it_in_its_next_statement(db: Session, connect: Connect) -> None:
    await define(db, PER_USER)
    (run,) = await ask(db, {"user_id": 1})
    first, second = await world.join(db), await world.join(db)
    epoch = await enter(db, first)
    old, new = await connect(), await connect()
    block = old.transaction()
    await block.start()
    await admit(old, epoch, first, run)
    taking = asyncio.ensure_future(enter(new, second))
    while not await db.fetchval("select count(*) from pg_stat_activity where wait_event_type = 'Lock'"):
        await asyncio.sleep(0.01)
    await block.commit()
    await taking
    assert [row["run"] for row in await new.fetch(query("gate_held"))] == [run]


async def test_an_end_frees_the_permit_and_what_goes_back_waits_again(db: Session, connect: Connect) -> None:
    await define(db, PER_USER)
    done, snoozed, released, retried = await ask(db, *({"user_id": 1} for _ in range(4)))
    node = await world.join(db)
    epoch = await enter(db, node)
    runs = {run.id: run for run in await admit(db, epoch, node, done, snoozed, released, retried)}
    told: list[str] = []
    ears = await connect()
    await ears.add_listener("howdah_gate", lambda *said: told.append(str(said[3])))
    await world.send(
        db,
        world.outcome(runs[done]),
        world.outcome(runs[snoozed], Kind.SNOOZED, 0),
        world.outcome(runs[released], Kind.RELEASED),
        world.outcome(runs[retried], Kind.RETRIED, 3600),
    )
    ids, leases = list(runs), [run.lease for run in runs.values()]
    assert {row["run"] for row in await db.fetch(query("gate_left"), ids, leases)} == set(ids)
    while not told:
        await ears.execute("select 1")
    assert told == [f"runs {released}"]
    assert await db.fetchval("select howdah.fire(10)") == 1
    while len(told) < 2:
        await ears.execute("select 1")
    assert told[1:] == [f"runs {snoozed}"]
    (waiting,) = await look(db)
    assert waiting.runs == [snoozed, released]
    await db.fetch(query("retry"), [done])
    assert await world.state(db, done) == "succeeded"
    assert await world.state(db, retried) == "retrying"


async def test_what_a_dead_node_held_waits_again_and_the_gate_hears_of_it(db: Session, connect: Connect) -> None:
    await define(db, PER_USER)
    (run,) = await ask(db, {"user_id": 1})
    dead, living = await world.join(db, lease_s=0.01), await world.join(db)
    epoch = await enter(db, living)
    await admit(db, epoch, dead, run)
    await world.shift(db, "1 hour")
    await db.execute("update howdah.node set until = howdah.clock() + interval '1 hour' where id = $1", living)
    await db.fetchval("select howdah.reap(3)")
    (waiting,) = await look(db)
    assert waiting.runs == [run]


async def test_a_suspect_is_a_line_of_its_own_and_each_node_has_one_at_a_time(db: Session) -> None:
    await define(db, PER_USER)
    runs = await ask(db, *[{"user_id": 1}] * 3)
    for _ in range(2):
        dead = await world.join(db)
        await admit(db, await enter(db, dead), dead, *runs)
        await world.shift(db, "1 hour")
        await db.execute("select howdah.reap(3)")
        await world.shift(db, "")
    (fresh,) = await ask(db, {"user_id": 1})
    lines = [(w.line, w.runs, w.demands) for w in await look(db) if w.runs]
    assert [(line, found) for line, found, _ in lines[:3]] == [(-run, [run]) for run in runs]
    assert lines[3][1] == [fresh]
    assert len({demands for _, _, demands in lines}) == 1
    heads = [Waiting(*row) for row in await db.fetch(query("gate_heads"), [-runs[1], lines[3][0]], 10)]
    assert sorted(w.runs for w in heads) == [[runs[1]], [fresh]]
    news = await db.fetch(query("gate_news"), None, None, [*runs, fresh], 10)
    assert sorted((row["line"], row["runs"]) for row in news) == sorted((line, found) for line, found, _ in lines)
    one, two = await world.join(db), await world.join(db)
    epoch = await enter(db, one)
    assert {run.id for run in await admit(db, epoch, one, *runs, fresh)} == {runs[0], fresh}
    assert [run.id for run in await admit(db, epoch, two, *runs)] == [runs[1]]
    assert await admit(db, epoch, one, *runs) == []
    assert [(w.line, w.runs) for w in await look(db) if w.runs] == [(-runs[2], [runs[2]])]


async def test_news_are_those_of_a_range_or_of_a_list_that_wait(db: Session) -> None:
    await define(db, PER_USER)
    ids = await ask(db, *({"user_id": n % 2} for n in range(6)))
    await world.enqueue(db, 2, task="free")
    rows = await db.fetch(query("gate_news"), ids[0], ids[-1] + 10, [], 100)
    assert sorted(tuple(row["runs"]) for row in rows) == [tuple(ids[0::2]), tuple(ids[1::2])]
    assert {row["last"] for row in rows} == {None}
    rows = await db.fetch(query("gate_news"), ids[0], ids[-1], [], 4)
    assert {row["last"] for row in rows} == {ids[3]}
    rows = await db.fetch(query("gate_news"), None, None, ids[2:3], 100)
    assert [row["runs"] for row in rows] == [[ids[2]]]
    assert [tuple(row)[5:7] for row in await db.fetch(query("gate_news"), 1, 2, [], 100)] == [(None, None)]


async def test_what_a_rate_has_left_is_written_with_the_admission(db: Session) -> None:
    await define(db, SMTP)
    (run,) = await ask(db, {})
    node = await world.join(db)
    epoch = await enter(db, node)
    await db.fetch(query("gate_admit"), epoch, node, [run], [node], ["smtp"], [""], [3.5], [1e9])
    assert [tuple(row) for row in await db.fetch(query("gate_buckets"))] == [("smtp", "", 3.5, 1e9)]


async def test_terms_are_those_of_the_code_until_somebody_sets_others(db: Session) -> None:
    await define(db, PER_USER, SMTP)
    await db.execute("""update howdah.limit_terms set terms = '{"number": 9}' where name = 'per-user'""")
    await db.execute("insert into howdah.limit_key values ('per-user', 'ann', null, true)")
    found = await db.fetch(query("gate_terms"))
    rows = {(row["name"], row["key"]): (row["kind"], json.loads(row["terms"] or "null"), row["paused"]) for row in found}
    assert rows == {
        ("per-user", None): ("limit", {"number": 9}, False),
        ("per-user", "ann"): ("limit", None, True),
        ("smtp", None): ("rate", {"per_s": 2, "burst": 10}, False),
    }
    with pytest.raises(asyncpg.DataError, match="the limit smtp is a rate already, and not a limit"):
        await define(db, PER_USER | {"limit": "smtp"}, task="other")


async def test_runs_that_were_enqueued_before_their_task_had_limits_come_under_them(db: Session) -> None:
    run = await db.fetchval("""select howdah.enqueue('early', '{"user_id": 5}')""")
    later = await db.fetchval("select howdah.enqueue('early', '{}', delay => '1 hour')")
    await define(db, PER_USER, task="early", queue="post")
    assert await demands(db, run) == [["per-user", "5"]]
    assert await demands(db, later) == [["per-user", ""]], "a key that is nowhere to be found"
    assert [waiting.runs for waiting in await look(db)] == [[run]]


async def test_when_a_task_has_no_limits_any_more_its_runs_leave_their_lines_as_soon_as_they_wait(db: Session) -> None:
    task = await define(db, PER_USER)
    waiting, held = await ask(db, *[{"user_id": 1}] * 2)
    (later,) = await ask(db, {"user_id": 1}, delay=60)
    node = await world.join(db, mail="h")
    (claimed,) = await admit(db, await enter(db, node), node, held)
    await db.fetchval(query("register"), "mail", "default", 0, "{}", None, None, "another", None)
    rows = await db.fetch("select id, line is null from howdah.job union all select id, line is null from howdah.timer")
    lines = {row[0]: row[1] for row in rows}
    assert lines == {waiting: True, later: True, held: False}
    free = await db.fetch("select id from howdah.run where demands is null and id >= $1 order by id", waiting)
    assert [row[0] for row in free] == [waiting, later]
    await world.send(db, world.outcome(claimed, Kind.RETRIED, 0))
    assert await db.fetchval("select howdah.fire(10)") == 1
    assert {run.id for run in await world.claim(db, node)} == {waiting, held}
    assert not await db.fetchval("select exists (select from howdah.job where line is not null and task = $1)", task)


async def test_a_misfit_under_a_limit_waits_for_the_gate_again_once_there_is_another_definition(db: Session) -> None:
    await define(db, PER_USER)
    (run,) = await ask(db, {"user_id": 1})
    old = await world.join(db, mail="old")
    epoch = await enter(db, old)
    (claimed,) = await admit(db, epoch, old, run)
    await world.send(db, world.outcome(claimed, Kind.MISFIT, data='{"hash": "old"}'))
    assert await world.claim(db, old) == []
    assert await look(db) == []
    new = await world.join(db, mail="new")
    assert await world.claim(db, new) == []
    assert [w.runs for w in await look(db)] == [[run]]
    assert await admit(db, epoch, old, run) == []
    assert [run.attempt for run in await admit(db, epoch, new, run)] == [1]


async def test_a_node_waits_for_the_seat_without_a_snapshot_that_would_hold_vacuum_up(connect: Connect, db: Session) -> None:
    first, second = await connect(), await connect()
    await first.execute(query("take_seat", "sessions"))
    await second.execute(query("know_seat", "sessions"))
    waiting = asyncio.ensure_future(second.execute(query("take_seat", "sessions")))
    waits = "select backend_xmin, backend_xid from pg_stat_activity where wait_event_type = 'Lock' and pid = $1"
    while not (rows := await db.fetch(waits, second.get_server_pid())):
        await asyncio.sleep(0.01)
    assert [tuple(row) for row in rows] == [(None, None)]
    first.terminate()
    await waiting
    await second.execute("rollback")
