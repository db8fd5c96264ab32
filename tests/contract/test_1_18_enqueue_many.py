"""CONTRACT 1.18: many calls in one transaction, and runs that are unique. The size and the memory are tests/test_client.py's."""

from collections.abc import AsyncIterator

import anyio
import asyncpg
import psycopg
import pytest
from howdah import App, Call, ConfigurationError

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


async def test_any_iterable_or_async_iterable_of_calls_is_one_transaction_and_returns_runs_in_order(dsn: str, db: Session) -> None:
    jobs = App(dsn, enqueue_chunk=3)

    @jobs.task
    async def echo(number: int) -> int:
        return number

    async def later() -> AsyncIterator[Call]:
        for number in range(10):
            await anyio.sleep(0)
            yield echo.call(number)

    async with jobs:
        for calls in ((echo.call(number) for number in range(10)), later()):
            runs = await echo.enqueue_many(calls)
            rows = await db.fetch(
                "select id, (args->>'number')::int, xmin::text from howdah.run where id = any($1) order by id", [run.id for run in runs]
            )
            assert [(row[0], row[1]) for row in rows] == [(run.id, number) for number, run in enumerate(runs)]
            assert len({row[2] for row in rows}) == 1
            assert all(run.created for run in runs)


async def test_unique_true_means_task_and_canonical_arguments(jobs: App) -> None:
    @jobs.task
    async def index(path: str, depth: dict[str, int]) -> str:
        return path

    @jobs.task
    async def other(path: str, depth: dict[str, int]) -> str:
        return path

    async with jobs:
        once = index.options(unique=True)
        first = await once.enqueue("a", {"x": 1, "y": 2})
        again = await once.enqueue(depth={"y": 2, "x": 1}, path="a")
        third = await once.enqueue("b", {"x": 1, "y": 2})
        assert [first.created, again.created, third.created] == [True, False, True]
        assert again.id == first.id != third.id
        assert (await other.options(unique=True).enqueue("a", {"x": 1, "y": 2})).created
        assert (await index.enqueue("a", {"x": 1, "y": 2})).created, "who does not ask for it is not held to it"


async def test_a_key_is_free_again_when_its_run_has_ended_or_its_time_is_over(jobs: App, db: Session) -> None:
    @jobs.task
    async def one() -> int:
        return 1

    async with jobs.work():
        first = await one.options(unique="k").enqueue()
        await first.result("10s")
        second = await one.options(unique="k").enqueue()
        assert second.created
        assert second.id != first.id
        held = one.options(unique="h", unique_for="1h")
        third = await held.enqueue()
        await third.result("10s")
        assert (await held.enqueue()).id == third.id
        await db.execute("update howdah.held_key set until = howdah.clock() where run = $1", third.id)
        assert (await held.enqueue()).created


async def test_run_created_says_for_each_of_many_whether_this_call_made_it(dsn: str, jobs: App) -> None:
    @jobs.task
    async def echo(number: int) -> int:
        return number

    async with jobs, await psycopg.AsyncConnection.connect(dsn) as conn:
        before = await echo.options(unique=True).enqueue(2)
        for said in (echo.options(unique=True), echo.options(unique=True, conn=conn)):
            async with conn.transaction():
                runs = await said.enqueue_many(echo.call(number) for number in (1, 2, 1, 3))
            assert runs[1].id == before.id
            assert runs[2].id == runs[0].id
            made = [run.created for run in runs]
            assert made == ([True, False, False, True] if "conn" not in said._given else [False] * 4)
        assert not echo.attach(before.id).created
        async with jobs.work():
            assert [await run.result("10s") for run in runs] == [1, 2, 1, 3]


async def test_many_at_once_under_one_key_make_one_run(jobs: App, db: Session) -> None:
    @jobs.task
    async def one() -> int:
        return 1

    created: list[bool] = []

    async def enqueue() -> None:
        created.append((await one.options(unique="k").enqueue()).created)

    async with jobs:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(enqueue)
        assert sorted(created) == [False] * 19 + [True]
        assert await db.fetchval("select count(*) from howdah.run") == 1


async def test_a_key_that_a_users_open_transaction_holds_keeps_no_other_enqueue_waiting(jobs: App, db: Session) -> None:
    """Unique enqueues never share a statement."""

    @jobs.task
    async def one(number: int) -> int:
        return number

    async with jobs:
        await one.enqueue(0)
        block = db.transaction()
        await block.start()
        holder = await one.options(unique="k", conn=db).enqueue(1)
        found: list[int] = []

        async def wait() -> None:
            found.append((await one.options(unique="k").enqueue(2)).id)

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            with anyio.fail_after(20):
                for number in range(10):
                    await one.enqueue(number)
            assert found == []
            await block.commit()
        assert found == [holder.id]


async def test_keys_that_cannot_work_are_refused(jobs: App) -> None:
    @jobs.task
    async def one() -> int:
        return 1

    for key in ("", "x" * 501, "a\0"):
        with pytest.raises(ConfigurationError, match="cannot be a key"):
            one.options(unique=key)
    with pytest.raises(ConfigurationError, match="say which, with unique=True"):
        one.options(unique_for="1h")
    with pytest.raises(ConfigurationError, match="unique_for=0"):
        one.options(unique=True, unique_for=0)


async def test_unique_arguments_are_the_same_whatever_their_spelling(jobs: App) -> None:
    @jobs.task
    async def weigh(kg: float, tags: set[str]) -> None: ...

    once = weigh.options(unique=True)
    tags = [f"tag{number}" for number in range(8)]
    async with jobs:
        first = await once.enqueue(1, set(tags))
        assert (await once.enqueue(1.0, set(tags))).id == first.id
        assert [run.id for run in await once.enqueue_many([weigh.call(1.0, set(tags))])] == [first.id]
        assert (await once.enqueue(1.5, set(tags))).created
    canonical = weigh.definition.canonical('{"kg":1,"tags":["b","a"]}')
    assert canonical == weigh.definition.canonical('{"tags":["a","b"],"kg":1.0}')
