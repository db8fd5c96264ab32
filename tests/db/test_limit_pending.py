"""Runs that are older than the limits of their task: that they come under them wherever they are, and keep no node from starting."""

import json
from hashlib import sha256

import asyncpg
import pytest
from howdah.core.states import Kind
from howdah.db.files import query
from howdah.messages import Claimed

from . import world
from .test_gate import PER_USER, SMTP, admit, ask, define, demands, enter, look
from .world import Session

pytestmark = pytest.mark.anyio

TENANT = {"limit": "per-tenant", "kind": "limit", "terms": {"number": 1}, "path": ["tenant"]}
LINES = """select line is not null from (
    select id, line from howdah.job union all select id, line from howdah.timer union all select id, line from howdah.misfit
) w where id = $1"""


@pytest.fixture(autouse=True)
async def alone(db: Session) -> None:
    await world.tidy(db)
    await db.execute("truncate howdah.limit_terms, howdah.limit_key, howdah.bucket")


async def older(db: Session, *args: str) -> tuple[int, list[Claimed]]:
    """A node, and what it runs of a task that has no limits yet."""
    await db.execute("select howdah.register('mail', 'default', 0::smallint, '{}', null, null, 'none', null)")
    await db.execute("select howdah.enqueue('mail', u::json) from unnest($1::text[]) u", list(args))
    node = await world.join(db, mail="h")
    return node, await world.claim(db, node)


@pytest.mark.parametrize("kind", [Kind.RETRIED, Kind.SNOOZED, Kind.RELEASED, Kind.MISFIT])
async def test_a_run_that_is_held_when_the_limit_comes_is_under_it_when_it_waits_again(db: Session, kind: Kind) -> None:
    _, (run,) = await older(db, '{"user_id": 1}')
    await define(db, PER_USER)
    assert await db.fetchval(LINES, run.id) is False, "it runs on as it began"
    await world.send(db, world.outcome(run, kind, 0, data='{"hash": "h"}' if kind == Kind.MISFIT else None))
    assert (await db.fetchval(LINES, run.id), await demands(db, run.id)) == (True, [["per-user", "1"]])
    await db.fetchval("select howdah.fire(10)")
    assert [waiting.runs for waiting in await look(db)] == ([] if kind == Kind.MISFIT else [[run.id]])


async def test_a_run_of_a_node_that_died_comes_back_under_the_limit_that_came_meanwhile(db: Session) -> None:
    node, (run,) = await older(db, '{"user_id": 1}')
    await define(db, PER_USER)
    await db.execute("select howdah.reap_nodes(array[$1::bigint], 3)", node)
    assert [waiting.runs for waiting in await look(db)] == [[run.id]]
    assert await world.claim(db, node) == []


async def test_an_ended_run_that_is_retried_is_under_the_limit_that_came_meanwhile(db: Session) -> None:
    node, runs = await older(db, '{"user_id": 1}', '{"user_id": 1}')
    await world.send(db, *(world.outcome(run, Kind.FAILED) for run in runs))
    await define(db, PER_USER)
    await db.fetch("select howdah.retry($1)", [run.id for run in runs])
    assert [waiting.runs for waiting in await look(db)] == [[run.id for run in runs]]
    assert await world.claim(db, node) == []


async def test_a_run_that_is_held_when_the_placement_comes_waits_for_its_node_afterwards(db: Session) -> None:
    _, (run, other) = await older(db, "{}", "{}")
    await world.send(db, world.outcome(other, Kind.FAILED))
    placed = '{"placement": {"requires": {"gpu": true}}}'
    await db.fetchval(query("register"), "mail", "default", 0, placed, None, None, "placed", None)
    await world.send(db, world.outcome(run, Kind.RELEASED))
    await db.fetch("select howdah.retry($1)", [other.id])
    assert [waiting.runs for waiting in await look(db)] == [[run.id, other.id]]


async def test_runs_that_wait_come_under_a_second_limit_and_the_gate_begins_anew(db: Session) -> None:
    await define(db, SMTP)
    waiting, held = await ask(db, *[{"tenant": "t"}] * 2)
    (later,) = await ask(db, {"tenant": "t"}, delay=60)
    node = await world.join(db, mail="h")
    epoch = await enter(db, node)
    (claimed,) = await admit(db, epoch, node, held)
    await define(db, SMTP, TENANT)
    both = [["smtp", ""], ["per-tenant", "t"]]
    assert [await demands(db, run) for run in (waiting, held, later)] == [both, [["smtp", ""]], both]
    with pytest.raises(asyncpg.PostgresError, match="the gate is held by another node"):
        await admit(db, epoch, node, waiting)
    await world.send(db, world.outcome(claimed, Kind.RELEASED))
    assert await demands(db, held) == both
    assert [line.runs for line in await look(db)] == [[waiting, held]]


