"""Every refusal in one table: what was done, the exception, a sentence of its text, and what mends it, tried."""

import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from howdah import App, Defaults, Retry
from howdah import errors as e
from howdah.db.migrate import newest
from howdah.embedded import Embedded

from .refusals import defining, enqueuing, managing, placing, running
from .refusals.row import C, Row
from .wrongdoing import Stage, ping

pytestmark = pytest.mark.anyio

TABLE = [*defining.ROWS, *enqueuing.ROWS, *running.ROWS, *managing.ROWS, *placing.ROWS]


@pytest.fixture(scope="module")
async def table_dsn(server: Embedded, template: str) -> AsyncIterator[str]:
    """One database for the whole table: no row needs what another one left."""
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute(f"create database test_table template {template}")
    yield server.dsn("test_table")
    await admin.execute("drop database test_table with (force)")
    await admin.close()


@pytest.mark.parametrize("row", TABLE, ids=[row.cause for row in TABLE])
async def test_a_refusal_says_what_is_wrong_and_its_mend_works(row: Row, table_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    conn = await asyncpg.connect(table_dsn)
    stage = Stage(table_dsn, conn, monkeypatch)
    await stage.number(newest())  # Whatever the row before has said of it.

    async def act(what: Callable[[Stage], Any]) -> None:
        done = what(stage)
        if inspect.isawaitable(done):
            await done

    async with stage.jobs:
        with pytest.raises(row.kind) as caught:
            await act(row.do)
        assert row.says in str(caught.value)
        if issubclass(row.kind, e.HowdahError):
            assert type(caught.value) is row.kind
        stage.fresh = App(table_dsn)
        if row.mend is not None:
            await act(row.mend)
    stage.after.close()
    await conn.close()


async def test_an_enqueue_on_conn_without_a_schema_names_the_command(server: Embedded) -> None:
    jobs = App(server.dsn("postgres"))
    task = jobs.task(ping)
    conn = await asyncpg.connect(server.dsn("postgres"))
    try:
        for _ in range(2):
            with pytest.raises(C, match="run `howdah migrate`"):
                await task.options(conn=conn).enqueue(1)
        with pytest.raises(e.SchemaMismatch, match="run `howdah migrate`"):
            await jobs.__aenter__()
    finally:
        await conn.close()


class Declined(ValueError):
    pass


async def test_the_exception_of_a_failed_run_carries_what_is_known(dsn: str) -> None:
    jobs = App(dsn, defaults=Defaults(retry=Retry(2, base=0.001)), grace_s=2, hard_grace_s=2)

    @jobs.task
    async def pay() -> None:
        raise Declined("no funds")

    async with jobs.work():
        run = await pay.enqueue()
        with pytest.raises(e.RunFailed) as caught:
            await run.result("10s")
    error = caught.value
    assert (error.run_id, error.task, error.state, error.attempt) == (run.id, "pay", "failed", 2)
    assert (error.error_type, error.message) == (f"{Declined.__module__}.Declined", "no funds")
    assert Path(__file__).name in error.traceback
    assert "howdah/actors" not in error.traceback
    assert [error.is_a(kind) for kind in (Declined, ValueError, Exception, KeyError)] == [True, True, True, False]


def test_each_exception_for_callers_is_one_of_ours_and_of_the_builtin_that_it_is_like() -> None:
    assert issubclass(e.ArgumentsInvalid, TypeError)
    assert issubclass(e.DatabaseAway, ConnectionError)
    ours = [kind for kind in vars(e).values() if isinstance(kind, type) and kind.__module__ == e.__name__]
    assert {kind for kind in ours if not issubclass(kind, e.HowdahError)} == {e.Snooze, e.RateLimited, e.GiveUp}
