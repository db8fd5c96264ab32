"""A notification between a look and a sleep is not lost: nobody waits for the poll."""

import asyncio

import asyncpg
import pytest
from howdah import App, State

from .nodes import PATIENCE_S, Session, drained, enqueue

pytestmark = pytest.mark.anyio

PAIRS = 5000
ENQUEUE = "select howdah.enqueue('work')"


async def test_of_ten_thousand_runs_enqueued_in_pairs_none_waits_for_the_poll(dsn: str, effects: Session) -> None:
    jobs = App(dsn, idle_look_s=600, busy_look_s=600, second_look_s=600)
    begun = left = 0
    done = asyncio.Event()

    @jobs.task
    async def work() -> None:
        nonlocal begun, left
        begun += 1
        left -= 1
        if not left:
            done.set()

    other = await asyncpg.connect(dsn)
    await effects.execute("set synchronous_commit = off")
    await other.execute("set synchronous_commit = off")
    async with jobs.work(), asyncio.TaskGroup() as group:
        for _ in range(PAIRS):
            done.clear()
            left = 2
            second = group.create_task(other.execute(ENQUEUE))
            await effects.execute(ENQUEUE)
            await second
            async with asyncio.timeout(PATIENCE_S):
                await done.wait()
    await other.close()
    assert begun == 2 * PAIRS


FORGED = ["", "x", "1", "99999999999 1 1 1", "1 1 40000 1", "1 1 0 99999999999999999999", "1 2 3 4 5 6", "nan", "-inf", "1e400", "0 0 0 0"]


async def test_whatever_anybody_sends_on_our_channels_a_node_goes_on(dsn: str, effects: Session) -> None:
    jobs = App(dsn, grace_s=2, hard_grace_s=2)

    @jobs.task
    async def work() -> None: ...

    async with jobs.work() as node:
        for channel in ("howdah_work", "howdah_timer", "howdah_cancel", "howdah_done"):
            for payload in FORGED:
                await effects.execute("select pg_notify($1, $2)", channel, payload)
        waiting = asyncio.ensure_future((await work.enqueue()).result("10s"))
        await waiting
        await enqueue(effects, "work", 100)
        await drained(effects)
        assert not node.stopped.is_set()


async def test_a_forged_cancel_stops_nothing(dsn: str, effects: Session) -> None:
    jobs = App(dsn, grace_s=2, hard_grace_s=2, idle_look_s=60)
    begun, leave = asyncio.Event(), asyncio.Event()

    @jobs.task
    async def work() -> int:
        begun.set()
        await leave.wait()
        return 1

    async with jobs.work() as node:
        run = await work.enqueue()
        await begun.wait()
        (held,) = node.running
        await effects.execute("select pg_notify('howdah_cancel', $1)", f"{held.id} {held.claimed.lease}")
        # Behind it, on the same channel: a real one, of another run, which has arrived when that has ended.
        other = await work.enqueue()
        while len(node.running) < 2:
            await asyncio.sleep(0.005)
        await other.cancel()
        while await other.status() is not State.CANCELLED:
            await asyncio.sleep(0.005)
        assert held.cause is None
        leave.set()
        assert await run.result("10s") == 1
