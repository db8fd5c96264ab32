"""Runs go to the nodes that they require, and to those that they prefer: on nodes with different labels."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import howdah
import pytest
from howdah import App
from howdah.node import Node
from howdah.placement import at_least, weight

from ..db import world

pytestmark = pytest.mark.anyio

SOON_S = 5.0


@asynccontextmanager
async def nodes(dsn: str, make: Callable[[App], Any], *labels: dict[str, Any], **settings: Any) -> AsyncGenerator[tuple[Any, list[Node]]]:
    """Nodes with these labels, each of which has the tasks that `make` defines; and what that returned for the first, as a client."""
    async with AsyncExitStack() as stack:
        made, started = None, []
        for one in labels:
            jobs = App(dsn, labels=one, grace_s=2, hard_grace_s=2, **settings)
            mine = make(jobs)
            made = made or mine
            started.append(await stack.enter_async_context(jobs.work()))
        yield made, started


def where(jobs: App, **words: Any) -> Any:
    """A task that tells which node it runs on."""

    @jobs.task(**words)
    async def place() -> str:
        return howdah.current_node().name

    return place


async def test_a_run_goes_to_a_node_that_has_what_its_task_requires(dsn: str) -> None:
    def make(jobs: App) -> Any:
        return where(jobs, requires={"gpu": True, "mem_gb": at_least(16)})

    async with nodes(dsn, make, {"gpu": True, "mem_gb": 8}, {"mem_gb": 64}, {"gpu": True, "mem_gb": 16}) as (place, found):
        runs = await place.enqueue_many(place.call() for _ in range(20))
        assert {await run.result(timeout=SOON_S) for run in runs} == {found[2].name}


async def test_a_call_may_require_what_its_task_does_not(dsn: str) -> None:
    async with nodes(dsn, where, {"zone": "eu"}, {"zone": "us"}) as (place, found):
        for _ in range(5):
            assert await (await place.options(requires={"zone": "us"}).enqueue()).result(timeout=SOON_S) == found[1].name
            assert await (await place.options(requires={"zone": "eu"}).enqueue()).result(timeout=SOON_S) == found[0].name
        assert await (await place.enqueue()).result(timeout=SOON_S)


class Gauge:
    """A task that holds its node until it is let go."""

    def __init__(self, jobs: App, **words: Any) -> None:
        self.go = anyio.Event()
        gauge = self

        @jobs.task(name="hold", **words)
        async def hold(number: int = 0) -> str:
            await gauge.go.wait()
            return howdah.current_node().name

        self.hold = hold
        self.there = where(jobs)


def holding(**words: Any) -> Callable[[App], Gauge]:
    gauges: list[Gauge] = []

    def make(jobs: App) -> Gauge:
        gauges.append(Gauge(jobs, **words))
        gauges[-1].go = gauges[0].go  # One event for all nodes: they are in one process.
        return gauges[-1]

    return make


async def heard_of(place: Any, started: list[Node]) -> None:
    """Until the gate has heard of each of these nodes: what it has not heard of is no better node to wait for."""
    for node in started:
        node.labels.set(me=node.name)
        assert await (await place.options(requires={"me": node.name}).enqueue()).result(timeout=SOON_S) == node.name


async def running_on(db: Any, *names: str) -> list[int]:
    """How many runs each of these nodes holds."""
    return [
        await db.fetchval("select count(*) from howdah.job j join howdah.node n on n.id = j.node where n.name = $1", one) for one in names
    ]


async def until(condition: Callable[[], Any], within_s: float = SOON_S) -> None:
    with anyio.fail_after(within_s):
        while not await condition():
            await anyio.sleep(0.01)


async def test_a_run_waits_for_the_best_node_while_that_is_full_and_then_takes_another(dsn: str, db: Any) -> None:
    make = holding(prefers={"zone": weight("eu", 10)}, prefer_for="1s")
    async with nodes(dsn, make, {"zone": "eu"}, {"zone": "us"}, concurrency=2) as (gauge, (eu, us)):
        await heard_of(gauge.there, [eu, us])
        began = anyio.current_time()
        runs = await gauge.hold.enqueue_many(gauge.hold.call(n) for n in range(3))

        async def best_is_full() -> bool:
            return await running_on(db, eu.name, us.name) == [2, 0]

        await until(best_is_full)

        async def the_last_went_on() -> bool:
            return await running_on(db, eu.name, us.name) == [2, 1]

        await until(the_last_went_on)
        waited_s = anyio.current_time() - began
        gauge.go.set()
        assert sorted([await run.result(timeout=SOON_S) for run in runs]) == sorted([eu.name, eu.name, us.name])
        assert 0.9 <= waited_s < 3


async def test_a_run_that_waits_goes_to_the_best_node_when_that_has_room_again(dsn: str, db: Any) -> None:
    make = holding(prefers={"zone": "eu"}, prefer_for="1h")
    async with nodes(dsn, make, {"zone": "eu"}, {"zone": "us"}, concurrency=1) as (gauge, (eu, us)):
        await heard_of(gauge.there, [eu, us])
        runs = await gauge.hold.enqueue_many(gauge.hold.call(n) for n in range(5))

        async def best_is_full() -> bool:
            return await running_on(db, eu.name, us.name) == [1, 0]

        await until(best_is_full)
        gauge.go.set()
        assert {await run.result(timeout=SOON_S) for run in runs} == {eu.name}


async def test_labels_that_a_function_sets_are_in_effect_within_a_second(dsn: str, db: Any) -> None:
    def make(jobs: App) -> Any:
        @jobs.task(name="move", requires={"zone": "eu"})
        async def move() -> None:
            howdah.current_node().labels.set(zone="us", fast=True)

        @jobs.task(name="drop")
        async def drop() -> None:
            howdah.current_node().labels.remove("fast")

        return move, drop, where(jobs, requires={"zone": "us"})

    async with nodes(dsn, make, {"zone": "eu"}, {"zone": "mars"}) as ((move, drop, place), (eu, _)):
        waiting = await place.enqueue()
        await (await move.enqueue()).result(timeout=SOON_S)
        with anyio.fail_after(1):
            assert await waiting.result() == eu.name
        assert dict(eu.labels) == {"zone": "us", "fast": True}
        assert await db.fetchval("select labels ->> 'fast' from howdah.nodes where name = $1", eu.name) == "true"
        await (await drop.options(requires={"fast": True}).enqueue()).result(timeout=SOON_S)

        async def gone() -> bool:
            return not await db.fetchval("select labels ? 'fast' from howdah.nodes where name = $1", eu.name)

        await until(gone, 1)


@pytest.mark.parametrize("sticky", ["soft", "hard"])
async def test_a_sticky_run_goes_to_the_node_of_its_parent(dsn: str, sticky: Any) -> None:
    def make(jobs: App) -> Any:
        place = where(jobs, sticky=sticky)

        @jobs.task
        async def parent() -> list[str]:
            runs = await place.enqueue_many(place.call() for _ in range(6))
            return [howdah.current_node().name, *[await run.result() for run in runs]]

        return parent, place

    async with nodes(dsn, make, {}, {}, {}) as ((parent, place), found):
        await heard_of(place, found)
        for _ in range(4):
            said = await (await parent.enqueue()).result(timeout=SOON_S)
            assert len(set(said)) == 1, said


async def test_a_hard_sticky_run_waits_for_its_node_and_is_released_when_that_is_no_more(dsn: str, db: Any) -> None:
    def make(jobs: App) -> Any:
        place = where(jobs, sticky="hard")

        @jobs.task(requires={"first": True})
        async def parent() -> tuple[str, int]:
            return howdah.current_node().name, (await place.options(delay="300ms").enqueue()).id

        return parent, place

    async with nodes(dsn, make, {}) as ((_, place), (other,)):
        async with nodes(dsn, make, {"first": True}) as ((parent, _), (first,)):
            name, child = await (await parent.enqueue()).result(timeout=SOON_S)
            assert name == first.name
        assert await place.attach(child).result(timeout=SOON_S) == other.name


def chained(jobs: App, child: dict[str, Any], grandchild: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Three generations. Each says where it was, and enqueues the next one, which starts when it has ended."""
    last = where(jobs, **grandchild)

    @jobs.task(**child)
    async def middle() -> tuple[str, int]:
        return howdah.current_node().name, (await last.options(delay="100ms").enqueue()).id

    @jobs.task(requires={"first": True})
    async def root() -> tuple[str, int]:
        return howdah.current_node().name, (await middle.options(delay="100ms").enqueue()).id

    return root, middle, last


