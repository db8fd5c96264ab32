"""Postgres is away: who enqueues hears so in time, and nothing is kept in memory to be enqueued when it is back (CONTRACT 6.3)."""

import signal
import time

import anyio
import asyncpg
import pytest
from howdah import App, DatabaseAway, Run, Task

from .nodes import Server, Session, forgiven
from .proxy import Proxy

pytestmark = pytest.mark.anyio

CONNECT_S = 0.5
COMMAND_S = 0.5
OWN_S = CONNECT_S + COMMAND_S
"""The time that a call has for itself: a connection, and an answer."""
LATE_S = 1.0
"""For a busy machine."""
CALLERS = 200


def app(dsn: str) -> tuple[App, Task[[int], None]]:
    """An app of short patience, that only enqueues."""
    jobs = App(dsn, connect_timeout_s=CONNECT_S, command_timeout_s=COMMAND_S)

    @jobs.task
    async def work(number: int) -> None: ...

    return jobs, work


class Callers:
    """Enqueues by many at once: what each was told, and how long the slowest waited."""

    def __init__(self, work: Task[[int], None]) -> None:
        self._work = work
        self.made: list[int] = []
        self.refused = 0
        self.slowest_s = 0.0

    async def call(self, number: int) -> None:
        began = time.monotonic()
        try:
            run: Run[None] = await self._work.enqueue(number)
            self.made.append(run.id)
        except DatabaseAway:
            self.refused += 1
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    async def all_call(self, pause_s: float = 0.0) -> None:
        async with anyio.create_task_group() as group:
            for number in range(CALLERS):
                group.start_soon(self.call, number)
                await anyio.sleep(pause_s)


def kept(jobs: App) -> int:
    """How many enqueues wait in memory."""
    return len(jobs.client.combiner._waiting)


async def numbers(db: Session) -> list[int]:
    return [row[0] for row in await db.fetch("select id from howdah.run order by id")]


async def test_enqueue_says_that_postgres_is_away_and_keeps_nothing_for_later(own_server: Server, own_dsn: str) -> None:
    jobs, work = app(own_dsn)
    async with forgiven(), jobs:
        before = await work.enqueue(0)
        await own_server.stop(signal.SIGINT)
        away = Callers(work)
        try:
            for _ in range(3):
                await away.all_call()
            with pytest.raises(DatabaseAway):
                await work.enqueue_many(work.call(number) for number in range(10))
            assert (away.refused, away.made) == (3 * CALLERS, [])
            assert away.slowest_s < OWN_S + LATE_S
            assert kept(jobs) == 0
        finally:
            await own_server.start()
        after = await work.enqueue(1)
        db = await asyncpg.connect(own_dsn)
        assert await numbers(db) == [before.id, after.id]
        db.terminate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
async def test_what_was_answered_when_postgres_went_away_is_there_and_the_others_know_that_they_do_not_know(
    own_server: Server, own_dsn: str, how: signal.Signals
) -> None:
    jobs, work = app(own_dsn)
    async with forgiven(), jobs:
        callers = Callers(work)
        async with anyio.create_task_group() as group:
            group.start_soon(callers.all_call, 0.002)
            while len(callers.made) < CALLERS // 10:
                await anyio.sleep(0.001)
            await own_server.stop(how)
        await own_server.start()
        assert len(callers.made) + callers.refused == CALLERS
        assert callers.refused > 0
        # One that came during a statement waits for its end, and then has its own time.
        assert callers.slowest_s < 2 * OWN_S + LATE_S
        assert kept(jobs) == 0
        db = await asyncpg.connect(own_dsn)
        there = await numbers(db)
        assert set(callers.made) <= set(there)
        assert len(there) <= CALLERS
        await work.enqueue(0)  # Whatever was kept would go with it.
        assert len(await numbers(db)) == len(there) + 1
        db.terminate()


async def test_enqueue_does_not_wait_for_a_server_that_does_not_answer(proxy: Proxy, effects: Session) -> None:
    """Half open: the connection stands, and nothing comes back."""
    jobs, work = app(proxy.dsn)
    async with forgiven(), jobs:
        await work.enqueue(0)
        proxy.freeze()
        away = Callers(work)
        try:
            with anyio.fail_after(30):
                await away.all_call(0.01)
            assert (away.refused, away.made) == (CALLERS, [])
            assert away.slowest_s < 2 * OWN_S + LATE_S
            assert kept(jobs) == 0
        finally:
            proxy.thaw()
        proxy.cut()
        with anyio.fail_after(10):
            await work.enqueue(1)
