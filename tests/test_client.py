"""Enqueueing: every option, in the caller's transaction or durably, one run or fifty thousand, from Python or SQL."""

import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import anyio
import asyncpg
import pytest
from howdah import App, ArgumentsInvalid, Call, ConfigurationError, RunExpired, Task, current_run

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


class Connect(Protocol):
    async def __call__(self, **settings: str) -> Session: ...


@pytest.fixture
def echo(jobs: App) -> Task[[int, str], tuple[int, str]]:
    @jobs.task
    async def echo(number: int, text: str = "") -> tuple[int, str]:
        return number, text

    return echo


async def test_each_option_arrives(jobs: App, db: Session) -> None:
    @jobs.task
    async def tell() -> dict[str, object]:
        run = current_run()
        return {"tags": run.tags, "metadata": run.metadata, "attempt": run.attempt, "id": run.id}

    async with jobs.work():
        run = await tell.options(tags=["a", "ü"], metadata={"k": "v"}, queue="elsewhere", priority=3, timeout="5s", retry=2).enqueue()
        assert await run.result("10s") == {"tags": ["a", "ü"], "metadata": {"k": "v"}, "attempt": 1, "id": run.id}
        row = await db.fetchrow(
            "select q.name, r.priority, r.options from howdah.run r join howdah.queue q on q.id = r.queue where r.id = $1", run.id
        )
        assert row[:2] == ("elsewhere", -3)
        assert json.loads(row[2])["timeout"] == 5


async def test_delay_and_at_start_no_sooner_than_they_say(jobs: App) -> None:
    @jobs.task
    async def now() -> float:
        return datetime.now(UTC).timestamp()

    async with jobs.work():
        began = datetime.now(UTC)
        runs = [
            await now.options(delay=0.2).enqueue(),
            await now.options(delay=timedelta(milliseconds=200)).enqueue(),
            await now.options(at=began + timedelta(seconds=0.2)).enqueue(),
        ]
        assert [await run.status() for run in runs] == ["scheduled"] * 3
        for run in runs:
            assert await run.result("10s") - began.timestamp() >= 0.2
        for past in (now.options(delay=0), now.options(at=datetime(2020, 1, 1, tzinfo=UTC))):
            await (await past.enqueue()).result("10s")


async def test_a_run_that_nobody_starts_in_time_expires_soon_after(jobs: App, db: Session) -> None:
    @jobs.task
    async def unserved() -> None: ...

    @jobs.task(queue="served")
    async def served() -> None: ...

    async with jobs.work(queues=["served"]):
        await (await served.enqueue()).result("10s")
        for _ in range(2):  # The first may be met by the upkeep of the start.
            by_python = await unserved.options(expires="100ms").enqueue()
            with pytest.raises(RunExpired, match="nobody started it in time"):
                await by_python.result("3s")
            by_sql = unserved.attach(await db.fetchval("select howdah.enqueue('unserved', expires => interval '100 ms')"))
            with pytest.raises(RunExpired):
                await by_sql.result("3s")
            delayed = await unserved.options(expires="50ms", delay="50ms").enqueue()
            with pytest.raises(RunExpired):
                await delayed.result("3s")


async def test_a_run_on_conn_appears_at_its_commit_and_never_after_a_rollback(jobs: App, echo: Task[..., Any], connect: Connect) -> None:
    for settings in ({}, {"search_path": "nowhere"}, {"default_transaction_isolation": "repeatable read"}):
        conn = await connect(**settings)
        for name in ("json", "jsonb"):
            await conn.set_type_codec(name, encoder=lambda _: "broken", decoder=lambda _: "broken", schema="pg_catalog")
        async with jobs.work():
            transaction = conn.transaction()
            await transaction.start()
            lost = await echo.options(conn=conn, tags=["t"], metadata={"a": "b"}).enqueue(1)
            await transaction.rollback()
            async with conn.transaction():
                kept = await echo.options(conn=conn, tags=["t"]).enqueue(2, "x")
                assert await echo.attach(kept.id).cancel() == "unknown"
            assert await kept.result("10s") == (2, "x")
            with pytest.raises(Exception, match="has not committed or was rolled back"):
                await lost.result("10s")


