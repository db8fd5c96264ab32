"""CONTRACT 1.19: enqueues that come together travel together, and stay each its caller's own."""

from collections.abc import Sequence

import anyio
import asyncpg
import pytest
from howdah import App, ArgumentsInvalid, HowdahError, Run, Task

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


@pytest.fixture
def echo(jobs: App) -> Task[[int], int]:
    @jobs.task
    async def echo(number: int) -> int:
        return number

    return echo


async def together(tasks: Sequence[Task[[int], int]]) -> list[Run[int] | HowdahError]:
    """Enqueues one call of each at the same moment."""
    answers: dict[int, Run[int] | HowdahError] = {}

    async def enqueue(number: int, task: Task[[int], int]) -> None:
        try:
            answers[number] = await task.enqueue(number)
        except HowdahError as error:
            answers[number] = error

    async with anyio.create_task_group() as group:
        for number, task in enumerate(tasks):
            group.start_soon(enqueue, number, task)
    return [answers[number] for number in range(len(tasks))]


async def served(jobs: App) -> None:
    """The combiner has begun to serve."""
    while not jobs.client.combiner._served:
        await anyio.sleep(0)


async def test_concurrent_enqueues_share_transactions_and_each_gets_its_own_run(jobs: App, echo: Task[[int], int], db: Session) -> None:
    late = echo.options(delay="1h")
    async with jobs:
        await served(jobs)
        runs = await together([echo, late, echo, echo] * 16)
    rows = await db.fetch(
        """select r.id, (r.args->>'number')::int, r.xmin::text, t.id is not null
           from howdah.run r left join howdah.timer t on t.id = r.id order by r.id"""
    )
    assert {row[0]: row[1] for row in rows} == {run.id: number for number, run in enumerate(runs) if isinstance(run, Run)}
    assert {row[1] for row in rows if row[3]} == set(range(1, 64, 4))
    assert len(rows) == 64
    assert len({row[2] for row in rows}) <= 2


async def test_a_bad_request_fails_only_its_own_caller(jobs: App, echo: Task[[int], int], db: Session) -> None:
    bad = echo.options(tags=["\0"])
    async with jobs:
        await served(jobs)
        answers = await together([echo, echo, bad, echo, echo.options(priority=3), bad, echo])
        assert [type(answer) for answer in answers] == [Run, Run, ArgumentsInvalid, Run, Run, ArgumentsInvalid, Run]
        assert all("refused to enqueue 'echo'" in str(answer) for answer in answers if isinstance(answer, ArgumentsInvalid))
    rows = await db.fetch("select (args->>'number')::int from howdah.run")
    assert sorted(row[0] for row in rows) == [0, 1, 3, 4, 6]


async def test_a_run_that_postgres_refuses_for_its_arguments_fails_only_its_own_caller(
    jobs: App, echo: Task[[int], int], db: Session
) -> None:
    await db.execute("alter table howdah.run add constraint no_seven check ((args->>'number')::int <> 7) not valid")
    async with jobs:
        await served(jobs)
        runs: list[int] = []

        async def enqueue(number: int) -> None:
            if number == 7:
                with pytest.raises(asyncpg.CheckViolationError):
                    await echo.enqueue(number)
            else:
                runs.append((await echo.enqueue(number)).id)

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(enqueue, number)
    assert await db.fetchval("select count(*) from howdah.run where id = any($1)", runs) == 19


async def test_a_caller_cancelled_before_its_request_is_sent_leaves_no_run(jobs: App, echo: Task[[int], int], db: Session) -> None:
    async with jobs:
        await served(jobs)
        await echo.enqueue(0)
        async with anyio.create_task_group() as group:
            scope = anyio.CancelScope()

            async def give_up() -> None:
                with scope:
                    await echo.enqueue(1)

            group.start_soon(give_up)
            group.start_soon(echo.enqueue, 2)
            while not jobs.client.combiner._waiting:
                await anyio.sleep(0)
            scope.cancel()
        rows = await db.fetch("select (args->>'number')::int from howdah.run order by id")
        assert [row[0] for row in rows] == [0, 2]


