"""CONTRACT 3.2, sequences: the order of a key holds whatever its runs demand besides, and through refusals and retries; and a run that
keeps what it holds until its end may be ended and begun again."""

import anyio
import asyncpg
import pytest
from howdah import App, Limit, Retry, Sequence, Snooze

from .test_3_02_limits import Stage

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def counts(db: Session, what: str, number: int) -> None:
    with anyio.fail_after(20):
        while await db.fetchval(f"select count(*) from howdah.{what}") != number:
            await anyio.sleep(0.01)


async def test_a_later_run_does_not_overtake_one_that_waits_for_another_limit(jobs: App, stage: Stage, db: Session) -> None:
    @jobs.task(limits=[Limit("per-user", 1, key="user")])
    async def other(user: str, number: int) -> None:
        await stage.play(user, number)

    @jobs.task(limits=[Sequence(key="order"), Limit("per-user", 1, key="user")])
    async def step(order: int, user: str, number: int) -> None:
        stage.began.append(number)

    async with jobs.work():
        await other.enqueue("ann", 100)
        await stage.until(lambda: stage.began == [100])
        runs = [await step.enqueue(1, "ann", 1), await step.enqueue(1, "bob", 2), await step.enqueue(2, "bob", 3)]
        await runs[2].result(timeout="20s")
        assert stage.began == [100, 3], "another order goes on"
        stage.go(100)
        await runs[1].result(timeout="20s")
    assert stage.began == [100, 3, 1, 2]


async def test_a_later_run_does_not_overtake_one_whose_row_is_locked_for_a_moment(jobs: App, stage: Stage, db: Session) -> None:
    @jobs.task(limits=[Sequence(key="order", name="steps")])
    async def step(order: int, number: int) -> None:
        stage.began.append(number)

    async with jobs.work():
        await (await step.enqueue(9, 0)).result(timeout="20s")
        await jobs.limits.pause("steps", 1)
        runs = await step.enqueue_many(step.call(1, number) for number in (1, 2))
        locks = db.transaction()
        await locks.start()
        await db.fetch("select howdah.cancel(array[$1::bigint], 'x')", runs[0].id)
        await jobs.limits.resume("steps", 1)
        await (await step.enqueue(8, 3)).result(timeout="20s")
        await (await step.enqueue(8, 4)).result(timeout="20s")
        await locks.rollback()
        for run in runs:
            await run.result(timeout="20s")
    assert stage.began == [0, 3, 4, 1, 2]


async def test_a_later_run_goes_on_where_the_first_was_cancelled_while_it_was_about_to_start(jobs: App, stage: Stage, db: Session) -> None:
    @jobs.task(limits=[Sequence(key="order", name="steps")])
    async def step(order: int, number: int) -> None:
        stage.began.append(number)

    async with jobs.work():
        await (await step.enqueue(9, 0)).result(timeout="20s")
        await jobs.limits.pause("steps", 1)
        runs = await step.enqueue_many(step.call(1, number) for number in (1, 2))
        async with db.transaction():
            await db.fetch("select howdah.cancel(array[$1::bigint], 'x')", runs[0].id)
            await jobs.limits.resume("steps", 1)
            await (await step.enqueue(8, 3)).result(timeout="20s")
        await runs[1].result(timeout="20s")
    assert stage.began == [0, 3, 2]


@pytest.mark.parametrize("at_once", [1, 2, 25])
async def test_a_retried_run_goes_before_those_that_its_failure_held_up(jobs: App, stage: Stage, db: Session, at_once: int) -> None:
    broken, keys = True, 50

    @jobs.task(limits=[Sequence(key="order")], retry=Retry(1))
    async def step(order: int, number: int) -> None:
        if number == 1 and broken:
            raise KeyError(number)
        stage.began.append(10 * order + number)

    async with jobs.work():
        runs = await step.enqueue_many(step.call(order, number) for number in (1, 2) for order in range(keys))
        await counts(db, "limit_key where blocked is not null", keys)
        broken = False
        for first in range(0, keys, at_once):
            async with anyio.create_task_group() as group:
                for run in runs[first : min(first + at_once, keys)]:
                    group.start_soon(jobs.runs.retry, [run.id])
        for run in runs:
            await run.result(timeout="20s")
    assert [order for order in range(keys) if stage.began.index(10 * order + 1) > stage.began.index(10 * order + 2)] == []


async def test_a_run_that_is_cancelled_and_retried_at_once_does_not_wait_for_what_it_kept(jobs: App, stage: Stage, db: Session) -> None:
    @jobs.task(limits=[Limit("one", 1, hold="run")])
    async def step(number: int) -> None:
        stage.began.append(number)
        if stage.began == [1]:
            raise Snooze("1h")

    async with jobs.work():
        run = await step.enqueue(1)
        await counts(db, "timer", 1)
        async with db.transaction():
            await db.fetch("select howdah.cancel(array[$1::bigint], 'x')", run.id)
            await db.fetch("select howdah.retry(array[$1::bigint])", run.id)
        await run.result(timeout="20s")
        await (await step.enqueue(2)).result(timeout="20s")
    assert stage.began == [1, 1, 2]
