"""CONTRACT 1.27: RateLimited pauses the run, and with it everything under the same key of that rate, on all nodes and over a takeover."""

import functools
import time
from typing import Any

import anyio
import asyncpg
import pytest
from howdah import App, Limit, Rate, RateLimited, RunFailed, Task

from ..process.isolated import too_many

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

PAUSE_S = 0.7
SETTINGS: dict[str, Any] = {"grace_s": 2, "hard_grace_s": 2, "concurrency": 4}


class Fleet:
    """Two nodes with a task that asks the other side, which wants a pause at the first call for the customer ann."""

    def __init__(self, dsn: str) -> None:
        self.starts: list[tuple[str, int, float]] = []
        self.tasks: list[Task[[str, int], int]] = []
        self.nodes: list[App] = [self._node(dsn), self._node(dsn)]
        self.refuses = True

    def _node(self, dsn: str) -> App:
        jobs = App(dsn, **SETTINGS)

        @jobs.task(name="sync", retry=1, limits=[Rate("crm", 1000, per="1s", key="customer"), Limit("all", 50)])
        async def sync(customer: str, number: int = 0) -> int:
            self.starts.append((customer, number, time.time()))
            if customer == "ann" and self.refuses:
                self.refuses = False
                raise RateLimited(retry_after=PAUSE_S)
            return number

        self.tasks.append(sync)
        return jobs

    async def ask(self, customer: str, *numbers: int) -> list[Any]:
        return [await self.tasks[0].enqueue(customer, number) for number in numbers]


async def opening(db: Db, key: str = "ann") -> float:
    """When the rate opens again; waits until it is closed."""
    at = "select extract(epoch from closed)::float8 from howdah.bucket where key = $1 and closed > howdah.clock() + interval '100 ms'"
    with anyio.fail_after(30):
        while (found := await db.fetchval(at, key)) is None:
            await anyio.sleep(0.005)
    return found


async def results(runs: list[Any]) -> list[Any]:
    return [await run.result("20s") for run in runs]


async def test_nothing_starts_under_that_key_on_any_node_before_the_pause_is_over(dsn: str, db: Db) -> None:
    fleet = Fleet(dsn)
    first, second = fleet.nodes
    async with first, second, first.work(), second.work():
        paused = await fleet.ask("ann", 0)
        at = await opening(db)
        waiting = await fleet.ask("ann", *range(1, 25))
        assert await results(await fleet.ask("bob", 1, 2, 3)) == [1, 2, 3]
        assert time.time() < at, "others go on meanwhile"
        assert await results(paused + waiting) == list(range(25))
    early = [start for start in fleet.starts[1:] if start[0] == "ann" and start[2] < at]
    assert early == [], f"it opens at {at}"
    assert await db.fetchval("select attempts from howdah.runs where id = $1", paused[0].id) == 1, "no attempt was burnt"


async def test_a_closing_that_the_gate_never_heard_of_holds_all_the_same(dsn: str, db: Db) -> None:
    fleet = Fleet(dsn)
    fleet.refuses = False
    first, second = fleet.nodes
    async with first, second, first.work(), second.work():
        assert await results(await fleet.ask("ann", 0)) == [0]
        await db.execute("update howdah.bucket set closed = howdah.clock() + make_interval(secs => $1) where key = 'ann'", PAUSE_S)
        at = await opening(db)
        await results(await fleet.ask("ann", *range(1, 10)))
    assert [start for start in fleet.starts[1:] if start[2] < at] == []


@pytest.mark.parametrize("leaver", [0, 1])
async def test_a_gate_that_takes_over_knows_of_it(dsn: str, db: Db, leaver: int) -> None:
    fleet = Fleet(dsn)
    first, second = fleet.nodes
    async with first, second, first.work() as one, second.work() as other:
        await fleet.ask("ann", 0)
        at = await opening(db)
        leaving = (one, other)[leaver]
        leaving.stop()
        await leaving.stopped.wait()
        runs = await fleet.ask("ann", *range(1, 10))
        assert await results(await fleet.ask("bob", 1)) == [1]
        await results(runs)
    assert [start for start in fleet.starts[1:] if start[0] == "ann" and start[2] < at] == []


async def test_a_rate_that_is_named_wrongly_gives_up_and_says_which_there_are(dsn: str) -> None:
    jobs = App(dsn, **SETTINGS)

    @jobs.task(retry=5, limits=[Rate("crm", 10, per="1s"), Rate("smtp", 10, per="1s")])
    async def both() -> None:
        raise RateLimited(retry_after=30)

    async with jobs, jobs.work():
        with pytest.raises(RunFailed, match="its rates are 'crm', 'smtp': name one of its rates") as failed:
            await (await both.enqueue()).result("10s")
    assert failed.value.attempt == 1


async def test_it_closes_the_rate_from_threads_and_processes_as_well(dsn: str, db: Db) -> None:
    jobs = App(dsn, **SETTINGS)
    limits = [Rate("crm", 10, per="1s", key="how")]
    refused = functools.partial(jobs.task, retry=1, limits=limits)

    @refused(name="threaded")
    def threaded(how: str) -> None:
        raise RateLimited(retry_after=30)

    isolated: Task[[str], None] = refused(name="isolated", isolation="process")(too_many)
    async with jobs, jobs.work():
        await threaded.enqueue("in a thread")
        await isolated.enqueue("in a process")
        for how in ("in a thread", "in a process"):
            assert await opening(db, how) > time.time() + 25


async def test_an_item_of_a_batch_closes_the_rate_for_its_own_key(dsn: str, db: Db) -> None:
    jobs = App(dsn, **SETTINGS)

    @jobs.batch_task(size=5, within="50ms", retry=1, limits=[Rate("crm", 100, per="1s", key="item")])
    async def some(items: list[str]) -> list[str | Exception]:
        return [RateLimited(retry_after=30) if item == "ann" else item for item in items]

    async with jobs, jobs.work():
        _, bob = [await some.enqueue(item) for item in ("ann", "bob")]
        assert await bob.result("10s") == "bob"
        assert await opening(db, "ann") > time.time() + 25
        assert await (await some.enqueue("bob")).result("10s") == "bob"