async def test_conn_takes_the_proxy_of_a_pool_and_works_without_an_open_app(jobs: App, dsn: str, db: Session) -> None:
    @jobs.task(queue="slow")
    async def echo(number: int) -> int:
        return number

    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool, pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await echo.options(conn=conn).enqueue(1)
        await transaction.rollback()
        run = await echo.options(conn=conn).enqueue(2)
    # The rollback took the task out of the catalogue again: its queue must not be forgotten.
    assert await db.fetchval("select q.name from howdah.run r join howdah.queue q on q.id = r.queue where r.id = $1", run.id) == "slow"
    async with jobs.work():
        assert await echo.attach(run.id).result("10s") == 2


async def test_many_calls_come_from_any_iterable_and_runs_keep_their_order(dsn: str, db: Session) -> None:
    jobs = App(dsn, enqueue_chunk=7)

    @jobs.task
    async def echo(number: int) -> int:
        return number

    async def later(count: int) -> AsyncIterator[Call]:
        for number in range(count):
            await anyio.sleep(0)
            yield echo.call(number)

    async with jobs:
        for calls in ([echo.call(n) for n in range(20)], (echo.call(n) for n in range(20)), later(20)):
            runs = await echo.enqueue_many(calls)
            assert [run.id for run in runs] == sorted(run.id for run in runs)
            stored = await db.fetch("select args->>'number' from howdah.run where id = any($1) order by id", [run.id for run in runs])
            assert [int(row[0]) for row in stored] == list(range(20))
        assert await echo.enqueue_many([]) == []


async def test_one_bad_call_of_many_leaves_none_and_the_error_is_the_callers_own(dsn: str, db: Session, connect: Connect) -> None:
    jobs = App(dsn, enqueue_chunk=5)

    @jobs.task
    async def echo(number: int) -> int:
        return number

    @jobs.task
    async def other() -> None: ...

    def calls(error: Exception | None) -> Iterator[Any]:
        for number in range(12):
            yield echo.call(number)
        if error is not None:
            raise error
        yield other.call()

    conn = await connect()
    async with jobs:
        for task in (echo, echo.options(conn=conn)):
            for error in (FileNotFoundError("theirs"), TimeoutError("theirs"), ValueError("theirs")):
                with pytest.raises(type(error), match=r"^theirs$"):
                    await task.enqueue_many(calls(error))
            with pytest.raises(ArgumentsInvalid, match="was given a call of 'other'"):
                await task.enqueue_many(calls(None))
            with pytest.raises(ArgumentsInvalid, match=r"pass calls, as in echo\.call"):
                await task.enqueue_many([(1,)])  # pyright: ignore[reportArgumentType]
            with pytest.raises(ArgumentsInvalid, match="cannot take these arguments"):
                await task.enqueue_many(echo.call("a") for _ in range(1))  # pyright: ignore[reportArgumentType]
        assert await db.fetchval("select count(*) from howdah.run") == 0
        transaction = conn.transaction()
        await transaction.start()
        assert len(await echo.options(conn=conn).enqueue_many(calls_of(echo, 12))) == 12
        await transaction.rollback()
        assert await db.fetchval("select count(*) from howdah.run") == 0


def calls_of(task: Task[..., Any], count: int) -> Iterator[Call]:
    return (task.call(number) for number in range(count))


async def test_fifty_thousand_calls_take_one_transaction_and_little_memory(jobs: App, db: Session) -> None:
    @jobs.task
    async def echo(number: int, text: str = "x" * 200) -> int:
        return number

    async with jobs:
        await echo.enqueue(0)
        tracemalloc.start()
        try:
            runs = await echo.enqueue_many(calls_of(echo, 50_000))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(runs) == 50_000
        assert peak < 25e6, f"{peak / 1e6:.0f} MB for arguments of 12 MB"
        assert await db.fetchval("select count(distinct xmin::text) from howdah.run where id >= $1", runs[0].id) == 1


