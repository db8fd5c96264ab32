"""CONTRACT 1.14: a cancel is stored and shown, a deadline can be moved, and a thread ends when it is ready to."""

import threading
from collections.abc import Callable

import anyio
import anyio.to_thread
import asyncpg
import pytest
from howdah import App, HowdahError, RunCancelled, RunFailed, current_run

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


def wait_for_the_cancel() -> None:
    """Without looking at `cancelled` the way a function of a user would: that has consequences."""
    run, rest = current_run(), threading.Event()
    while run.cause is None:
        rest.wait(0.005)


def heed_and_return() -> str:
    wait_for_the_cancel()
    assert current_run().cancelled
    return "stopped half-way"


def heed_and_raise() -> str:
    wait_for_the_cancel()
    if current_run().cancelled:
        raise InterruptedError("as asked")
    return "never"


def not_look() -> str:
    wait_for_the_cancel()
    return "done all the same"


@pytest.mark.parametrize("function", [heed_and_return, heed_and_raise, not_look])
async def test_a_cancelled_run_in_a_thread_ends_as_cancelled_however_its_function_ends(
    jobs: App, function: Callable[[], str], db: Session
) -> None:
    work = jobs.task(retry=5)(function)
    async with jobs.work() as node:
        run = await work.enqueue()
        while not node.running:
            await anyio.sleep(0.005)
        assert await run.cancel("typo") == "requested"
        with pytest.raises(RunCancelled) as caught:
            await run.result("10s")
    assert await db.fetchval("select data ->> 'reason' from howdah.event where kind = 16") == "typo"
    assert caught.value.reason == "typo"


async def test_the_slot_of_a_thread_stays_taken_until_its_function_returns(dsn: str) -> None:
    jobs = App(dsn, threads=1, grace_s=2, hard_grace_s=2)
    gate, begun, told = threading.Event(), threading.Event(), list[str]()

    @jobs.task
    def stubborn() -> None:
        begun.set()
        gate.wait(30)
        told.append("stubborn ended")

    @jobs.task
    def after() -> None:
        told.append("after began")

    async with jobs.work() as node:
        run = await stubborn.enqueue()
        assert await anyio.to_thread.run_sync(begun.wait, 30)
        second = await after.enqueue()
        assert await run.cancel() == "requested"
        while node.running[0].cause is None:
            await anyio.sleep(0.005)
        assert await run.status() == "running"
        assert await second.status() in ("queued", "running")
        assert told == []
        gate.set()
        await second.result("10s")
        with pytest.raises(RunCancelled):
            await run.result("10s")
    assert told == ["stubborn ended", "after began"]


async def test_a_function_in_a_thread_that_heeds_the_shutdown_is_handed_back_and_one_that_does_not_has_succeeded(dsn: str) -> None:
    for function, state in ((heed_and_return, "queued"), (heed_and_raise, "queued"), (not_look, "succeeded")):
        jobs = App(dsn, grace_s=0.05, hard_grace_s=5)
        work = jobs.task(retry=1)(function)
        async with jobs.work() as node:
            run = await work.enqueue()
            while not node.running:
                await anyio.sleep(0.005)
        async with jobs:
            assert await run.status() == state


async def test_extend_moves_the_deadline_of_async_functions_and_of_threads(jobs: App) -> None:
    @jobs.task(retry=1, timeout="1s")
    async def patient() -> str:
        current_run().extend("1h")
        await anyio.sleep(1.1)  # Time is what this is about.
        return "done"

    @jobs.task(retry=1, timeout="1s")
    def thread() -> bool:
        current_run().extend(timeout=3600)
        threading.Event().wait(1.1)
        return current_run().cancelled

    @jobs.task(retry=1)
    async def shorter() -> None:
        current_run().extend("100ms")
        await anyio.sleep_forever()

    async with jobs.work():
        runs = [await patient.enqueue(), await thread.enqueue()]
        assert [await run.result("10s") for run in runs] == ["done", False]
        with pytest.raises(RunFailed, match=r"longer than its timeout of 0\.1"):
            await (await shorter.enqueue()).result("10s")


async def test_extend_and_progress_are_refused_after_the_end(jobs: App) -> None:
    kept = []

    @jobs.task
    async def work() -> None:
        kept.append(current_run())

    async with jobs.work():
        await (await work.enqueue()).result("10s")
        with pytest.raises(HowdahError, match=r"extend\(\) .* came too late: the attempt has ended"):
            kept[0].extend("1h")
        with pytest.raises(HowdahError, match=r"progress\(\) .* came too late: the attempt has ended"):
            kept[0].progress(1)


async def test_extend_is_refused_when_the_time_is_over(jobs: App) -> None:
    said: list[str] = []

    @jobs.task(retry=1, timeout="100ms")
    async def late() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            try:
                current_run().extend("1h")
            except HowdahError as error:
                said.append(str(error))

    async with jobs.work():
        with pytest.raises(RunFailed, match="longer than its timeout"):
            await (await late.enqueue()).result("10s")
    assert "is over already" in said[0]
