"""The end of a run in the user's own transaction: what comes after its commit is no error of it."""

from datetime import UTC, datetime

import pytest
from howdah.config import configure
from howdah.db.completions import Completions
from howdah.db.pool import Pool

from . import world
from .world import Session

pytestmark = pytest.mark.anyio


async def test_a_commit_that_others_could_not_be_told_of_is_a_commit_all_the_same(
    dsn: str, db: Session, caplog: pytest.LogCaptureFixture
) -> None:
    (run,) = await world.running(db)
    assert await world.watch(db, run.id) == {}, "somebody awaits it, so there is something to settle"
    await db.execute("create table effect (run bigint)")
    pool = Pool(configure({"dsn": dsn, "pool_size": 1}))
    await pool.open()
    try:
        async with Completions(pool, 15).open(run, datetime.now(UTC), lambda: None, lambda: None) as connection:
            await connection.execute("insert into effect values ($1)", run.id)
            await db.execute("drop function howdah.settle()")
    finally:
        await pool.close()
    assert await db.fetchval("select run from effect") == run.id
    assert await db.fetchval("select howdah.state($1)", run.id) == "succeeded"
    (record,) = caplog.records
    assert f"run {run.id} has ended with its transaction, but others could not be told of it yet" in record.getMessage()
