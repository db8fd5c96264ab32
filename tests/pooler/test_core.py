"""What the engine promises, through a real PgBouncer in transaction mode: beside a direct DSN, and by polling alone."""

import signal
from collections import Counter
from typing import Any

import anyio
import asyncpg
import howdah
import pytest
from howdah import App, Retry, RunCancelled, RunFailed, Snooze, State

from ..recovery.nodes import Fleet, Session, bury, doubles, drained, enqueue, forgiven, until
from .bouncer import Bouncer

pytestmark = pytest.mark.anyio


async def test_a_run_is_enqueued_executed_and_its_result_comes_back(jobs: App) -> None:
    @jobs.task
    async def double(number: int) -> int:
        return 2 * number

    @jobs.task
    def halve(number: int) -> int:
        return number // 2

    async with jobs.work():
        run = await double.options(tags=["a"], metadata={"b": "c"}).enqueue(21)
        assert await run.result("10s") == 42
        assert await run.status() is State.SUCCEEDED
        assert await (await halve.enqueue(42)).result("10s") == 21
        runs = await double.enqueue_many(double.call(number) for number in range(500))
        assert [await run.result("10s") for run in runs] == [2 * number for number in range(500)]


async def test_what_is_enqueued_on_conn_appears_with_its_transaction(jobs: App, pooled: str, db: Session) -> None:
    @jobs.task
    async def one() -> int:
        return 1

    # As users of PgBouncer open theirs.
    conn = await asyncpg.connect(pooled, statement_cache_size=0)
    async with jobs.work():
        block = conn.transaction()
        await block.start()
        lost = await one.options(conn=conn).enqueue()
        await block.rollback()
        async with conn.transaction():
            kept = await one.options(conn=conn).enqueue()
            many = await one.options(conn=conn).enqueue_many(one.call() for _ in range(10))
            assert await db.fetchval("select count(*) from howdah.job") == 0
        assert await kept.result("10s") == 1
        assert [await run.result("10s") for run in many] == [1] * 10
        assert await db.fetchval("select count(*) from howdah.run where id = $1", lost.id) == 0
    await conn.close()


async def test_retries_snoozes_and_delays_come_back_in_time(jobs: App) -> None:
    attempts: Counter[int] = Counter()

    @jobs.task(retry=Retry(3, base=0.01, cap=0.02))
    async def stubborn(fails: int) -> int:
        run = howdah.current_run()
        attempts[run.id] += 1
        if run.attempt <= fails:
            raise KeyError(run.attempt)
        return run.attempt

    @jobs.task
    async def sleepy() -> int:
        run = howdah.current_run()
        attempts[run.id] += 1
        if attempts[run.id] == 1:
            raise Snooze(0.05)
        return attempts[run.id]

    async with jobs.work(), jobs:
        assert await (await stubborn.enqueue(2)).result("10s") == 3
        with pytest.raises(RunFailed, match="at attempt 3 with KeyError"):
            await (await stubborn.enqueue(3)).result("10s")
        assert await (await sleepy.enqueue()).result("10s") == 2
        assert await (await stubborn.options(delay=0.1).enqueue(0)).result("10s") == 1


async def test_a_timer_that_another_process_sets_is_found(jobs: App, effects: Session) -> None:
    @jobs.task
    async def one() -> int:
        return 1

    async with jobs.work():
        run = await effects.fetchval("select howdah.enqueue('one', delay => '200 ms')")
        assert await one.attach(run).result("20s") == 1


async def test_a_run_that_waits_and_one_that_runs_are_cancelled(jobs: App, pooled: str) -> None:
    begun = anyio.Event()

    @jobs.task
    async def endless() -> None:
        begun.set()
        await anyio.sleep(60)

    elsewhere = App(pooled)
    theirs = elsewhere.task(endless.definition.function)
    async with jobs.work(), elsewhere:
        later = await endless.options(delay="1h").enqueue()
        assert await later.cancel("not needed") == "cancelled"
        with pytest.raises(RunCancelled, match="not needed"):
            await later.result("20s")
        run = await endless.enqueue()
        await begun.wait()
        # Asked by another client, which knows nothing of this process.
        assert await theirs.attach(run.id).cancel("enough") == "requested"
        with pytest.raises(RunCancelled):
            await run.result("20s")


async def test_effects_and_the_end_of_a_run_are_one_transaction(jobs: App, effects: Session) -> None:
    @jobs.task(retry=Retry(2, base=0.01))
    async def store() -> int:
        run = howdah.current_run()
        async with howdah.transaction() as conn:
            await conn.execute("insert into effect (run, attempt, what) values ($1, $2, 'stored')", run.id, run.attempt)
            if run.attempt == 1:
                raise KeyError("rolled back")
            run.set_result(7)
        return 7

    async with jobs.work():
        runs = [await store.enqueue() for _ in range(5)]
        for run in runs:
            assert await run.result("10s") == 7
    assert await effects.fetchval("select array_agg(distinct attempt) from effect") == [2]
    assert await effects.fetchval("select count(*) from effect") == 5
    assert await doubles(effects, "stored") == 0


