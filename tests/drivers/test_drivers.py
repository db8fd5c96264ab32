"""conn= of every library: the run appears when the user's transaction commits, and never after its rollback."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager

import anyio
import anyio.to_thread
import asyncpg
import psycopg
import pytest
import sqlalchemy as sa
from howdah import App, ArgumentsInvalid, Call, ConfigurationError, Task
from howdah.embedded import Embedded
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from .places import ASYNC, SYNC, Place, SyncPlace, configure_django, django_connection, psycopg_sync, sqlalchemy_session

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection
Open = Callable[[str], AbstractAsyncContextManager[Place]]
OpenSync = Callable[[str], AbstractContextManager[SyncPlace]]


class Abandon(Exception):
    """Leaves a block of a user so that it rolls back."""


@pytest.fixture
def echo(jobs: App) -> Task[[int], int]:
    @jobs.task(queue="mail", priority=4)
    async def echo(number: int) -> int:
        return number

    return echo


async def numbers(db: Session) -> list[int]:
    """The arguments of all runs that are committed, with the queue that their task names."""
    rows = await db.fetch(
        """select (r.args->>'number')::int from howdah.run r join howdah.queue q on q.id = r.queue
           where q.name = 'mail' and r.priority = -4 order by r.id"""
    )
    assert len(rows) == await db.fetchval("select count(*) from howdah.run")
    return [row[0] for row in rows]


@pytest.mark.parametrize("opened", [False, True], ids=["closed", "open"])
@pytest.mark.parametrize("place", ASYNC)
async def test_a_commit_makes_the_run_appear_and_a_rollback_makes_it_vanish(
    jobs: App, echo: Task[[int], int], dsn: str, db: Session, place: Open, opened: bool
) -> None:
    async def story() -> None:
        async with place(dsn) as at:
            on = echo.options(conn=at.conn, tags=["a", "ü"], metadata={"k": "v"})
            with pytest.raises(Abandon):
                async with at.begin():
                    await on.enqueue(1)
                    raise Abandon
            async with at.begin():
                run = await on.enqueue(2)
                assert await numbers(db) == []
            assert await numbers(db) == [2]
            assert await db.fetchval("select id from howdah.run") == run.id
            assert await db.fetchval("select tags from howdah.run") == ["a", "ü"]
            async with at.begin():
                await on.enqueue(3)
                with pytest.raises(Abandon):
                    async with at.savepoint():
                        await on.enqueue(4)
                        raise Abandon
                async with at.savepoint():
                    await on.enqueue(5)
            assert await numbers(db) == [2, 3, 5]

    if opened:
        async with jobs:
            await story()
    else:
        await story()


@pytest.mark.parametrize("place", ASYNC)
async def test_many_on_a_users_connection_are_part_of_its_transaction(dsn: str, db: Session, place: Open) -> None:
    jobs = App(dsn, enqueue_chunk=3)

    @jobs.task(queue="mail", priority=4)
    async def echo(number: int) -> int:
        return number

    async with place(dsn) as at:
        on = echo.options(conn=at.conn)
        with pytest.raises(Abandon):
            async with at.begin():
                assert len(await on.enqueue_many(echo.call(number) for number in range(8))) == 8
                raise Abandon
        assert await numbers(db) == []
        async with at.begin():
            runs = await on.enqueue_many(echo.call(number) for number in range(8))
        assert [run.id for run in runs] == sorted(run.id for run in runs)
        assert await numbers(db) == list(range(8))


@pytest.mark.parametrize("place", SYNC)
async def test_sync_code_enqueues_in_its_transaction_on_that_connection_alone(
    echo: Task[[int], int], dsn: str, db: Session, place: OpenSync
) -> None:
    def until_two() -> None:
        on = echo.options(conn=at.conn, tags=["a", "ü"], delay="1h")
        with pytest.raises(Abandon), at.begin():
            on.enqueue_sync(1)
            raise Abandon
        with at.begin():
            run = on.enqueue_sync(2)
            assert (run.task, run.id > 0) == ("echo", True)

    def until_five() -> None:
        on = echo.options(conn=at.conn)
        with at.begin():
            on.enqueue_sync(3)
            with pytest.raises(Abandon), at.savepoint():
                on.enqueue_sync(4)
                raise Abandon
            with at.savepoint():
                on.enqueue_sync(5)

    def all_of_it() -> None:
        nonlocal at
        with place(dsn) as at:
            until_two()
            anyio.from_thread.run(assert_numbers, [2])
            until_five()

    async def assert_numbers(expected: list[int]) -> None:
        assert await numbers(db) == expected
        others = "select count(*) from pg_stat_activity where datname = current_database() and application_name like 'howdah%'"
        assert await db.fetchval(others) == 0

    at = SyncPlace(None, lambda: pytest.raises(AssertionError), lambda: pytest.raises(AssertionError))
    await anyio.to_thread.run_sync(all_of_it)
    await assert_numbers([2, 3, 5])


async def test_the_raw_connection_of_sqlalchemy_is_the_trap_that_conn_avoids(echo: Task[[int], int], dsn: str, db: Session) -> None:
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://"))
    async with AsyncSession(engine) as session:
        raw = (await (await session.connection()).get_raw_connection()).driver_connection
        await echo.options(conn=raw).enqueue(1)
        await session.rollback()
        assert await numbers(db) == [1], "a dialect begins at its first statement, and that was none of its own"
        await echo.options(conn=session).enqueue(2)
        await session.rollback()
        assert await numbers(db) == [1]
    await engine.dispose()


async def test_many_on_a_connection_that_commits_each_statement_are_one_transaction_or_refused(dsn: str, db: Session) -> None:
    jobs = App(dsn, enqueue_chunk=3)

    @jobs.task(queue="mail", priority=4)
    async def echo(number: int) -> int:
        return number

    async def calls() -> AsyncIterator[Call]:
        for number in range(8):
            yield echo.call(number)
        raise Abandon

    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
        with pytest.raises(Abandon):
            await echo.options(conn=conn).enqueue_many(calls())
        assert await numbers(db) == []
    bare = await asyncpg.connect(dsn)
    with pytest.raises(Abandon):
        await echo.options(conn=bare).enqueue_many(calls())
    await bare.close()
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as conn:
        with pytest.raises(ConfigurationError, match="commits each statement by itself"):
            await echo.options(conn=conn).enqueue_many(calls())
        await echo.options(conn=conn).enqueue(9)
    await engine.dispose()
    assert await numbers(db) == [9]


@pytest.mark.parametrize("place", ASYNC)
async def test_an_async_connection_is_refused_by_enqueue_sync_which_names_enqueue(echo: Task[[int], int], dsn: str, place: Open) -> None:
    async with place(dsn) as at:

        def try_it() -> None:
            with pytest.raises(ConfigurationError, match=r"needs its event loop: await echo\.enqueue\(\.\.\.\)"):
                echo.options(conn=at.conn).enqueue_sync(1)

        await anyio.to_thread.run_sync(try_it)


@pytest.mark.parametrize("place", SYNC)
async def test_a_sync_connection_is_refused_by_enqueue_which_names_enqueue_sync(echo: Task[[int], int], dsn: str, place: OpenSync) -> None:
    with place(dsn) as at:
        with pytest.raises(ConfigurationError, match=r"would block the event loop: call echo\.enqueue_sync\(\.\.\.\)"):
            await echo.options(conn=at.conn).enqueue(1)
        with pytest.raises(ConfigurationError, match=r"call echo\.enqueue_sync\(\.\.\.\) there, once for each"):
            await echo.options(conn=at.conn).enqueue_many([echo.call(1)])


async def test_what_is_no_connection_is_refused_by_its_name(echo: Task[[int], int], dsn: str) -> None:
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://"))
    pool = asyncpg.create_pool(dsn)
    for thing, name in ((engine, "AsyncEngine"), (engine.sync_engine, "Engine"), (pool, "asyncpg.pool.Pool"), (3, "builtins.int")):
        with pytest.raises(ConfigurationError, match=f"conn= takes a connection .* not .*{name}; with others call"):
            await echo.options(conn=thing).enqueue(1)
    configure_django()
    from django.db import connection  # pyright: ignore[reportMissingTypeStubs]

    with pytest.raises(ConfigurationError, match="'default', which is to sqlite"):
        await echo.options(conn=connection).enqueue(1)


@pytest.mark.parametrize("place", [psycopg_sync, sqlalchemy_session, django_connection])
async def test_refusals_of_postgres_are_explained_through_every_driver(
    echo: Task[[int], int], dsn: str, server: Embedded, place: OpenSync
) -> None:
    def try_both() -> None:
        with place(dsn) as at, pytest.raises(ArgumentsInvalid, match="refused to enqueue 'echo'"), at.begin():
            echo.options(conn=at.conn, tags=["\0"]).enqueue_sync(1)
        with place(server.dsn("postgres")) as at, pytest.raises(ConfigurationError, match="run `howdah migrate`"), at.begin():
            echo.options(conn=at.conn).enqueue_sync(1)

    await anyio.to_thread.run_sync(try_both)


@pytest.mark.parametrize("place", [ASYNC[2], ASYNC[6], ASYNC[7]])
async def test_refusals_of_postgres_are_explained_through_async_drivers(
    echo: Task[[int], int], dsn: str, server: Embedded, place: Open
) -> None:
    async with place(dsn) as at:
        with pytest.raises(ArgumentsInvalid, match="refused to enqueue 'echo'"):
            async with at.begin():
                await echo.options(conn=at.conn, tags=["\0"]).enqueue(1)
    async with place(server.dsn("postgres")) as at:
        with pytest.raises(ConfigurationError, match="run `howdah migrate`"):
            async with at.begin():
                await echo.options(conn=at.conn).enqueue(1)


async def test_no_library_is_imported_for_it() -> None:
    import subprocess
    import sys

    code = "import sys, howdah; sys.exit(any(name in sys.modules for name in ('psycopg', 'sqlalchemy', 'django')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_session_that_has_flushed_rows_of_its_own_commits_them_with_the_run(echo: Task[[int], int], dsn: str, db: Session) -> None:
    await db.execute("create table users (id int primary key)")
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+psycopg://"))
    async with AsyncSession(engine) as session, session.begin():
        await session.execute(sa.text("insert into users values (1)"))
        await echo.options(conn=session).enqueue(1)
    await engine.dispose()
    row = await db.fetchrow("select u.xmin::text, r.xmin::text from users u, howdah.run r")
    assert row is not None
    assert row[0] == row[1]
