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
