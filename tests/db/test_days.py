"""Days: made ahead, found by ids, dropped when they are old, and carried over for runs that still live."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from howdah.config import configure
from howdah.core.states import Kind
from howdah.db.files import query
from howdah.db.stores import Upkeep

from . import world
from .world import Connect, Session

pytestmark = pytest.mark.anyio

OLD = 40
"""Days ago: beyond the retention."""


@pytest.fixture
async def dsn(fresh_dsn: Callable[..., Awaitable[str]]) -> AsyncIterator[str]:
    """A database for each test: days are made and dropped here."""
    name = await fresh_dsn()
    connection = await asyncpg.connect(name)
    await tend(connection)  # The template has fewer days.
    await connection.close()
    yield name


async def today(db: Session) -> int:
    return await db.fetchval("select howdah.day_base() >> 40")


async def tend(db: Session, keep: int = 30, ahead: int = 7, hashes: int = 4) -> tuple[int, int, int]:
    """Days made, days dropped, rows without a day."""
    row = await db.fetchrow(query("tend"), ahead, hashes)
    assert row is not None
    old = [one["day"] for one in await db.fetch(query("old_days"), keep)]
    return row["made"], sum([await db.fetchval(query("drop_day"), day) for day in old]), row["homeless"]


async def days(db: Session, table: str = "run") -> set[str]:
    rows = await db.fetch(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = $1::text::regclass",
        f"howdah.{table}",
    )
    return {row[0].removeprefix(f"{table}_") for row in rows}


async def old_run(db: Session, number: int, *, living: str | None = None, events: int = 0, days_ago: int = OLD) -> int:
    """A run of long ago, as it would be by now: living in `job`, in `timer`, or ended."""
    run = (await today(db) - days_ago << 40) + number
    task = await db.fetchval("select howdah.introduce('old')")
    await db.execute("insert into howdah.run (id, task, queue, priority, args) values ($1, $2, 1, 0, '{\"n\": 1}')", run, task)
    for _ in range(events):
        await db.execute("insert into howdah.event (run, lease, node, task, kind) values ($1, 1, 1, $2, 1)", run, task)
        await db.execute("truncate howdah.stale_event")
    if living == "job":
        await db.execute("insert into howdah.job (id, queue, task, priority) values ($1, 1, $2, 0)", run, task)
    if living == "timer":
        await db.execute(
            """insert into howdah.timer (id, due, queue, task, priority, attempt, flags, retrying)
               values ($1, howdah.clock() + interval '60 days', 1, $2, 0, 1, 0, true)""",
            run,
            task,
        )
    return run


async def retried(db: Session, run: int) -> None:
    """An attempt of a run that goes on."""
    (claimed,) = await world.claim(db, await world.join(db))
    assert claimed.id == run
    await world.send(db, world.outcome(claimed, Kind.RETRIED, 86400 * 60))


async def test_today_and_the_days_ahead_are_there_and_are_made_once(db: Session) -> None:
    now = await today(db)
    assert {"default"} | {f"d{now + n}" for n in range(8)} == await days(db) == await days(db, "event")
    assert await tend(db) == (0, 0, 0)
    assert await tend(db, ahead=9) == (2, 0, 0)
    assert await db.fetchval("select count(*) from pg_inherits where inhparent = $1::text::regclass", f"howdah.event_d{now + 9}") == 4


async def test_two_that_tend_at_once_do_the_work_once(db: Session, connect: Connect) -> None:
    other = await connect()
    await db.execute("begin")
    assert (await tend(db, ahead=8))[0] == 1
    assert (await tend(other, ahead=8))[0] == 0
    await db.execute("commit")
    assert (await tend(other, ahead=8))[0] == 0


async def test_rows_of_a_day_that_was_not_made_in_time_are_found_and_move_in_when_it_is(db: Session) -> None:
    now = await today(db)
    await old_run(db, 7, living="job", days_ago=0)
    for day in range(8):
        await db.execute(f"drop table howdah.run_d{now + day}, howdah.event_d{now + day}")
    run = await old_run(db, 7, living=None, days_ago=0)
    await retried(db, run)
    assert await db.fetchval("select count(*) from only howdah.run_default") == 1
    assert await db.fetchval("select count(*) from only howdah.event_default") == 1
    assert await world.state(db, run) == "retrying"
    assert await tend(db) == (8, 0, 0)
    assert await db.fetchval(f"select id from howdah.run_d{now}") == run
    assert await db.fetchval(f"select kind from howdah.event_d{now} where run = $1", run) == Kind.RETRIED
    assert await db.fetchval("select count(*) from howdah.event where run = $1", run) == 1


async def test_an_old_day_on_which_nobody_lives_is_dropped(db: Session) -> None:
    now = await today(db)
    await db.fetchval("select howdah.add_day($1, 4)", now - OLD)
    await db.fetchval("select howdah.add_day($1, 4)", now - 29)
    run = await old_run(db, 1)
    kept = await old_run(db, 1, days_ago=29)
    assert await tend(db) == (0, 1, 0)
    assert f"d{now - OLD}" not in await days(db)
    assert f"d{now - OLD}" not in await days(db, "event")
    assert await db.fetchval("select count(*) from howdah.run where id = $1", run) == 0
    assert await db.fetchval("select count(*) from howdah.run where id = $1", kept) == 1
    assert await world.state(db, run) is None


@pytest.mark.parametrize("where", ["job", "timer"])
async def test_living_runs_are_carried_over_with_their_events_and_the_day_goes_when_the_last_has_ended(db: Session, where: str) -> None:
    now = await today(db)
    await db.fetchval("select howdah.add_day($1, 4)", now - OLD)
    living = await old_run(db, 1, living="job")
    if where == "timer":
        await retried(db, living)
    ended = [await old_run(db, number) for number in range(2, 20)]
    assert await tend(db) == (0, 1, 0)
    assert f"d{now - OLD}_kept" in await days(db)
    assert f"d{now - OLD}_kept" in await days(db, "event")
    assert await db.fetchval("select args::text from howdah.run where id = $1", living) == '{"n": 1}'
    assert await world.kinds(db, living) == ([Kind.RETRIED] if where == "timer" else [])
    assert await db.fetchval("select count(*) from howdah.run where id = any($1)", ended) == 0
    assert await tend(db) == (0, 0, 0), "somebody lives there still"
    await world.cancel(db, living)
    assert await world.state(db, living) == "cancelled"
    assert await tend(db) == (0, 1, 0)
    assert f"d{now - OLD}_kept" not in await days(db)
    assert await world.state(db, living) is None


async def test_a_run_that_was_carried_over_runs_to_its_end(db: Session) -> None:
    await db.fetchval("select howdah.add_day($1, 4)", await today(db) - OLD)
    run = await old_run(db, 1, living="job")
    await tend(db)
    (claimed,) = await world.claim(db, await world.join(db))
    assert (claimed.id, claimed.args) == (run, '{"n": 1}')
    assert await world.send(db, world.outcome(claimed)) == world.Heard()
    assert await world.state(db, run) == "succeeded"


async def test_a_locked_day_is_left_for_the_next_time(db: Session, connect: Connect, dsn: str) -> None:
    now = await today(db)
    await db.fetchval("select howdah.add_day($1, 4)", now - OLD)
    await old_run(db, 1)
    reader = await connect()
    await reader.execute("begin")
    await reader.fetch("select count(*) from howdah.run")
    await db.execute("alter function howdah.drop_day set lock_timeout = '50ms'")
    with pytest.raises(asyncpg.LockNotAvailableError):
        await tend(db)
    upkeep = Upkeep(configure({"dsn": dsn}), "test")
    assert await upkeep.tend() is False
    assert f"d{now - OLD}" in await days(db)
    await reader.execute("commit")
    assert await upkeep.tend() is True
    assert f"d{now - OLD}" not in await days(db)
    await upkeep.close()


@pytest.mark.parametrize(("name", "bound"), [("tend", "2s"), ("drop_day", "100ms")])
async def test_days_wait_for_a_moment_at_most_for_their_locks_since_claims_queue_up_behind(db: Session, name: str, bound: str) -> None:
    assert f"lock_timeout={bound}" in await db.fetchval("select proconfig from pg_proc where oid = ('howdah.' || $1::text)::regproc", name)


def scanned(plan: dict[str, Any]) -> list[str]:
    """The tables that a plan did read."""
    below = [name for child in plan.get("Plans", []) for name in scanned(child)]
    return [plan["Relation Name"], *below] if "Relation Name" in plan and plan["Actual Loops"] else below


@pytest.mark.parametrize(
    "statement",
    [
        "select * from howdah.run where id = $1",
        "select * from howdah.event where run = $1",
        "select * from howdah.event where run = any(array[$1]) and run between $1 and $1",
        "select r.* from unnest(array[$1]) u join lateral (select * from howdah.run where id = u) r on true",
    ],
)
async def test_an_id_finds_its_day(db: Session, statement: str) -> None:
    (run,) = await world.enqueue(db)
    await db.execute("set plan_cache_mode = force_generic_plan; set enable_seqscan = off")
    statement = statement.replace("$1", "$1::bigint")
    plan = await db.fetchval(f"explain (analyze, costs off, timing off, format json) {statement}", run)
    names = set(scanned(json.loads(plan)[0]["Plan"]))
    assert len(names) == 1, plan
    assert f"_d{await today(db)}" in names.pop()


async def test_the_two_lists_of_a_run_have_the_same_bounds(db: Session) -> None:
    rows = await db.fetch(
        """select substring(c.relname from '_(.*)$') as day, array_agg(distinct pg_get_expr(c.relpartbound, c.oid)) as bounds
           from pg_inherits i join pg_class c on c.oid = i.inhrelid
           where i.inhparent in ('howdah.run'::regclass, 'howdah.event'::regclass) group by 1"""
    )
    assert all(len(row["bounds"]) == 1 for row in rows)
    assert len(rows) == 9


async def test_ids_ascend_and_stay_below_what_a_float_holds(db: Session) -> None:
    ids = await world.enqueue(db, 1000)
    assert ids == sorted(set(ids))
    assert ids[0] >> 40 == await today(db)
    assert ids[-1] < 2**53
