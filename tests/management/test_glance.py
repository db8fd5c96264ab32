"""jobs.glance(): what goes on, in one statement; and what two glances say of the pace."""

import asyncio
from datetime import timedelta

import asyncpg
import howdah
import msgspec
import pytest
from howdah import App
from howdah.core.pace import Pace
from howdah.management.glance import Paces

from ..db import world
from ..db.roles import READ, of

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


async def test_queues_stand_behind_their_sum_the_busiest_first(dsn: str, db: Db) -> None:
    for queue, count in (("few", 2), ("many", 5), ("none", 0)):
        await db.fetchval("select howdah.introduce($1, $2)", queue, queue)
        if count:
            await world.enqueue(db, count, task=queue)
    await db.fetchval("select howdah.enqueue('few', '{}', delay => '1 hour')")
    async with App(dsn) as jobs:
        seen = await jobs.glance(queues=3)
        fewer = await jobs.glance(queues=1)
    assert [(one.queue, one.ready, one.later, one.enqueued) for one in seen.queues] == [
        ("many", 5, 0, 5),
        ("few", 2, 1, 3),
        ("default", 0, 0, 0),
    ]
    assert (seen.total.ready, seen.total.later, seen.total.enqueued, seen.known) == (7, 1, 8, 4)
    assert [one.waiting_s is not None for one in seen.queues] == [True, True, False]
    assert ([one.queue for one in fewer.queues], fewer.total.ready) == (["many"], 7)


async def test_runs_that_are_held_are_there_with_their_progress_those_that_were_asked_to_stop_first(dsn: str, db: Db) -> None:
    jobs = App(dsn, grace_s=1, hard_grace_s=1, progress_s=0.01)
    let_go = asyncio.Event()

    @jobs.task
    async def reporting() -> None:
        howdah.current_run().progress(3, 4, "page 3")
        await let_go.wait()

    @jobs.task
    async def stubborn() -> None:
        try:
            await let_go.wait()
        except asyncio.CancelledError:
            await let_go.wait()

    async with jobs.work() as node:
        first, second = await reporting.enqueue(), await stubborn.enqueue()
        async with asyncio.timeout(10):
            while len(seen := (await jobs.glance()).runs) < 2 or not any(one.progress for one in seen):
                await asyncio.sleep(0.01)
            await second.cancel()
            while not (seen := (await jobs.glance()).runs)[0].stopping:
                await asyncio.sleep(0.01)
        let_go.set()
        assert [(one.run, one.task, one.node, one.attempt) for one in seen] == [
            (second.id, "stubborn", node.name, 1),
            (first.id, "reporting", node.name, 1),
        ]
        assert seen[1].progress == {"done": 3, "total": 4, "message": "page 3"}


async def test_held_runs_of_every_priority_and_suspects_are_found(db: Db, dsn: str) -> None:
    node = await world.join(db, work="1")
    low = await world.enqueue(db, 3, priority=-5)
    high = await world.enqueue(db, 3, priority=5)
    await world.claim(db, node, tasks=["work"])
    await db.execute("update howdah.job set crashes = 2 where id = $1", low[0])
    async with App(dsn) as jobs:
        assert sorted(one.run for one in (await jobs.glance()).runs) == sorted(low + high)
        assert len((await jobs.glance(runs=2)).runs) == 2


async def test_nodes_that_need_a_look_come_first(db: Db, dsn: str) -> None:
    for number, name in enumerate(("alive", "paused", "silent"), 1):
        await db.fetchval("select howdah.join_node($1, $2, 'here', 42, '1.0', '{}', '{}', null, 60)", number, name)
    await db.execute("update howdah.node set until = howdah.clock() - interval '1 second' where name = 'silent'")
    async with App(dsn) as jobs:
        await jobs.nodes.pause("paused")
        seen = await jobs.glance()
    assert [one.name for one in seen.nodes] == ["silent", "paused", "alive"]
    assert (seen.fleet.alive, seen.fleet.silent, seen.fleet.told) == (2, 1, 1)


async def test_a_queue_and_a_task_that_are_paused_say_so(db: Db, dsn: str) -> None:
    for name in ("mail", "work"):
        await db.fetchval("select howdah.introduce($1, $1)", name)
    async with App(dsn) as jobs:
        await jobs.queues.pause("mail")
        await jobs.tasks.pause("work")
        seen = await jobs.glance()
    assert {one.queue: one.paused for one in seen.queues} == {"mail": True, "work": False, "default": False}
    assert (seen.total.paused, seen.paused_tasks) == (False, ["work"])


async def test_the_reading_role_sees_it_all_save_what_runs_say(dsn: str, db: Db) -> None:
    if not await db.fetchval("select exists (select from pg_roles where rolname = $1)", READ):
        await db.execute(f"create role {READ} login")
    await db.fetchval("select howdah.permit($1, 'read')", READ)
    (run,) = await world.running(db)
    await db.execute('insert into howdah.progress (run, value) values ($1, \'{"message": "secret"}\')', run.id)
    async with App(dsn) as owner, App(of(dsn, READ)) as reader:
        assert (await owner.glance()).runs[0].progress == {"message": "secret"}
        (seen,) = (await reader.glance()).runs
    assert (seen.run, seen.progress) == (run.id, None)
    assert seen.reported_s is not None


async def test_two_glances_give_the_pace_by_the_database_s_clock(dsn: str, db: Db) -> None:
    await world.enqueue(db, 4)
    async with App(dsn) as jobs:
        before = await jobs.glance()
        await world.enqueue(db, 10)
        await db.fetchval("select howdah.introduce('new', 'new')")
        after = msgspec.structs.replace(await jobs.glance(), at=before.at + timedelta(seconds=4))
    paces = Paces()
    assert set(paces.follow(before).values()) == {None}
    assert paces.follow(after) == {None: Pace(2.5, 0, 0, 0), "default": Pace(2.5, 0, 0, 0), "new": None}
