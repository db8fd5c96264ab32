"""CONTRACT 1.4: the typed task of a function that lives elsewhere."""

import json
from typing import Any

import asyncpg
import pytest
from howdah import App, ArgumentsInvalid, ConfigurationError, Debounce, Limit, Rate, Retry, Task

pytestmark = pytest.mark.anyio


async def total(prices: list[int], *, tax: int = 0) -> int: ...


async def works(prices: list[int], *, tax: int = 0) -> int:
    return sum(prices) + tax


async def test_a_stub_enqueues_and_reads_results_of_a_task_that_lives_elsewhere(jobs: App, dsn: str) -> None:
    here: Task[..., int] = jobs.stub(total)
    there = App(dsn)
    there.task(name="total", queue="sums")(works)
    async with jobs:
        early = await here.enqueue([1])
        async with there.work():
            assert await early.result("10s") == 1
            run = await here.enqueue([1, 2], tax=3)
            assert await run.result("10s") == 6
            assert await here.attach(run.id).result("10s") == 6
            runs = await here.enqueue_many(here.call([n]) for n in range(3))
            assert [await one.result("10s") for one in runs] == [0, 1, 2]


async def test_a_stub_never_runs(jobs: App, db: "asyncpg.Connection[asyncpg.Record]") -> None:
    here = jobs.stub(total)
    with pytest.raises(ConfigurationError, match="'total' is a stub, its function lives in another program: enqueue it"):
        here([1])  # type: ignore[operator]

    @jobs.task
    async def other() -> None: ...

    async with jobs.work():
        waiting = await here.enqueue([1])
        await (await other.enqueue()).result("10s")
        assert await waiting.status() == "queued"
        assert await db.fetch("select t.name from howdah.node n join howdah.task t on t.id = any(n.tasks)") == [("other",)]
        assert await db.fetchval("select implemented from howdah.task where name = 'total'") is False
        assert [row["task"] for row in await db.fetch("select task from howdah.unimplemented")] == ["total"]


async def test_an_app_with_stubs_alone_has_nothing_to_work_on(jobs: App) -> None:
    jobs.stub(total)
    with pytest.raises(ConfigurationError, match="no tasks to work on"):
        async with jobs.work():
            pass


async def test_what_a_stub_says_counts_for_the_runs_enqueued_through_it(jobs: App, db: "asyncpg.Connection[asyncpg.Record]") -> None:
    here = jobs.stub(name="sum", queue="urgent", priority=9, retry=Retry(2), timeout="1m")(total)
    async with jobs:
        run = await here.enqueue([1])
    row = await db.fetchrow(
        "select t.name as task, q.name as queue, r.priority, r.options, t.defaults from howdah.run r"
        " join howdah.task t on t.id = r.task join howdah.queue q on q.id = r.queue where r.id = $1",
        run.id,
    )
    assert (row["task"], row["queue"], row["priority"]) == ("sum", "urgent", -9)
    assert '"timeout": 60' in row["options"]
    assert row["defaults"] == "{}", "whoever runs it says what counts"


async def test_a_stub_and_a_task_of_one_name_are_two_tasks(jobs: App) -> None:
    jobs.stub(total)
    with pytest.raises(ConfigurationError, match="two tasks are called 'total'"):
        jobs.task(name="total")(works)
    with pytest.raises(ConfigurationError, match=r"does not know isolation= \(that is said where its function lives\); it takes name, "):
        jobs.stub(isolation="process")(works)  # type: ignore[call-overload]


def number_of(prices: list[int], *, tax: int = 0) -> int:
    return len(prices)


def sum_of(prices: list[int], *, tax: int = 0) -> int:
    return sum(prices)


@pytest.fixture
async def limited(dsn: str, db: "asyncpg.Connection[asyncpg.Record]") -> None:
    """The catalogue has the task with limits that only its own program can work out."""
    there = App(dsn)
    limits = [Limit("by-number", 1, key=number_of, fair_by=number_of), Rate("sums", 9, per="1m", cost=sum_of)]
    await there.task(name="total", limits=limits)(works).options(conn=db).enqueue([1])
    await db.execute("truncate howdah.job")


async def demands(db: "asyncpg.Connection[asyncpg.Record]") -> list[Any]:
    rows = await db.fetch("select r.demands from howdah.run r join howdah.job j using (id) order by id")
    return [json.loads(row[0]) for row in rows]


@pytest.mark.usefixtures("limited")
async def test_a_stub_without_the_key_that_is_asked_for_is_refused_and_told_how_to_give_it(jobs: App) -> None:
    async with jobs:
        with pytest.raises(ArgumentsInvalid, match=r'limit by-number of total .*\n?.*\.options\(keys=\{"by-number": \.\.\.\}\) in Python'):
            await jobs.stub(total).enqueue([1])


@pytest.mark.usefixtures("limited")
async def test_a_call_of_a_stub_gives_its_keys_groups_and_costs(jobs: App, db: "asyncpg.Connection[asyncpg.Record]") -> None:
    here = jobs.stub(total).options(keys={"by-number": 7, "by-number/group": "gold"})
    async with jobs:
        await here.enqueue([1])
        await here.options(keys={"by-number": "8", "sums/cost": 2.5}).enqueue([1])
    assert await demands(db) == [
        [["by-number", "7", 1, "gold"], ["sums", ""]],
        [["by-number", "8", 1, "gold"], ["sums", "", 2.5]],
    ]


@pytest.mark.usefixtures("limited")
async def test_a_stub_says_once_how_keys_are_worked_out_of_the_arguments(jobs: App, db: "asyncpg.Connection[asyncpg.Record]") -> None:
    here = jobs.stub(keys={"by-number": number_of, "sums/cost": sum_of})(total)
    async with jobs:
        await here.enqueue([1, 2])
        await here.options(debounce=Debounce("1ms", key=number_of)).options(priority=3).enqueue([1, 2, 3])
        await here.enqueue_many(here.call([n]) for n in (4, 5))
    assert [one[0][:2] + one[1][2:] for one in await demands(db)] == [
        ["by-number", "2", 3],
        ["by-number", "1", 4],
        ["by-number", "1", 5],
    ]
    held = await db.fetchval('select count(*) from howdah.run where demands @> \'[["by-number", "3"]]\'')
    assert held == 1, "the debounced one waits for its time"


async def test_a_task_takes_keys_in_the_place_of_its_functions_and_of_nothing_else(
    jobs: App, db: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    def no_key(prices: list[int], *, tax: int = 0) -> int:
        raise AssertionError("it is not asked")

    task = jobs.task(name="total", limits=[Limit("asked", 1, key=no_key), Limit("path", 1, key="tax")])(works)
    async with jobs:
        await task.options(keys={"asked": sum_of}).enqueue([1, 2])
    assert await demands(db) == [[["asked", "3"], ["path", "0"]]]
    with pytest.raises(ConfigurationError, match=r"keys= for 'path' in task 'total' .* would count for nothing: .* its limits are asked"):
        task.options(keys={"path": 1})