async def test_ten_thousand_runs_drain_each_of_them_once(jobs: App, effects: Session) -> None:
    executed: Counter[int] = Counter()

    @jobs.task
    async def work() -> None:
        executed[howdah.current_run().id] += 1

    async with jobs:
        await work.enqueue_many(work.call() for _ in range(10_000))
    async with jobs.work():
        await drained(effects, within_s=60)
    assert len(executed) == 10_000
    assert set(executed.values()) == {1}
    assert await effects.fetchval("select count(*) from howdah.event where kind = 1") == 10_000


async def test_what_a_killed_node_held_is_run_by_another_one(fleet: Fleet, effects: Session) -> None:
    (first,) = await fleet.start(1)
    runs = await enqueue(effects, "hold", 20)
    await until(effects, "select count(*) = 20 from effect where what = 'begin'")
    first.kill()
    await bury(effects, first.pid)
    await fleet.start(1)
    await drained(effects)
    assert await effects.fetchval("select count(*) from howdah.event where kind = 1 and run = any($1)", runs) == 20
    assert await effects.fetchval("select count(*) from howdah.event where kind = 19") == 20


async def test_server_connections_that_die_behind_the_pooler_are_replaced(reach: dict[str, Any], effects: Session) -> None:
    jobs = App(**reach, backoff_s=0.02, backoff_max_s=0.1)
    executed: Counter[int] = Counter()

    @jobs.task
    async def work() -> None:
        executed[howdah.current_run().id] += 1

    total = 0
    async with forgiven(), jobs.work():
        for _ in range(10):
            total += len(await enqueue(effects, "work", 200))
            await effects.fetchval(
                """select count(pg_terminate_backend(pid)) from pg_stat_activity
                   where datname = current_database() and application_name like 'howdah %'"""
            )
        await drained(effects)
        assert await effects.fetchval("select count(*) from howdah.node") == 1
    assert len(executed) == total
    assert set(executed.values()) == {1}


async def test_nothing_is_left_behind_in_the_sessions_of_the_pooler(jobs: App, pooled: str, effects: Session) -> None:
    @jobs.task
    async def store() -> None:
        async with howdah.transaction() as conn:
            await conn.execute("insert into effect (run, what) values ($1, 'stored')", howdah.current_run().id)

    async with jobs.work():
        await (await store.enqueue()).result("10s")
        await (await store.enqueue()).cancel()
    seen: set[int] = set()
    left: list[tuple[str, str]] = []
    async with anyio.create_task_group() as group:
        for _ in range(8):  # As many as the pooler has for this database: each is looked at.
            group.start_soon(_look_around, pooled, seen, left)
    assert len(seen) > 1
    assert left == []


LEFT = """
select 'statement', statement from pg_prepared_statements where name <> ''
union all select 'channel', c from pg_listening_channels() c
union all select name, setting from pg_settings where source = 'session' and name <> all ($1)
"""


async def _look_around(pooled: str, seen: set[int], left: list[tuple[str, str]]) -> None:
    conn = await asyncpg.connect(pooled, statement_cache_size=0)
    try:
        async with conn.transaction():
            seen.add(await conn.fetchval("select pg_backend_pid()"))
            left += [(row[0], row[1]) for row in await conn.fetch(LEFT, KNOWN_TO_POOLERS)]
            await anyio.sleep(0.05)  # So that the others get other ones.
    finally:
        conn.terminate()


KNOWN_TO_POOLERS = ["application_name", "client_encoding", "DateStyle", "IntervalStyle", "TimeZone", "standard_conforming_strings"]
"""PgBouncer sets these itself for whoever takes the connection."""


async def test_a_frozen_pooler_costs_no_run(reach: dict[str, Any], bouncer: Bouncer, effects: Session) -> None:
    jobs = App(**reach, lease_s=60, heartbeat_s=0.3, backoff_max_s=0.1, command_timeout_s=1, connect_timeout_s=1)

    @jobs.task
    async def work() -> None: ...

    async with forgiven(), jobs.work():
        bouncer.send(signal.SIGSTOP)
        try:
            runs = await enqueue(effects, "work", 50)
            await anyio.sleep(0.02)
        finally:
            bouncer.send(signal.SIGCONT)
        await drained(effects)
        assert await effects.fetchval("select count(*) from howdah.event where kind = 1 and run = any($1)", runs) == 50
