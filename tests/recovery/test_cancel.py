"""A cancel reaches the attempt, whether or not its notification does."""

import asyncio
import threading

import anyio.to_thread
import howdah
import pytest
from howdah import App, RunCancelled

from .nodes import Session, happens, until

pytestmark = pytest.mark.anyio


async def test_cancelling_a_running_function_interrupts_it_once(jobs: App, effects: Session) -> None:
    began = asyncio.Event()
    heard: list[str] = []

    @jobs.task
    async def work() -> None:
        try:
            began.set()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            heard.append("cancelled")
            await asyncio.sleep(0.3)
            heard.append("cleaned up")
            raise

    async with jobs.work():
        run = await work.enqueue()
        await began.wait()
        assert await run.cancel("enough") == "requested"
        await happens(lambda: heard)
        assert await run.cancel("again") == "requested"
        with pytest.raises(RunCancelled):
            await run.result("10s")
    assert heard == ["cancelled", "cleaned up"]
    assert await effects.fetchval("select howdah.state($1)", run.id) == "cancelled"


async def test_cancelling_a_function_in_a_thread_sets_its_flag(jobs: App) -> None:
    began, saw = threading.Event(), threading.Event()

    @jobs.task
    def work() -> None:
        began.set()
        rest = threading.Event()
        while not howdah.current_run().cancelled:
            rest.wait(0.01)
        saw.set()

    async with jobs.work():
        run = await work.enqueue()
        assert await anyio.to_thread.run_sync(began.wait, 10)
        assert await run.cancel() == "requested"
        with pytest.raises(RunCancelled):
            await run.result("10s")
    assert saw.is_set()


async def test_a_cancel_whose_notification_was_lost_is_found_by_the_poll(dsn: str, effects: Session) -> None:
    jobs = App(dsn, idle_look_s=0.3)
    began = asyncio.Event()

    @jobs.task
    async def work() -> None:
        began.set()
        await asyncio.sleep(60)

    async with jobs.work():
        run = await work.enqueue()
        await began.wait()
        await effects.execute("insert into howdah.event (run, task, kind) select id, task, 16 from howdah.job where id = $1", run.id)
        await until(effects, "select howdah.state($1) = 'cancelled'", run.id)


async def test_a_cancel_that_was_told_while_nobody_listened_is_found_when_the_node_listens_again(dsn: str, effects: Session) -> None:
    jobs = App(dsn, idle_look_s=60, grace_s=2, hard_grace_s=2)
    began = asyncio.Event()

    @jobs.task
    async def work() -> None:
        began.set()
        await asyncio.sleep(60)

    async with jobs.work():
        run = await work.enqueue()
        await began.wait()
        # As by a cancel whose notification was sent into a connection that had been lost.
        await effects.execute("update howdah.job set flags = flags | 1 where id = $1", run.id)
        listening = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'howdah listen%'"
        assert await effects.fetch(listening)
        with pytest.raises(RunCancelled):
            await run.result("10s")