async def test_large_arguments_are_sent_in_statements_that_postgres_can_take(dsn: str) -> None:
    jobs = App(dsn, enqueue_chunk_characters=1_000_000)

    @jobs.task
    async def echo(text: str) -> int:
        return len(text)

    async with jobs:
        tracemalloc.start()
        try:
            await echo.enqueue_many(echo.call("x" * 500_000) for _ in range(40))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 15e6


async def test_sql_takes_each_named_argument(jobs: App, db: Session) -> None:
    @jobs.task
    async def tell(number: int) -> list[object]:
        return [number, list(current_run().tags), current_run().metadata]

    statement = """select howdah.enqueue('tell', '{"number": 4}', delay => '50 ms', at => now(), priority => 9, queue => 'sql',
                   expires => '1 h', timeout => '5 s', tags => '{a,b}', metadata => '{"k": "v"}')"""
    async with jobs.work():
        run = tell.attach(await db.fetchval(statement))
        assert await run.result("10s") == [4, ["a", "b"], {"k": "v"}]
        assert await tell.attach(await db.fetchval("""select howdah.enqueue('tell', '{"number": 5}')""")).result("10s") == [5, [], {}]


async def test_a_name_that_nobody_knows_waits_is_listed_and_runs_when_a_node_brings_it(jobs: App, db: Session) -> None:
    number = await db.fetchval("select howdah.enqueue('nobody')")
    delayed = await db.fetchval("select howdah.enqueue('nobody', delay => '10 ms')")
    assert [tuple(row) for row in await db.fetch("select task, queue, first_run from howdah.unimplemented")] == [
        ("nobody", "default", number)
    ]

    @jobs.task(queue="late")
    async def nobody() -> str:
        return "here"

    async with jobs.work(queues=["late"]):
        assert await nobody.attach(number).result("10s") == "here"
        assert await nobody.attach(delayed).result("10s") == "here"
        assert await db.fetchval("select count(*) from howdah.unimplemented") == 0


async def test_a_dsn_that_cannot_work_is_a_mistake_and_not_an_outage(dsn: str) -> None:
    for wrong in ("postgresql://h:port/x", dsn.replace("/test_", "/tset_")):
        with pytest.raises(ConfigurationError, match="HOWDAH_DSN"):
            await App(wrong).__aenter__()


async def test_a_rare_enqueue_wakes_nodes_by_its_commit_and_frequent_ones_after_theirs(
    jobs: App, echo: Task[[int, str], tuple[int, str]], connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener, holder = await connect(), await connect()
    told: list[str] = []
    await listener.add_listener("howdah_work", lambda *said: told.append(str(said[3])))

    async def heard() -> list[str]:
        """The words of a notification, the fifth of which says who told it after its commit."""
        await listener.execute("select 1")
        words = [f"{len(one.split())} {one.split()[3]}" for one in told]
        told.clear()
        return words

    async with jobs:
        monkeypatch.setattr("howdah.client.RARE_S", -1)
        rare = await echo.enqueue(1, "")
        assert await heard() == [f"4 {rare.id}"]
        gate = holder.transaction()
        await gate.start()
        await holder.execute("select pg_advisory_xact_lock(7738135626414)")  # As another's commit that wakes nodes would hold it.
        second = await echo.enqueue(2, "")
        assert await heard() == [f"5 {second.id}"]
        await gate.rollback()
        monkeypatch.setattr("howdah.client.RARE_S", 3600)
        frequent = await echo.enqueue(3, "")
        assert await heard() == [f"5 {frequent.id}"]


async def test_where_a_node_hears_by_itself_its_app_tells_others_after_the_commit(
    jobs: App, echo: Task[[int, str], tuple[int, str]], connect: Connect
) -> None:
    listener = await connect()
    told: list[str] = []
    await listener.add_listener("howdah_work", lambda *said: told.append(str(said[3])))
    async with jobs.work():
        run = await echo.enqueue(1, "")
        await run.result("10s")
        await listener.execute("select 1")
        assert told == [f"{' '.join(told[0].split()[:3])} {run.id} {jobs.client.nearby.origin}"]
