"""Opening and closing an app, from one task or several, and a node in this process."""

from typing import Any

import anyio
import asyncpg
import pytest
from howdah import App, AppNotOpen, ConfigurationError, HowdahError, Run, SchemaMismatch
from howdah.errors import DatabaseAway

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


async def connections(db: Session, at_most: int) -> int:
    """How many others there are, once those that were closed have gone."""
    count = 0
    for _ in range(500):
        count = await db.fetchval("select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
        if count <= at_most:
            break
        await anyio.sleep(0.01)
    return count


async def test_blocks_of_several_tasks_share_the_app_and_leave_in_any_order(jobs: App) -> None:
    @jobs.task
    async def one() -> int:
        return 1

    inside, left = anyio.Event(), anyio.Event()

    async def first() -> None:
        async with jobs.work():
            assert await (await one.enqueue()).result("10s") == 1
            inside.set()
        left.set()

    async def second() -> None:
        async with jobs:
            await inside.wait()
            await left.wait()
            run = await one.enqueue()
            with pytest.raises(TimeoutError):
                await run.result("50ms")
            async with jobs.work():
                assert await run.result("10s") == 1

    async with anyio.create_task_group() as group:
        group.start_soon(first)
        group.start_soon(second)


async def test_tasks_that_open_at_the_same_moment_all_get_an_open_app(jobs: App) -> None:
    @jobs.task
    async def one() -> int:
        return 1

    async def use() -> None:
        async with jobs:
            await one.enqueue()

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(use)


async def test_an_app_may_be_nested_and_opened_again(jobs: App) -> None:
    @jobs.task
    async def one() -> int:
        return 1

    for _ in range(2):
        async with jobs, jobs:
            async with jobs:
                run = await one.enqueue()
            async with jobs.work():
                assert await run.result("10s") == 1
        with pytest.raises(AppNotOpen):
            await one.enqueue()


async def test_who_awaits_a_result_while_the_app_closes_is_told(jobs: App) -> None:
    @jobs.task
    async def one() -> int:
        return 1

    async def wait(run_id: int) -> None:
        with pytest.raises(AppNotOpen, match="closed while this result was awaited"):
            await one.attach(run_id).result()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group, jobs:
            run = await one.enqueue()
            group.start_soon(wait, run.id)
            with pytest.raises(TimeoutError):
                await run.result("50ms")


async def test_an_app_that_cannot_open_can_be_opened_later(jobs: App, db: Session) -> None:
    @jobs.task
    async def one() -> int:
        return 1

    await db.execute("alter table howdah.migration rename to hidden")
    for _ in range(2):
        with pytest.raises(SchemaMismatch, match="run `howdah migrate`"):
            async with jobs:
                raise AssertionError("it is open")
    await db.execute("alter table howdah.hidden rename to migration")
    async with jobs:
        await one.enqueue()
    with pytest.raises(DatabaseAway):
        await App("postgresql://127.0.0.1:1/x").__aenter__()


async def test_an_error_of_the_block_comes_out_as_it_is_and_the_node_has_drained(jobs: App) -> None:
    ended = False
    runs: list[Run[None]] = []

    @jobs.task
    async def one() -> None:
        nonlocal ended
        await anyio.sleep(0.01)
        ended = True

    with pytest.raises(ZeroDivisionError):
        async with jobs.work() as node:
            runs.append(await one.enqueue())
            while not node.running:
                await anyio.sleep(0)
            raise ZeroDivisionError
    assert ended
    async with jobs:
        assert await runs[0].status() == "succeeded"


async def test_a_node_drains_when_its_stop_is_set_though_the_block_goes_on(jobs: App, db: Session) -> None:
    @jobs.task
    async def one() -> int:
        return 1

    stop = anyio.Event()
    async with jobs.work(stop=stop) as node:
        assert await (await one.enqueue()).result("10s") == 1
        stop.set()
        with anyio.fail_after(10):
            await node.stopped.wait()
        assert await db.fetchval("select count(*) from howdah.node") == 0


async def test_a_node_that_postgres_does_not_let_in_gives_up_when_its_stop_is_set(dsn: str) -> None:
    jobs = App(dsn, direct_dsn="postgresql://127.0.0.1:1/none", pooler=False)

    @jobs.task
    async def one() -> None:
        pass

    stop = anyio.Event()

    async def set_when_it_waits() -> None:
        await anyio.wait_all_tasks_blocked()
        stop.set()

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(set_when_it_waits)
            async with jobs.work(stop=stop) as node:
                assert not node.started
                assert node.stopped.is_set()


async def test_two_nodes_share_a_process_and_its_connections_are_as_many_as_promised(dsn: str, db: Session) -> None:
    jobs = App(dsn, pool_size=3, grace_s=2, hard_grace_s=2)

    @jobs.task
    async def one() -> int:
        return 1

    async with jobs.work():
        for run in await one.enqueue_many(one.call() for _ in range(100)):
            assert await run.result("10s") == 1
        assert await connections(db, 9) <= 9
        async with jobs.work():
            assert await db.fetchval("select count(*) from howdah.node") == 2
            for run in await one.enqueue_many(one.call() for _ in range(100)):
                assert await run.result("10s") == 1
    assert await connections(db, 0) == 0
    assert await db.fetchval("select count(*) from howdah.node") == 0


async def test_what_makes_no_sense_is_refused_before_anything_starts(jobs: App) -> None:
    with pytest.raises(ConfigurationError, match="no tasks"):
        async with jobs.work():
            pass

    @jobs.task
    async def one() -> float:
        return float("nan")

    with pytest.raises(ConfigurationError, match=r"queues=\['mail'\]"):
        async with jobs.work(queues="mail"):
            pass
    async with jobs.work():
        odd: Any
        for odd in (2**70, 0, -1, "7"):
            with pytest.raises(HowdahError, match="is not the id of a run"):
                one.attach(odd)
        with pytest.raises(HowdahError, match="json has no NaN"):
            await (await one.enqueue()).result("10s")
        with pytest.raises(HowdahError, match="there is no run 12"):
            await one.attach(12).result("10s")
