"""CONTRACT 3.8: a breaker opens for all nodes, lets one probe through, and closes when that succeeds."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import anyio
import asyncpg
import pytest
from howdah import App, Breaker, GiveUp, Run, RunCancelled, RunFailed, Snooze, Task

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

OPEN_S = 0.6
SETTINGS: dict[str, Any] = {"grace_s": 2, "hard_grace_s": 2, "busy_look_s": 600.0, "idle_look_s": 600.0}


class Fleet:
    """Nodes with a task that charges by stripe, which is down for some."""

    def __init__(self, dsn: str, nodes: int = 2, open_s: float = OPEN_S, **settings: Any) -> None:
        self.starts: list[tuple[str, float]] = []
        self.down = {"ann"}
        self.go_on = asyncio.Event()
        self.tasks: list[Task[[str, bool], str]] = []
        self.nodes = [self._node(App(dsn, **SETTINGS, **settings), open_s) for _ in range(nodes)]

    def _node(self, jobs: App, open_s: float) -> App:
        @jobs.task(name="charge", retry=1, limits=[Breaker("stripe", failures=0.5, of=6, open_for=open_s, key="customer")])
        async def charge(customer: str, slow: bool = False) -> str:
            self.starts.append((customer, time.time()))
            if slow:
                await self.go_on.wait()
            if customer in self.down:
                raise ConnectionError("stripe is down")
            return customer

        self.tasks.append(charge)
        return jobs

    async def charge(self, customer: str, *, slow: bool = False) -> Run[str]:
        return await self.tasks[0].enqueue(customer, slow)

    def begun(self, customer: str) -> list[float]:
        return [at for one, at in self.starts if one == customer]

    async def broken(self, customer: str = "ann") -> None:
        """Three failures of six, one after the other."""
        for _ in range(3):
            with pytest.raises(RunFailed):
                await (await self.charge(customer)).result("10s")


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not condition():
            await anyio.sleep(0.005)


async def opens(db: Db) -> float:
    """When the next probe may go; waits until the breaker is open."""
    with anyio.fail_after(30):
        while (found := await db.fetchval("select extract(epoch from until)::float8 from howdah.breaker where until is not null")) is None:
            await anyio.sleep(0.005)
    return found


async def closed(db: Db) -> None:
    with anyio.fail_after(30):
        while await db.fetchval("select exists (select from howdah.breaker where until is not null)"):
            await anyio.sleep(0.005)


async def test_it_opens_for_all_nodes_and_for_that_key_alone(dsn: str, db: Db) -> None:
    fleet = Fleet(dsn, open_s=3600)
    first, second = fleet.nodes
    async with first, second, first.work(), second.work():
        await fleet.broken()
        await opens(db)
        waiting = [await fleet.charge("ann") for _ in range(10)]
        for _ in range(5):
            assert await (await fleet.charge("bob")).result("10s") == "bob"
        assert len(fleet.begun("ann")) == 3
        assert {await run.status() for run in waiting} == {"gated"}
        for run in waiting:
            await run.cancel()


async def test_one_probe_goes_after_a_while_and_its_success_lets_all_go(dsn: str, db: Db) -> None:
    fleet = Fleet(dsn)
    first, second = fleet.nodes
    async with first, second, first.work(), second.work():
        await fleet.broken()
        at = await opens(db)
        fleet.down.clear()
        runs = [await fleet.charge("ann", slow=True) for _ in range(6)]
        await until(lambda: len(fleet.begun("ann")) == 4)
        for _ in range(5):
            await (await fleet.charge("bob")).result("10s")
        assert len(fleet.begun("ann")) == 4, "one alone, for as long as it runs"
        fleet.go_on.set()
        assert [await run.result("10s") for run in runs] == ["ann"] * 6
        await closed(db)
    assert fleet.begun("ann")[3] > at - 0.05


async def test_a_probe_that_fails_opens_it_again(dsn: str, db: Db) -> None:
    fleet = Fleet(dsn, nodes=1)
    async with fleet.nodes[0] as jobs, jobs.work():
        await fleet.broken()
        first = await opens(db)
        with pytest.raises(RunFailed):
            await (await fleet.charge("ann")).result("10s")
        waiting = await fleet.charge("ann")
        with anyio.fail_after(30):
            while (second := await opens(db)) == first:
                await anyio.sleep(0.005)
        assert second > first + OPEN_S - 0.05
        fleet.down.clear()
        assert await waiting.result("10s") == "ann"
        assert fleet.begun("ann")[-1] > second - 0.05


async def test_what_says_nothing_about_the_other_side_does_not_count(dsn: str, db: Db) -> None:
    jobs = App(dsn, **SETTINGS)
    snoozed: list[str] = []
    running = asyncio.Event()

    @jobs.task(retry=2, limits=[Breaker("stripe", failures=1, of=1, open_for="1h")])
    async def charge(how: str) -> str:
        if how == "snoozes" and not snoozed:
            snoozed.append(how)
            raise Snooze(0)
        if how == "is cancelled":
            running.set()
            await asyncio.Event().wait()
        if how == "gives up":
            raise GiveUp("no such card")
        return how

    async with jobs, jobs.work():
        assert await (await charge.enqueue("snoozes")).result("10s") == "snoozes"
        run = await charge.enqueue("is cancelled")
        await running.wait()
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result("10s")
        assert await (await charge.enqueue("goes on")).result("10s") == "goes on"
        with pytest.raises(RunFailed):
            await (await charge.enqueue("gives up")).result("10s")
        await opens(db)
        assert await (await charge.enqueue("waits")).status() == "gated"


async def test_an_attempt_that_is_retried_has_failed_as_well(dsn: str, db: Db) -> None:
    jobs = App(dsn, **SETTINGS)
    tried: list[float] = []

    @jobs.task(limits=[Breaker("stripe", failures=1, of=2, open_for=OPEN_S)], retry=9)
    async def charge() -> int:
        tried.append(time.time())
        if len(tried) < 3:
            raise ConnectionError("down")
        return len(tried)

    async with jobs, jobs.work():
        run = await charge.enqueue()
        at = await opens(db)
        assert await run.result("30s") == 3
    assert tried[2] > at - 0.05


@pytest.mark.parametrize("leaver", [0, 1])
async def test_a_gate_that_takes_over_knows_that_it_is_open(dsn: str, db: Db, leaver: int) -> None:
    fleet = Fleet(dsn)
    first, second = fleet.nodes
    async with first, second, first.work() as one, second.work() as other:
        await fleet.broken()
        at = await opens(db)
        leaving = (one, other)[leaver]
        leaving.stop()
        await leaving.stopped.wait()
        fleet.down.clear()
        waiting = [await fleet.charge("ann") for _ in range(3)]
        assert await (await fleet.charge("bob")).result("10s") == "bob"
        assert [await run.result("10s") for run in waiting] == ["ann"] * 3
    assert fleet.begun("ann")[3] > at - 0.05


async def test_a_pause_of_an_open_one_holds_when_its_time_is_over(dsn: str, db: Db) -> None:
    fleet = Fleet(dsn, nodes=1)
    async with fleet.nodes[0] as jobs, jobs.work():
        await fleet.broken()
        at = await opens(db)
        await jobs.limits.pause("stripe", "ann")
        fleet.down.clear()
        waiting = await fleet.charge("ann")
        while time.time() < at + 0.1:
            assert await (await fleet.charge("bob")).result("10s") == "bob"
        assert await waiting.status() == "gated"
        await jobs.limits.resume("stripe", "ann")
        assert await waiting.result("10s") == "ann"


async def test_an_open_one_is_listed_and_closed_by_hand(dsn: str, db: Db) -> None:
    fleet = Fleet(dsn, nodes=1, open_s=3600)
    async with fleet.nodes[0] as jobs, jobs.work():
        await fleet.broken()
        await opens(db)
        (listed,) = await jobs.limits.list()
        assert (listed.kind, listed.terms.failures, listed.terms.of, listed.terms.open_s) == ("breaker", 0.5, 6, 3600)
        (opened,) = listed.open
        assert opened.key == "ann"
        assert 3500 < (opened.until - opened.opened).total_seconds() < 3700
        (seen,) = (await jobs.glance()).open_breakers
        assert (seen.name, seen.key, seen.probe_s > 3500) == ("stripe", "ann", True)
        findings = [one for one in (await jobs.examine()).findings if one.name == "open_breaker"]
        assert "The breaker stripe is open under the key ann" in findings[0].seen
        fleet.down.clear()
        waiting = await fleet.charge("ann")
        await jobs.limits.reset("stripe")
        assert await waiting.result("10s") == "ann"
        assert (await jobs.limits.list())[0].open == []