async def test_a_caller_cancelled_while_its_request_is_under_way_leaves_a_committed_run_and_harms_nobody(
    jobs: App, echo: Task[[int], int], db: Session
) -> None:
    async with jobs:
        await served(jobs)
        await echo.enqueue(0)
        gate = db.transaction()
        await gate.start()
        await db.execute("lock table howdah.run in share mode")
        kept: list[int] = []
        scope = anyio.CancelScope()

        async def keep() -> None:
            kept.append((await echo.enqueue(2)).id)

        async def give_up() -> None:
            with scope:
                await echo.enqueue(1)

        async with anyio.create_task_group() as group:
            group.start_soon(give_up)
            group.start_soon(keep)
            waiting = "select count(*) from pg_locks where not granted and relation = 'howdah.run'::regclass"
            while not await db.fetchval(waiting):
                await anyio.sleep(0.01)
            scope.cancel()
            await anyio.sleep(0)
            await gate.rollback()
        rows = await db.fetch("select (args->>'number')::int from howdah.run order by id")
        assert [row[0] for row in rows] == [0, 1, 2]
        assert len(kept) == 1


async def test_a_block_that_leaves_hands_its_work_over(jobs: App, echo: Task[[int], int], db: Session) -> None:
    inside, leave = anyio.Event(), anyio.Event()

    async def first() -> None:
        async with jobs:
            inside.set()
            await leave.wait()

    async with anyio.create_task_group() as group:
        group.start_soon(first)
        await inside.wait()
        await served(jobs)
        async with jobs:
            async with anyio.create_task_group() as callers:
                for number in range(10):
                    callers.start_soon(echo.enqueue, number)
                while not jobs.client.combiner._waiting:
                    await anyio.sleep(0)
                leave.set()
            await echo.enqueue(10)
    assert await db.fetchval("select count(*) from howdah.run") == 11


async def test_an_enqueue_in_a_shielded_scope_needs_no_server(jobs: App, echo: Task[[int], int], db: Session) -> None:
    async with anyio.create_task_group() as group, jobs:
        await served(jobs)
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            while jobs.client.combiner._served:
                await anyio.sleep(0)
            with anyio.fail_after(10):
                await echo.enqueue(1)
    assert await db.fetchval("select count(*) from howdah.run") == 1


async def test_nodes_hear_of_each_line_of_a_shared_statement(jobs: App, dsn: str) -> None:
    elsewhere = App(dsn, idle_look_s=60, busy_look_s=60, second_look_s=60, grace_s=2, hard_grace_s=2)

    async def number(number: int) -> int:
        return number

    tasks = [jobs.task(name=f"t{place}", queue=f"q{place % 2}")(number) for place in range(4)]
    for place in range(4):
        elsewhere.task(name=f"t{place}", queue=f"q{place % 2}")(number)
    async with jobs, elsewhere.work():
        await served(jobs)
        for _ in range(2):
            for place, run in enumerate(await together(tasks)):
                assert isinstance(run, Run)
                assert await run.result("10s") == place


async def test_a_notification_that_fails_after_the_commit_neither_fails_a_caller_nor_enqueues_again(
    jobs: App, db: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    @jobs.task
    async def work(number: int) -> None: ...

    async with jobs:
        await work.enqueue(0)
        arguments = "int, int, smallint, bigint, text, bigint"
        await db.execute(f"drop function howdah.hint({arguments})")
        await db.execute(
            f"create function howdah.hint({arguments}) returns void language plpgsql as"
            " $$ begin raise exception 'too many notifications in the NOTIFY queue' using errcode = '54000'; end $$"
        )
        made: list[int] = []

        async def one(number: int) -> None:
            made.append((await work.enqueue(number)).id)

        async with anyio.create_task_group() as group:
            for number in range(1, 9):
                group.start_soon(one, number)
    assert len(set(made)) == 8
    assert await db.fetchval("select count(*) from howdah.run") == 9
