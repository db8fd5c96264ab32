"""CONTRACT 1.4: the typed task of a function that lives elsewhere."""

import asyncpg
import pytest
from howdah import App, ConfigurationError, Retry, Task

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
    with pytest.raises(ConfigurationError, match=r"@jobs.stub does not know isolation=; it takes name, queue, priority, retry, timeout"):
        jobs.stub(isolation="process")(works)  # type: ignore[call-overload]
