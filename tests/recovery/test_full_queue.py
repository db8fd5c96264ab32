"""The cluster's queue of notifications is full, since somebody listens and sits in a transaction: work is later, and goes on."""

import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import asyncpg
import howdah
import pytest
from howdah import App, Retry, RunCancelled
from howdah.config import configure
from howdah.db.migrate import migrate
from howdah.embedded.account import account_for
from howdah.embedded.binaries import major_version, reachable_binaries

from .nodes import Server, Session, drained, happens

pytestmark = pytest.mark.anyio

SMALLEST = "64"
"""Pages. Before Postgres 17 the queue holds eight gigabytes, whatever is said."""


@pytest.fixture
async def full() -> AsyncIterator[str]:
    """The address of a migrated database on a server whose queue is full."""
    with tempfile.TemporaryDirectory(prefix="howdah-full-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - root's server runs as another account
        base = Path(folder) / "pg"
        account = account_for(base)
        if major_version(reachable_binaries(Path(folder), account), account) < 17:
            pytest.skip("the queue of this Postgres cannot be made small")
        server = Server(base, max_notify_queue_pages=SMALLEST)
        db = await asyncpg.connect(server.dsn())
        await migrate(db, configure({}))
        listener = await asyncpg.connect(server.dsn())
        await listener.execute("listen noise")
        await listener.execute("begin")
        await listener.fetchval("select 1")
        try:
            await _fill(db)
            yield server.dsn()
        finally:
            listener.terminate()
            db.terminate()
            server.close()


async def _fill(db: Session) -> None:
    for size in (7000, 100, 1):
        with pytest.raises(asyncpg.ProgramLimitExceededError, match="NOTIFY"):
            for number in range(100_000):
                await db.execute("select pg_notify('noise', $1 || repeat('x', $2))", str(number), size)


async def test_runs_timers_retries_cancels_and_results_need_no_notification(full: str) -> None:
    jobs = App(full, busy_look_s=0.2, idle_look_s=0.2, result_poll_s=0.2, keep_longest_s=0.2, grace_s=3)

    @jobs.task(retry=Retry(3, base=0.01))
    async def flaky() -> int:
        if howdah.current_run().attempt < 3:
            raise ValueError("not yet")
        return 3

    @jobs.task
    async def parent() -> int:
        return await (await flaky.options(child="one").enqueue()).result("10s")

    @jobs.task
    async def patient() -> None:
        await anyio.sleep(60)

    db = await asyncpg.connect(full)
    async with jobs.work() as node:
        later = await flaky.options(delay=0.05).enqueue()
        family = await parent.enqueue()
        own = await db.fetchval("select howdah.enqueue('flaky')")
        held = await patient.enqueue()
        await happens(lambda: any(run.id == held.id for run in node.running))
        await held.cancel("enough")
        assert await later.result("10s") == 3
        assert await family.result("10s") == 3
        assert await flaky.attach(own).result("10s") == 3
        with pytest.raises(RunCancelled):
            await held.result("10s")
        await drained(db)
        assert not node.stopped.is_set()
    db.terminate()


async def test_what_is_handed_back_at_shutdown_is_no_failure(full: str) -> None:
    jobs = App(full, busy_look_s=0.2, idle_look_s=0.2, grace_s=0.1)

    @jobs.task
    async def patient() -> None:
        await anyio.sleep(60)

    db = await asyncpg.connect(full)
    async with jobs.work() as node:
        run = await patient.enqueue()
        await happens(lambda: node.running)
    assert await db.fetchval("select howdah.state($1)", run.id) == "queued"
    db.terminate()
