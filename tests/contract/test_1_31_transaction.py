"""CONTRACT 1.31: transaction() completes its run as the last statement before the commit, and may not sit idle for longer than a lease."""

import asyncpg
import pytest
from howdah import App, State, current_run, transaction
from howdah.core.states import Kind

from ..db import world

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection

FREE = "select count(*) from (select 1 from howdah.job where id = $1 for update skip locked) j"


async def test_the_run_is_completed_behind_the_statements_of_the_user_within_an_idle_time_of_one_lease(jobs: App, db: Session) -> None:
    await db.execute("create table effect (run bigint)")
    seen: list[object] = []

    @jobs.task(retry=1)
    async def work() -> None:
        async with transaction() as conn:
            seen.append(await conn.fetchval("show idle_in_transaction_session_timeout"))
            await conn.execute("insert into effect values ($1)", current_run().id)
            # Its row is free for a cancel or a watcher until the last statement before the commit.
            seen.append(await db.fetchval(FREE, current_run().id))
        seen.append(await db.fetchval("select count(*) from howdah.job where id = $1", current_run().id))

    async with jobs.work():
        run = await work.enqueue()
        await run.result("10s")
        assert await run.status() is State.SUCCEEDED
    assert jobs.config.lease_s == 15
    assert seen == ["15s", 1, 0]
    assert await db.fetchval("select run from effect") == run.id


async def test_a_cancel_and_an_awaited_result_are_flags_on_the_hot_row_and_an_event_once_it_is_gone(db: Session) -> None:
    (run,) = await world.running(db)
    assert await world.watch(db, run.id) == {}, "it has not ended"
    assert await world.cancel(db, run.id) == {run.id: "requested"}
    assert await db.fetchval("select flags & 3 from howdah.job where id = $1", run.id) == 1 + 2

    await world.send(db, world.outcome(run))
    assert await db.fetchval("select count(*) from howdah.job") == 0
    assert await world.watch(db, run.id) == {run.id: Kind.SUCCEEDED}
    assert await world.cancel(db, run.id) == {run.id: "ended"}


LEFT = {
    "a role": "set role tenant_of_one",
    "a session's role": "set session authorization tenant_of_one",
    "a temporary table": "create temp table basket (item int)",
    "a setting": "set statement_timeout = '7s'",
    "a channel": "listen gossip",
    "a lock": "select pg_advisory_lock(7)",
}

FOUND = """
select current_user || ' ' || session_user, to_regclass('pg_temp.basket') is null, current_setting('statement_timeout'),
  array(select pg_listening_channels()), (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())
"""


@pytest.mark.parametrize("statement", LEFT.values(), ids=LEFT.keys())
async def test_nothing_that_a_run_leaves_in_its_session_is_met_by_the_next_one(dsn: str, db: Session, statement: str) -> None:
    await db.execute("create role tenant_of_one")
    await db.execute("grant usage on schema howdah to tenant_of_one")
    await db.execute("grant execute on all functions in schema howdah to tenant_of_one")
    jobs = App(dsn, pool_size=1, grace_s=2, hard_grace_s=2)
    seen: list[tuple[object, ...]] = []

    @jobs.task(retry=1)
    async def work(statement: str) -> None:
        async with transaction() as conn:
            seen.append(tuple(await conn.fetchrow(FOUND) or ()))
            await conn.execute(statement)

    try:
        async with jobs.work():
            for each in (statement, "select 1"):
                await (await work.enqueue(each)).result("10s")
    finally:
        await db.execute("drop owned by tenant_of_one; drop role tenant_of_one")
    assert seen == [("postgres postgres", True, "0", [], 0)] * 2
