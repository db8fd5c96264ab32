"""A notification between a look and a sleep is not lost: nobody waits for the poll."""

import asyncio
from time import monotonic

import asyncpg
import pytest
from howdah import App

from .nodes import Session

pytestmark = pytest.mark.anyio

PAIRS = 5000
ENQUEUE = "select howdah.enqueue('work')"


async def test_of_ten_thousand_runs_enqueued_in_pairs_none_waits_for_the_poll(dsn: str, effects: Session) -> None:
    jobs = App(dsn, idle_look_s=5, busy_look_s=5, second_look_s=5)
    waits: list[float] = []
    left, began, done = 0, 0.0, asyncio.Event()

    @jobs.task
    async def work() -> None:
        nonlocal left
        waits.append(monotonic() - began)
        left -= 1
        if not left:
            done.set()

    other = await asyncpg.connect(dsn)
    await effects.execute("set synchronous_commit = off")
    await other.execute("set synchronous_commit = off")
    async with jobs.work(), asyncio.TaskGroup() as group:
        for _ in range(PAIRS):
            done.clear()
            left, began = 2, monotonic()
            second = group.create_task(other.execute(ENQUEUE))
            await effects.execute(ENQUEUE)
            await second
            async with asyncio.timeout(4):
                await done.wait()
    await other.close()
    assert len(waits) == 2 * PAIRS
    assert max(waits) < 1