async def generations(root: Any, middle: Any, last: Any) -> list[str]:
    """Where each of them was."""
    first, child = await (await root.enqueue()).result(timeout=SOON_S)
    second, grandchild = await middle.attach(child).result(timeout=SOON_S)
    return [first, second, await last.attach(grandchild).result(timeout=SOON_S)]


@pytest.mark.parametrize("sticky", ["soft", "hard"])
async def test_a_chain_of_sticky_runs_stays_on_the_node_of_the_first(dsn: str, sticky: Any) -> None:
    def make(jobs: App) -> Any:
        return chained(jobs, {"sticky": sticky}, {"sticky": sticky})

    async with nodes(dsn, make, {}, {"first": True}, {}) as (tasks, found):
        await heard_of(tasks[2], found)
        for _ in range(3):
            assert await generations(*tasks) == [found[1].name] * 3


@pytest.mark.parametrize("sticky", ["soft", "hard"])
async def test_what_a_run_enqueues_that_went_elsewhere_goes_to_its_node_and_not_to_that_of_the_root(dsn: str, sticky: Any) -> None:
    def make(jobs: App) -> Any:
        return chained(jobs, {"requires": {"second": True}}, {"sticky": sticky})

    async with nodes(dsn, make, {}, {"first": True}, {"second": True}) as (tasks, (_, first, second)):
        await heard_of(tasks[2], [first, second])
        assert await generations(*tasks) == [first.name, second.name, second.name]