async def test_a_retry_is_about_the_limits_that_the_task_has_now(db: Session) -> None:
    await define(db, SMTP)
    (run,) = await ask(db, {"tenant": "t"})
    node = await world.join(db, mail="h")
    (claimed,) = await admit(db, await enter(db, node), node, run)
    await world.send(db, world.outcome(claimed, Kind.FAILED))
    await define(db, TENANT)
    await db.fetch("select howdah.retry($1)", [run])
    assert await demands(db, run) == [["per-tenant", "t"]]


async def test_other_numbers_of_the_same_limits_leave_waiting_runs_and_the_gate_alone(db: Session) -> None:
    await define(db, PER_USER, SMTP)
    (run,) = await ask(db, {"user_id": 1})
    epoch = await enter(db, await world.join(db, mail="h"))
    before = await db.fetchval("select xmin::text from howdah.job where id = $1", run)
    await define(db, PER_USER | {"terms": {"number": 7}}, SMTP)
    assert await db.fetchval("select xmin::text from howdah.job where id = $1", run) == before
    assert await db.fetchval("select epoch from howdah.gate") == epoch


async def test_a_key_that_a_function_worked_out_stays_when_the_limits_change(db: Session) -> None:
    asked = {name: value for name, value in PER_USER.items() if name != "path"} | {"asked": True, "group_asked": True}
    await define(db, asked)
    (run,) = await ask(db, {"tenant": "t"}, keys=['{"per-user": "ann", "per-user/group": "gold"}'])
    await define(db, asked, TENANT)
    assert await demands(db, run) == [["per-user", "ann", 1, "gold"], ["per-tenant", "t"]]


async def test_a_run_that_keeps_permits_until_its_end_goes_on_under_those(db: Session) -> None:
    await define(db, PER_USER | {"hold": "run"})
    (run,) = await ask(db, {"user_id": 1, "tenant": "t"})
    node = await world.join(db, mail="h")
    (claimed,) = await admit(db, await enter(db, node), node, run)
    await world.send(db, world.outcome(claimed, Kind.RELEASED))
    before = await demands(db, run)
    await define(db, PER_USER | {"hold": "run"}, TENANT)
    assert await demands(db, run) == before
    assert [line.runs for line in await look(db)] == [[run]]


LONG = "x" * 300
COSTLY = SMTP | {"path": ["user"], "cost_path": ["pages"], "cost": 2}
ODD: list[tuple[str, list[object]]] = [
    (json.dumps({"user": LONG}), ["smtp", sha256(LONG.encode()).hexdigest(), 2]),
    (json.dumps({"user": LONG, "pages": 3}), ["smtp", sha256(LONG.encode()).hexdigest(), 3]),
    ('{"user": "ann", "pages": "many"}', ["smtp", "ann", 2]),
    ('{"user": "ann", "pages": 0}', ["smtp", "ann", 2]),
    ('{"user": "ann", "pages": 1e400}', ["smtp", "ann", 2]),
    ('{"user": "ann", "note": "\\u0000"}', ["smtp", "ann", 2]),
    ('{"user": "\\u0000", "pages": 3}', ["smtp", "\ufffd", 3]),
    ('{"user": "ann", "n": 1e999999}', ["smtp", "ann", 2]),
]


@pytest.mark.parametrize(("args", "expected"), ODD, ids=[args[:40] for args, _ in ODD])
async def test_what_nobody_checked_when_it_was_enqueued_keeps_no_node_from_starting_and_goes_under_a_key(
    db: Session, args: str, expected: list[object]
) -> None:
    task = f"odd {ODD.index((args, expected))}"
    run = await db.fetchval("select howdah.enqueue($1, $2::json)", task, args)
    good = await db.fetchval("""select howdah.enqueue($1, '{"user": "bob", "pages": 3}')""", task)
    await define(db, COSTLY, task=task)
    assert await demands(db, run) == [expected]
    assert await demands(db, good) == [["smtp", "bob", 3]]
    await define(db, COSTLY, PER_USER, task=task)
    assert (await demands(db, run))[0] == expected


async def test_a_group_that_nobody_checked_and_a_bad_row_beside_other_limits_cost_these_nothing(db: Session) -> None:
    run = await db.fetchval("select howdah.enqueue('grouped', $1::json)", json.dumps({"user_id": 7, "tier": LONG}))
    await define(db, PER_USER, SMTP | {"group": ["tier"], "weights": {"gold": 3}}, task="grouped")
    assert await demands(db, run) == [["per-user", "7"], ["smtp", "", 1, sha256(LONG.encode()).hexdigest()]]


async def test_a_cost_beyond_all_measure_is_refused_in_words(db: Session) -> None:
    await define(db, COSTLY)
    for pages in ("1e400", "1e-400"):
        with pytest.raises(asyncpg.InvalidParameterValueError, match="is not a number above 0"):
            await db.fetchval("select howdah.enqueue('mail', $1::json)", f'{{"user": "ann", "pages": {pages}}}')
