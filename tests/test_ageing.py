"""Runs that wait for long beside better ones that never run dry: with ageing_s they start, without it they wait."""

import anyio
import pytest
from howdah import App

pytestmark = pytest.mark.anyio


class Flood:
    """Runs of a high priority that never run dry: each enqueues the next two before it ends, as long as it is open."""

    def __init__(self, dsn: str, ageing_s: float) -> None:
        jobs = self.jobs = App(dsn, concurrency=1, prefetch_horizon_s=0.0, ageing_s=ageing_s, grace_s=2, hard_grace_s=2)
        self.open, self.count = True, 0

        @jobs.task
        async def high() -> None:
            self.count += 1
            for _ in range(2 if self.open and self.count < 2000 else 0):
                await high.options(priority=3).enqueue()

        @jobs.task(priority=0)
        async def low() -> int:
            return self.count

        self.high, self.low = high, low


async def test_a_low_priority_starts_while_high_ones_keep_coming_where_runs_age(dsn: str) -> None:
    flood = Flood(dsn, ageing_s=0.1)
    async with flood.jobs:
        await flood.high.options(priority=3).enqueue()
        run = await flood.low.enqueue()
        async with flood.jobs.work():
            assert await run.result("20s") < 2000, "the others had not run dry"
            flood.open = False


async def test_a_low_priority_waits_for_all_high_ones_where_runs_do_not_age(dsn: str) -> None:
    flood = Flood(dsn, ageing_s=0.0)
    async with flood.jobs:
        await flood.high.options(priority=3).enqueue()
        run = await flood.low.enqueue()
        async with flood.jobs.work():
            while flood.count < 300:
                await anyio.sleep(0.01)
            assert await run.status() == "queued"
            flood.open = False
            assert await run.result("20s") >= 300