async def test_a_hard_chain_goes_on_where_it_was_released_to(dsn: str) -> None:
    def make(jobs: App) -> Any:
        return chained(jobs, {"sticky": "hard"}, {"sticky": "hard"})

    async with nodes(dsn, make, {}, {}) as ((_, middle, last), others):
        async with nodes(dsn, make, {"first": True}) as ((root, _, _), (first,)):
            name, child = await (await root.enqueue()).result(timeout=SOON_S)
            assert name == first.name
        second, grandchild = await middle.attach(child).result(timeout=SOON_S)
        assert second in {node.name for node in others}
        assert await last.attach(grandchild).result(timeout=SOON_S) == second


async def test_a_hard_sticky_run_is_released_when_its_node_has_died_without_a_word(dsn: str, db: Any) -> None:
    async with nodes(dsn, where, {}) as (place, (other,)):
        await (await place.enqueue()).result(timeout=SOON_S)
        (parent,) = await world.enqueue(db, task="parent")
        dead = await world.join(db)
        await db.execute("update howdah.node set name = 'dead' where id = $1", dead)
        assert [run.id for run in await world.claim(db, dead, tasks=["parent"])] == [parent]
        run = place.attach(await db.fetchval("select howdah.enqueue('place', parent => $1, sticky => 'hard')", parent))
        stays = "select count(*) from howdah.unplaced where first_run = $1 and sticky_to = 'dead'"
        assert await db.fetchval(stays, run.id) == 1
        await db.execute("update howdah.node set until = howdah.clock() where id = $1", dead)
        assert await run.result(timeout="10s") == other.name


async def test_sticky_and_labels_are_evaluated_together(dsn: str, db: Any) -> None:
    def make(jobs: App) -> Any:
        place = where(jobs)

        @jobs.task(requires={"first": True})
        async def parent(sticky: str, zone: str) -> int:
            return (await place.options(sticky=sticky, requires={"zone": zone}).enqueue()).id

        return parent, place

    async with nodes(dsn, make, {"first": True, "zone": "eu"}, {"zone": "us"}) as ((parent, place), (first, other)):

        async def child(sticky: str, zone: str) -> Any:
            return place.attach(await (await parent.enqueue(sticky, zone)).result(timeout=SOON_S))

        assert await (await child("hard", "eu")).result(timeout=SOON_S) == first.name
        assert await (await child("soft", "us")).result(timeout=SOON_S) == other.name, "what is required goes before what is preferred"
        stuck = await child("hard", "us")

        async def listed() -> bool:
            return await db.fetchval("select sticky_to from howdah.unplaced where first_run = $1", stuck.id) == first.name

        await until(listed)
        why = await db.fetchval("select why from howdah.unplaced")
        assert why == f'it goes to node {first.name}, which has not what it requires: {{"zone": "us"}}'
        first.labels.set(zone="us")
        assert await stuck.result(timeout=SOON_S) == first.name
        assert await db.fetchval("select count(*) from howdah.unplaced") == 0


