"""Postgres goes away and comes back while runs are under way, and finished outcomes wait in memory."""

import signal
from collections import Counter

import anyio
import asyncpg
import howdah
import pytest
from howdah import App

from .nodes import Server, drained, enqueue, forgiven, happens

pytestmark = pytest.mark.anyio

RUNS = 3000


async def _restart_under_load(server: Server, dsn: str, how: signal.Signals) -> tuple[Counter[int], list[str]]:
    """Stops the server under load, lets what runs finish while it is away, and starts it again.

    How often each run was executed, and the verdicts on outcomes that were refused."""
    jobs = App(dsn, lease_s=120, backoff_max_s=0.5, grace_s=5, concurrency=200)
    executed: Counter[int] = Counter()
    finished: Counter[int] = Counter()
    away = False
    stopped = anyio.Event()

    @jobs.task
    async def work() -> None:
        executed[howdah.current_run().id] += 1
        await anyio.sleep(0.01)
        if away:
            await stopped.wait()
        finished[howdah.current_run().id] += 1

    db = await asyncpg.connect(dsn)
    await enqueue(db, "work", RUNS)
    await db.close()
    async with forgiven(), jobs.work():
        await happens(lambda: len(finished) > RUNS // 5)
        away = True
        await server.stop(how)
        running = set(executed - finished)
        stopped.set()
        await happens(lambda: running <= set(finished))
        away = False
        await server.start()
        db = await asyncpg.connect(dsn)
        await drained(db)
        assert await db.fetchval("select count(*) from howdah.event where kind = 1") == RUNS
        assert await db.fetchval("select count(distinct run) from howdah.event where kind = 1") == RUNS
        refused = [row["verdict"] for row in await db.fetch("select verdict from howdah.stale_event")]
        await db.close()
    assert len(running) > 0, "nothing finished while Postgres was away"
    return executed, refused


async def test_a_fast_restart_loses_no_finished_outcome_and_runs_nothing_twice(own_server: Server, own_dsn: str) -> None:
    executed, refused = await _restart_under_load(own_server, own_dsn, signal.SIGINT)
    assert len(executed) == RUNS
    assert set(executed.values()) == {1}
    assert "stale" not in refused


async def test_an_immediate_restart_loses_nothing(own_server: Server, own_dsn: str) -> None:
    executed, _ = await _restart_under_load(own_server, own_dsn, signal.SIGQUIT)
    assert len(executed) == RUNS
