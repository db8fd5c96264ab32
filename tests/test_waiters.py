"""Ten thousand that wait for a result share one listening connection."""

import anyio
import asyncpg
import pytest
from howdah import App, RunCancelled, RunExpired, RunFailed

pytestmark = pytest.mark.anyio

WAITERS = 10_000


async def test_ten_thousand_waiters_share_one_connection(dsn: str, db: "asyncpg.Connection[asyncpg.Record]") -> None:
    producer, worker = App(dsn), App(dsn)

    async def double(number: int) -> int:
        return 2 * number

    asked = producer.task(double)
    worker.task(double)
    results: dict[int, int] = {}
    listening = 0

    async with producer:
        runs = await asked.enqueue_many(asked.call(number) for number in range(WAITERS))

        async def wait(place: int) -> None:
            results[place] = await runs[place].result("60s")

        async with anyio.create_task_group() as group:
            for place in range(WAITERS):
                group.start_soon(wait, place)
            async with worker.work():
                while len(results) < WAITERS:
                    await anyio.sleep(0.02)
                listening = await db.fetchval(
                    "select count(*) from pg_stat_activity where datname = current_database() and application_name = $1",
                    "howdah listen results",
                )
        assert listening == 1
    assert results == {number: 2 * number for number in range(WAITERS)}


async def test_a_result_that_is_already_there_comes_at_once(dsn: str) -> None:
    jobs = App(dsn, result_poll_s=600, grace_s=2, hard_grace_s=2)

    @jobs.task
    async def answer() -> int:
        return 42

    async with jobs.work():
        run = await answer.enqueue()
        assert await run.result("10s") == 42
        assert await run.result("10s") == 42  # Nobody tells it again, and the poll comes later.
        assert await answer.attach(run.id).result("10s") == 42


async def test_each_end_of_a_run_has_its_exception(jobs: App) -> None:
    @jobs.task(retry=1)
    async def fail() -> None:
        raise LookupError("nothing there")

    @jobs.task
    async def never(number: int) -> None: ...

    async with jobs:
        cancelled = await never.options(delay="1h").enqueue(1)
        assert await cancelled.cancel("not needed") == "cancelled"
        assert await cancelled.cancel() == "ended"
        with pytest.raises(RunCancelled, match="not needed") as told:
            await cancelled.result("10s")
        assert (told.value.run_id, told.value.task, told.value.state, told.value.reason) == (
            cancelled.id,
            "never",
            "cancelled",
            "not needed",
        )
        waiting = await never.enqueue(2)
        with pytest.raises(TimeoutError):
            await waiting.result(0.05)
    async with jobs.work():
        expired = await never.options(expires=0).enqueue(3)
        with pytest.raises(RunExpired, match="nobody started it in time"):
            await expired.result("10s")
        failed = await fail.enqueue()
        with pytest.raises(RunFailed, match="nothing there") as why:
            await failed.result("10s")
    assert (why.value.run_id, why.value.task, why.value.attempt, why.value.error_type) == (failed.id, "fail", 1, "LookupError")
    assert (why.value.message, why.value.state) == ("nothing there", "failed")
    assert why.value.is_a(LookupError)
    assert why.value.is_a(Exception)
    assert not why.value.is_a(KeyError)
    assert "raise LookupError" in why.value.traceback
