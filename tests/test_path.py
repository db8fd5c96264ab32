"""The path of a run, as a user walks it: enqueued, executed, its result pushed back."""

import pytest
from howdah import App

pytestmark = pytest.mark.anyio


async def test_a_run_is_executed_and_its_result_comes_back(jobs: App) -> None:
    @jobs.task
    async def add(a: int, b: int = 2) -> int:
        return a + b

    async with jobs.work():
        run = await add.enqueue(1)
        assert await run.result("10s") == 3
        assert await run.status() == "succeeded"
