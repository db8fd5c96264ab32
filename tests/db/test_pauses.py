"""Paused queues and tasks: neither a look nor a claim gives what is theirs, whatever the watermarks say; all else goes on."""

import asyncio
import json

import asyncpg
import pytest
from howdah.core.states import Kind
from howdah.db.files import query

from . import world
from .world import Connect, Session

pytestmark = pytest.mark.anyio


async def lines(db: Session, node: int) -> set[tuple[str, str]]:
    tasks = [row[0] for row in await db.fetch("select id from howdah.task")]
    found = {(row["queue"], row["task"]) for row in await db.fetch(query("look"), node, tasks, None)}
    names = "select (select name from howdah.queue where id = $1), (select name from howdah.task where id = $2)"
    return {tuple(row) for line in found for row in await db.fetch(names, *line)}


async def claimed(db: Session, node: int) -> list[int]:
    """By a claim on every line, from its beginning, whatever a look would say."""
    rows = await db.fetch("select q.id, t.id from howdah.queue q cross join howdah.task t")
    queues, tasks = [row[0] for row in rows], [row[1] for row in rows]
    firsts = ([-32768] * len(rows), [0] * len(rows))
    return [row["id"] for row in await db.fetch(query("claim"), node, 100, queues, tasks, *firsts, True, False)]


@pytest.mark.parametrize(("queue", "task"), [("mail", None), (None, "work")])
async def test_no_look_and_no_claim_gives_what_is_paused(db: Session, queue: str | None, task: str | None) -> None:
    node = await world.join(db, work="1", other="1")
    (paused,) = await world.enqueue(db, task="work", queue="mail")
    (free,) = await world.enqueue(db, task="other")
    await db.fetchval(query("pause"), queue, task)
    assert await lines(db, node) == {("default", "other")}
    assert await claimed(db, node) == [free]
    assert await claimed(db, node) == []
    await db.fetchval(query("resume"), queue, task)
    assert await lines(db, node) == {("mail", "work")}
    assert await claimed(db, node) == [paused]


async def test_a_run_starts_when_neither_its_queue_nor_its_task_is_paused(db: Session) -> None:
    node = await world.join(db, work="1")
    (run,) = await world.enqueue(db, queue="mail")
    await db.execute("select howdah.pause(queue => 'mail'), howdah.pause(task => 'work')")
    await db.execute("select howdah.resume(queue => 'mail')")
    assert await claimed(db, node) == []
    await db.execute("select howdah.resume(task => 'work')")
    assert await claimed(db, node) == [run]


async def test_suspects_and_misfits_of_what_is_paused_wait_as_well(db: Session) -> None:
    (suspect,) = await world.enqueue(db, task="risky")
    for _ in range(2):
        await world.claim(db, await world.join(db, 0), tasks=["risky"])
        await db.fetchval("select howdah.reap(3)")
    await world.enqueue(db, task="odd")
    first = await world.join(db, odd="1")
    (misfit,) = await world.claim(db, first, tasks=["odd"])
    await world.send(db, world.outcome(misfit, Kind.MISFIT, data='{"hash": "1"}'))
    node = await world.join(db, risky="2", odd="2")
    await db.execute("select howdah.pause(task => 'risky'), howdah.pause(task => 'odd')")
    assert await lines(db, node) == set()
    assert await claimed(db, node) == []
    await db.execute("select howdah.resume(task => 'risky'), howdah.resume(task => 'odd')")
    assert set(await claimed(db, node)) == {suspect, misfit.id}


async def test_what_runs_goes_on_and_so_do_enqueues_timers_and_expiry(db: Session) -> None:
    (run,) = await world.running(db)
    await db.execute("select howdah.pause(queue => 'default')")
    await world.send(db, world.outcome(run))
    assert await world.state(db, run.id) == "succeeded"
    (late,) = await world.enqueue(db, expires=60)
    (delayed,) = await world.enqueue(db, delay=60)
    await world.shift(db, "2 minutes")
    await db.fetch("select * from howdah.keep(100, 30, 3)")
    assert [await world.state(db, one) for one in (late, delayed)] == ["expired", "queued"]