async def test_runs_that_no_node_may_have_hide_nobody_and_are_listed_with_the_reason(dsn: str, db: Any) -> None:
    async with nodes(dsn, where, {"zone": "eu"}, {"zone": "us"}) as (place, _):
        nowhere = place.options(requires={"zone": "mars"}, priority=100)
        (first, *_) = await nowhere.enqueue_many(place.call() for _ in range(3000))
        for n in range(300):
            await place.options(requires={"rack": n}, priority=50).enqueue()
        for zone in ("eu", "us", "eu"):
            assert await (await place.options(requires={"zone": zone}).enqueue()).result(timeout=SOON_S)
            assert await (await place.enqueue()).result(timeout=SOON_S)
        rows = await db.fetch("select task, first_run, requires, why from howdah.unplaced order by since")
        assert tuple(rows[0]) == ("place", first.id, '{"zone": "mars"}', 'no node that takes its task has zone: "mars"')
        assert len(rows) == 301


async def test_a_task_that_takes_several_slots_does_not_starve_behind_others(dsn: str, db: Any) -> None:
    running, most, wide_ran = 0, 0, 0

    def make(jobs: App) -> Any:
        @jobs.task
        async def narrow() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await anyio.sleep(0.005)
            running -= 1

        @jobs.task(slots=4)
        async def wide() -> None:
            nonlocal running, most, wide_ran
            running += 4
            most = max(most, running)
            wide_ran += 1
            await anyio.sleep(0.005)
            running -= 4

        return narrow, wide

    async with nodes(dsn, make, {}, concurrency=8) as ((narrow, wide), _):
        await narrow.enqueue_many(narrow.call() for _ in range(2000))
        runs = await wide.enqueue_many(wide.call() for _ in range(20))
        for run in runs:
            await run.result(timeout=SOON_S)
        left = await db.fetchval("select count(*) from howdah.job where lease is null")
        assert left > 0, "they were not the last"
        assert 4 < most <= 8


async def test_a_task_with_a_limit_may_take_several_slots(dsn: str) -> None:
    running, most = 0, 0

    def make(jobs: App) -> Any:
        @jobs.task(slots=3, limits=[howdah.Limit("all", 100)])
        async def wide() -> None:
            nonlocal running, most
            running += 3
            most = max(most, running)
            await anyio.sleep(0.01)
            running -= 3

        return wide

    async with nodes(dsn, make, {}, concurrency=8) as (wide, _):
        for run in await wide.enqueue_many(wide.call() for _ in range(50)):
            await run.result(timeout=SOON_S)
        assert 3 < most <= 8


async def test_runs_that_go_by_the_gate_get_in_beside_a_backlog_that_any_node_may_claim(dsn: str, db: Any) -> None:
    def make(jobs: App) -> Any:
        @jobs.task
        async def plain() -> None:
            await anyio.sleep(0.3)

        @jobs.task(requires={"gpu": True})
        async def placed() -> None: ...

        @jobs.task(limits=[howdah.Limit("all", 100)], slots=3)
        async def wide() -> None: ...

        return plain, placed, wide

    async with nodes(dsn, make, {"gpu": True}, {}, concurrency=4) as ((plain, placed, wide), _):
        await plain.enqueue_many(plain.call() for _ in range(1000))

        async def full() -> bool:
            return await db.fetchval("select count(*) from howdah.job where lease is not null") >= 8

        await until(full)
        for task in (placed, wide, placed, wide):
            await (await task.enqueue()).result(timeout=15)
        assert await db.fetchval("select count(*) from howdah.job where lease is null") > 500
