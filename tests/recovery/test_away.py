"""Postgres is away: who enqueues hears so in time, and nothing is kept in memory to be enqueued when it is back (CONTRACT 6.3)."""

import signal
from collections.abc import Sequence

import anyio
import asyncpg
import pytest
from howdah import App, DatabaseAway, Run, Task
from howdah.submission import Request, Submitted

from .nodes import PATIENCE_S, Server, Session, forgiven
from .proxy import Proxy

pytestmark = pytest.mark.anyio

CONNECT_S = 0.5
COMMAND_S = 0.5
CALLERS = 200


def app(dsn: str) -> tuple[App, Task[[int], None]]:
    """An app of short patience, that only enqueues."""
    jobs = App(dsn, connect_timeout_s=CONNECT_S, command_timeout_s=COMMAND_S)

    @jobs.task
    async def work(number: int) -> None: ...

    return jobs, work


class Callers:
    """Enqueues by many at once: what each was told, and how many statements were begun meanwhile, at most.

    Its own, where it comes during another one whose end it waits for, and one that has begun before it hears. Each statement has the
    time that the app has for it."""

    def __init__(self, jobs: App, work: Task[[int], None]) -> None:
        self._work = work
        self.made: list[int] = []
        self.refused = 0
        self.most = self._begun = 0
        submit = jobs.client.combiner._submit

        async def counted(requests: Sequence[Request]) -> list[Submitted]:
            self._begun += 1
            return await submit(requests)

        jobs.client.combiner._submit = counted

    async def call(self, number: int) -> None:
        before = self._begun
        try:
            run: Run[None] = await self._work.enqueue(number)
            self.made.append(run.id)
        except DatabaseAway:
            self.refused += 1
        self.most = max(self.most, self._begun - before)

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
        away = Callers(jobs, work)
        try:
            with anyio.fail_after(PATIENCE_S):
                for _ in range(3):
                    await away.all_call()
                with pytest.raises(DatabaseAway):
                    await work.enqueue_many(work.call(number) for number in range(10))
            assert (away.refused, away.made) == (3 * CALLERS, [])
            assert away.most <= 2
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
        callers = Callers(jobs, work)
        async with anyio.create_task_group() as group:
            group.start_soon(callers.all_call, 0.002)
            while len(callers.made) < CALLERS // 10:
                await anyio.sleep(0.001)
            await own_server.stop(how)
        await own_server.start()
        assert len(callers.made) + callers.refused == CALLERS
        assert callers.refused > 0
        assert callers.most <= 2
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
        away = Callers(jobs, work)
        try:
            with anyio.fail_after(PATIENCE_S):  # Without a time of their own they would wait for longer.
                await away.all_call(0.01)
            assert (away.refused, away.made) == (CALLERS, [])
            assert away.most <= 2
            assert kept(jobs) == 0
        finally:
            proxy.thaw()
        proxy.cut()
        with anyio.fail_after(PATIENCE_S):
            await work.enqueue(1)