async def test_said_twice_it_is_said_once_and_the_first_time_counts(db: Session) -> None:
    await db.execute("select howdah.pause(queue => 'default')")
    since = await db.fetchval("select paused_since from howdah.queue_stats where queue = 'default'")
    await world.shift(db, "1 hour")
    await db.execute("select howdah.pause(queue => 'default')")
    assert await db.fetchval("select paused_since from howdah.queue_stats where queue = 'default'") == since
    for _ in range(2):
        await db.execute("select howdah.resume(queue => 'default')")
    assert await db.fetchval("select count(*) from howdah.paused") == 0


async def test_two_that_pause_at_once_agree(db: Session, connect: Connect) -> None:
    other, watcher = await connect(), await connect()
    await db.execute("begin")
    await db.execute("select howdah.pause(queue => 'default')")
    second = await world.while_held(other, other.execute("select howdah.pause(queue => 'default')"), watcher)
    await db.execute("commit")
    await second
    assert await db.fetchval("select count(*) from howdah.paused") == 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("pause(queue => 'mial')", "there is no queue mial"),
        ("resume(task => 'welcom')", "there is no task welcom"),
        ("pause()", "a queue or a task is paused and resumed, one of the two"),
        ("pause('default', 'work')", "a queue or a task is paused and resumed, one of the two"),
    ],
)
async def test_a_name_that_nobody_has_used_is_refused_and_not_added(db: Session, call: str, said: str) -> None:
    before = await db.fetchval("select count(*) from howdah.queue")
    with pytest.raises(asyncpg.DataError, match=said):
        await db.execute(f"select howdah.{call}")
    assert await db.fetchval("select count(*) from howdah.queue") == before


async def test_nodes_are_told_of_both_at_the_commit(db: Session, connect: Connect) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await connect()
    for channel in ("howdah_pause", "howdah_gate"):
        await listener.add_listener(channel, lambda *said: heard.put_nowait(str(said[3])))
    queue = await db.fetchval(query("queue_id"), "default")
    task = await db.fetchval("select howdah.introduce('work')")
    await db.execute("select howdah.pause(queue => 'default')")
    await db.execute("select howdah.pause(task => 'work')")
    await db.execute("select howdah.resume(queue => 'default')")
    async with asyncio.timeout(10):
        assert [await heard.get() for _ in range(6)] == [f"queue {queue}", "look", f"task {task}", "look", "", "look"]


async def test_the_gate_finds_and_admits_nothing_of_what_is_paused(db: Session) -> None:
    limits = json.dumps([{"limit": "one", "kind": "limit", "terms": {"number": 1}}])
    for task in ("limited", "free"):
        await db.fetchval(query("register"), task, "default", 0, "{}", None, None, f"{task}", limits)
    node = await world.join(db, limited="limited", free="free")
    (paused,), (free,) = await world.enqueue(db, task="limited"), await world.enqueue(db, task="free")
    epoch = await db.fetchval(query("gate_enter"), node)

    async def found() -> set[int]:
        return {run for row in await db.fetch(query("gate_look"), None, 100, 10) for run in row["runs"] or ()}

    async def admitted(*runs: int) -> list[int]:
        rows = await db.fetch(query("gate_admit"), epoch, node, list(runs), [node] * len(runs), None, None, None, None)
        return [row["id"] for row in rows]

    lines = [(row["line"], row["runs"]) for row in await db.fetch(query("gate_look"), None, 100, 10)]
    assert len(lines) == 2
    await db.execute("select howdah.pause(task => 'limited')")
    assert await found() == {free}
    heads = await db.fetch(query("gate_heads"), [line for line, _ in lines], 10)
    assert sorted(list(row["runs"]) for row in heads) == [[], [free]]
    assert await admitted(paused, free) == [free]
    await db.execute("select howdah.resume(task => 'limited')")
    assert await found() == {paused}
    assert await admitted(paused) == [paused]
