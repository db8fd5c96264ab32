"""Runs that wait for long beside better ones that never run dry: with ageing_s they start, without it they wait."""

import anyio
import pytest
from howdah import App, Run

pytestmark = pytest.mark.anyio


STOCK = 200
"""Runs of the high priority that wait at any time: more than a node claims in advance."""


class Flood:
    """Runs of a high priority that never run dry: each enqueues the next one before it ends, as long as it is open."""

    def __init__(self, dsn: str, ageing_s: float) -> None:
        jobs = self.jobs = App(dsn, concurrency=1, prefetch_max=10, ageing_s=ageing_s, grace_s=2, hard_grace_s=2)
        self.open, self.count = True, 0

        @jobs.task
        async def high() -> None:
            self.count += 1
            if self.open:
                await high.options(priority=3).enqueue()

        @jobs.task
        async def low() -> int:
            return self.count

        self.high, self.low = high, low

    async def begin(self) -> Run[int]:
        """The stock, and one of the low priority behind it."""
        await self.high.options(priority=3).enqueue_many(self.high.call() for _ in range(STOCK))
        return await self.low.enqueue()


async def test_a_low_priority_starts_while_high_ones_keep_coming_where_runs_age(dsn: str) -> None:
    flood = Flood(dsn, ageing_s=0.1)
    async with flood.jobs:
        run = await flood.begin()
        async with flood.jobs.work():
            assert await run.result("30s") > 0, "it was behind some of the others, all of which had another one follow"
            flood.open = False


async def test_a_low_priority_waits_for_all_high_ones_where_runs_do_not_age(dsn: str) -> None:
    flood = Flood(dsn, ageing_s=0.0)
    async with flood.jobs:
        run = await flood.begin()
        async with flood.jobs.work():
            while flood.count < 2 * STOCK:
                await anyio.sleep(0.01)
            assert await run.status() == "queued"
            flood.open = False
            assert await run.result("30s") >= 2 * STOCK
