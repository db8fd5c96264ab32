"""What a function can do with its own run: look at it, and end it in a transaction of its own."""

import logging
import threading
from collections.abc import AsyncGenerator
from contextvars import ContextVar

import anyio
import asyncpg
import pytest
from howdah import App, DatabaseAway, HowdahError, Retry, RunCancelled, RunFailed, current_run, transaction

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


@pytest.fixture
async def effects(db: Session) -> Session:
    await db.execute("create table effect (run bigint, attempt int)")
    return db


async def effects_of(effects: Session) -> list[tuple[int, int]]:
    return [tuple(row) for row in await effects.fetch("select run, attempt from effect order by 1, 2")]


INSERT = "insert into effect values ($1, $2)"


async def test_a_run_ends_in_the_transaction_of_its_function_with_the_result_set_there(jobs: App, effects: Session) -> None:
    ended: list[str] = []

    @jobs.task(retry=1)
    async def store() -> dict[str, int]:
        run = current_run()
        async with transaction() as conn:
            await conn.execute(INSERT, run.id, run.attempt)
            assert await effects.fetchval("select howdah.state($1)", run.id) == "running"
            run.set_result({"stored": 1})
        ended.append(await effects.fetchval("select howdah.state($1)", run.id))
        return {"stored": 1}

    async with jobs.work():
        run = await store.enqueue()
        assert await run.result("10s") == {"stored": 1}
    assert ended == ["succeeded"]
    assert await effects_of(effects) == [(run.id, 1)]


async def test_an_exception_in_the_block_rolls_back_and_the_run_is_tried_again(jobs: App, effects: Session) -> None:
    @jobs.task(retry=Retry(3, base="1ms"))
    async def store() -> None:
        run = current_run()
        async with transaction() as conn:
            await conn.execute(INSERT, run.id, run.attempt)
            if run.attempt == 1:
                raise ValueError
            if run.attempt == 2:
                await conn.execute("select 1 / 0")

    async with jobs.work():
        run = await store.enqueue()
        assert await run.result("10s") is None
    assert await effects_of(effects) == [(run.id, 3)]


async def test_an_exception_after_the_block_is_too_late_and_is_logged(
    jobs: App, effects: Session, caplog: pytest.LogCaptureFixture
) -> None:
    @jobs.task
    async def store() -> None:
        async with transaction() as conn:
            await conn.execute(INSERT, current_run().id, current_run().attempt)
        raise ValueError("after the end")

    with caplog.at_level(logging.WARNING, "howdah"):
        async with jobs.work():
            run = await store.enqueue()
            assert await run.result("10s") is None
    assert "raised after transaction() had ended it" in caplog.text
    assert await effects_of(effects) == [(run.id, 1)]


async def test_a_run_cancelled_inside_of_the_block_leaves_nothing(jobs: App, effects: Session) -> None:
    inside = anyio.Event()

    @jobs.task
    async def store() -> None:
        async with transaction() as conn:
            await conn.execute(INSERT, current_run().id, current_run().attempt)
            inside.set()
            await anyio.sleep_forever()

    async with jobs.work():
        run = await store.enqueue()
        await inside.wait()
        assert await run.cancel("not wanted") == "requested"
        with pytest.raises(RunCancelled):
            await run.result("10s")
    assert await effects_of(effects) == []


async def test_a_second_transaction_is_refused_while_one_is_open_and_after_it_has_ended_the_run(jobs: App) -> None:
    texts: list[str] = []

    @jobs.task(retry=1)
    async def greedy() -> None:
        async with transaction():
            with pytest.raises(HowdahError) as caught:
                transaction()
            texts.append(str(caught.value))
        with pytest.raises(HowdahError) as caught:
            transaction()
        texts.append(str(caught.value))

    @jobs.task(retry=1)
    async def second_try() -> int:
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                raise ZeroDivisionError
        async with transaction() as conn:
            current_run().set_result(await conn.fetchval("select 5"))
        return 5

    async with jobs.work():
        await (await greedy.enqueue()).result("10s")
        assert await (await second_try.enqueue()).result("10s") == 5
    assert "is open already" in texts[0]
    assert "has been completed by an earlier transaction()" in texts[1]


async def test_a_plain_function_is_told_what_to_do_instead(jobs: App) -> None:
    @jobs.task(retry=1)
    def plain() -> str:
        assert current_run().task == "plain"
        assert threading.current_thread() is not threading.main_thread()
        transaction()
        return "not reached"

    async with jobs.work():
        with pytest.raises(RunFailed, match="make the function `async def`") as caught:
            await (await plain.enqueue()).result("10s")
        assert caught.value.is_a(HowdahError)


async def test_enqueueing_in_every_connection_of_the_pool_needs_no_further_one(dsn: str) -> None:
    jobs = App(dsn, pool_size=2, connect_timeout_s=2, grace_s=2, hard_grace_s=2)
    all_in = anyio.Event()
    inside: list[int] = []

    @jobs.task
    async def after(number: int) -> int:
        return number

    @jobs.task(retry=1)
    async def before(number: int) -> None:
        async with transaction() as conn:
            inside.append(number)
            if len(inside) == 2:
                all_in.set()
            await all_in.wait()
            await after.options(conn=conn).enqueue(number)

    async with jobs.work():
        runs = await before.enqueue_many(before.call(number) for number in range(2))
        for run in runs:
            await run.result("10s")


async def test_a_transaction_that_sits_idle_for_a_lease_is_ended_and_the_run_is_tried_again(dsn: str, db: Session) -> None:
    jobs = App(dsn, lease_s=60, grace_s=2, hard_grace_s=2)
    attempts: list[int] = []
    told: list[Exception] = []

    @jobs.task(retry=Retry(2, base="1ms"))
    async def idle() -> None:
        attempts.append(current_run().attempt)
        try:
            async with transaction() as conn:
                assert await conn.fetchval("show idle_in_transaction_session_timeout") == "1min"
                if len(attempts) == 1:
                    # Postgres ends the session, as it would after the lease.
                    backend = await conn.fetchval("select pg_backend_pid()")
                    await conn.execute("set local idle_in_transaction_session_timeout = '1ms'")
                    while await db.fetchval("select exists (select from pg_stat_activity where pid = $1)", backend):
                        await anyio.sleep(0.005)
        except Exception as error:
            told.append(error)
            raise

    async with jobs.work():
        await (await idle.enqueue()).result("10s")
    assert attempts == [1, 2]
    assert [type(error) for error in told] == [DatabaseAway]
    assert "it sat idle for a lease (60 s)" in str(told[0])


async def test_current_run_says_so_outside_of_a_run() -> None:
    for call in (current_run, transaction):
        with pytest.raises(HowdahError, match="outside of a run"):
            call()


async def test_what_surrounds_an_attempt_puts_into_its_context_a_thread_sees(jobs: App) -> None:
    tenant: ContextVar[str] = ContextVar("tenant", default="nobody")

    @jobs.middleware
    async def of_tenant() -> AsyncGenerator[None, None]:
        token = tenant.set("seven")
        yield
        tenant.reset(token)

    @jobs.task
    def whose() -> str:
        return tenant.get()

    async with jobs.work():
        assert await (await whose.enqueue()).result("10s") == "seven"
