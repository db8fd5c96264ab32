"""The catalogue: what a task means, whoever asks for it, and names that nobody has defined yet (CONTRACT 1.32)."""

import pytest
from howdah.core.states import Kind
from howdah.db.files import query

from . import world
from .world import Session

pytestmark = pytest.mark.anyio


async def register(db: Session, name: str, queue: str = "default", priority: int = 0, version: str = "1") -> int:
    return await db.fetchval(query("register"), name, queue, priority, '{"timeout": 5}', None, None, version, None)


WAITING = "select id, queue, priority from howdah.runs where id = any($1)"


async def where(db: Session, run: int) -> tuple[str, str, int]:
    """Task, queue and stored priority of a waiting run."""
    ((task, queue, priority),) = await db.fetch(
        """select t.name, q.name, w.priority
               from (select id, task, queue, priority from howdah.job union all select id, task, queue, priority from howdah.timer) w
               join howdah.task t on t.id = w.task join howdah.queue q on q.id = w.queue where w.id = $1""",
        run,
    )
    return task, queue, priority


async def test_runs_of_an_unknown_task_take_the_queue_of_its_definition(db: Session) -> None:
    ready = await db.fetchval("select howdah.enqueue('later', '{}')")
    delayed = await db.fetchval("select howdah.enqueue('later', '{}', delay => '1 hour')")
    elsewhere = await db.fetchval("select howdah.enqueue('later', '{}', queue => 'chosen')")
    assert await where(db, ready) == ("later", "default", 0)
    await register(db, "later", "mail")
    assert await where(db, ready) == ("later", "mail", 0)
    assert await where(db, delayed) == ("later", "mail", 0)
    assert await where(db, elsewhere) == ("later", "chosen", 0), "whoever chose a queue keeps it"


async def test_sql_enqueues_by_the_definition_that_a_node_registered(db: Session) -> None:
    await register(db, "welcome", "mail", priority=7)
    run = await db.fetchval("select howdah.enqueue('welcome', '{}')")
    assert await where(db, run) == ("welcome", "mail", -7)
    run = await db.fetchval("select howdah.enqueue('welcome', '{}', priority => -2, queue => 'other')")
    assert await where(db, run) == ("welcome", "other", 2)


async def test_a_new_definition_counts_for_new_runs_only(db: Session) -> None:
    await register(db, "moving", "old queue")
    before = await db.fetchval("select howdah.enqueue('moving', '{}')")
    await register(db, "moving", "new queue", version="2")
    after = await db.fetchval("select howdah.enqueue('moving', '{}')")
    assert (await where(db, before))[1] == "old queue"
    assert (await where(db, after))[1] == "new queue"


async def test_registering_the_same_again_writes_nothing(db: Session) -> None:
    number = await register(db, "same")
    before = await db.fetchval("select xmin::text from howdah.task where id = $1", number)
    assert await register(db, "same") == number
    assert await db.fetchval("select xmin::text from howdah.task where id = $1", number) == before


async def test_a_client_that_enqueues_first_introduces_the_task_and_is_not_taken_for_a_worker(db: Session) -> None:
    number = await db.fetchval(query("introduce"), "early", "mail", 3, "{}", None)
    assert await db.fetchval(query("introduce"), "early", "other", 9, "{}", None) == number
    run = await db.fetchval("select howdah.enqueue('early', '{}')")
    assert await where(db, run) == ("early", "mail", -3)
    row = await db.fetchrow("select implemented from howdah.task where id = $1", number)
    assert row["implemented"] is False
    assert [row["task"] for row in await db.fetch("select task from howdah.unimplemented")] == ["early"]


async def test_a_waiting_task_leaves_the_list_while_a_living_node_serves_it(db: Session) -> None:
    number = await register(db, "served", "special")
    await db.fetchval("select howdah.enqueue('served', '{}')")
    queue = await db.fetchval(query("queue_id"), "special")
    waiting = "select task from howdah.unimplemented"
    assert len(await db.fetch(waiting)) == 1
    node = await world.join(db)
    await db.execute("update howdah.node set tasks = array[$1::int], queues = array[$2::int] where id = $3", number, queue, node)
    assert await db.fetch(waiting) == []
    await db.execute("update howdah.node set queues = array[-1] where id = $1", node)
    assert len(await db.fetch(waiting)) == 1
    await db.execute("update howdah.node set queues = null where id = $1", node)
    assert await db.fetch(waiting) == []
    await world.shift(db, "1 hour")
    assert len(await db.fetch(waiting)) == 1, "a dead node serves nothing"


async def test_what_is_kept_of_a_waiting_run_moves_too_and_a_retry_goes_by_it(db: Session) -> None:
    early = await db.fetchval("select howdah.enqueue('early')")
    later = await db.fetchval("select howdah.enqueue('early', delay => '1 hour')")
    own = await db.fetchval("select howdah.enqueue('early', queue => 'mine', priority => 2)")
    await register(db, "early", "mail", 7)
    kept = {row["id"]: (row["queue"], row["priority"]) for row in await db.fetch(WAITING, [early, later, own])}
    assert kept == {early: ("mail", 7), later: ("mail", 7), own: ("mine", 2)}
    (held,) = [run for run in await world.claim(db, await world.join(db), room=10) if run.id == early]
    await world.send(db, world.outcome(held, Kind.FAILED))
    assert (await db.fetchrow(query("retry"), [early]))["answer"] == "reopened"
    assert await where(db, early) == ("early", "mail", -7)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("howdah.enqueue('x', '{}', metadata => '{\"a\": 1}')", "must have texts as values"),
        ("howdah.enqueue('', '{}')", "needs the name of a task"),
        ("howdah.enqueue(null, '{}')", "needs the name of a task"),
        ("howdah.enqueue('x', '[1]')", "must be a json object"),
        ("howdah.enqueue('x', 'null')", "must be a json object"),
        ("howdah.enqueue('x', null)", "must be a json object"),
        ("howdah.enqueue('x', '{}', priority => 40000)", "priority is 40000"),
        ("howdah.enqueue('x', '{}', queue => '')", "the name of a queue has 0 characters"),
        ("howdah.enqueue(repeat('x', 201), '{}')", "the name of a task has 201 characters"),
        ("howdah.submit('x', array['{}'], '{\"qeue\": 1}', false)", 'does not know the option "qeue"'),
        ("howdah.submit('x', array['{'], null, false)", "invalid input syntax for type json"),
    ],
)
async def test_sql_refuses_what_cannot_run_and_enqueues_nothing(db: Session, call: str, text: str) -> None:
    with pytest.raises(world.asyncpg.PostgresError, match=text):
        await db.fetch(f"select {call}")
    assert await db.fetchval("select count(*) from howdah.job") == 0


async def test_options_of_an_enqueue_are_kept_where_they_are_looked_for(db: Session) -> None:
    (run,) = await world.enqueue(db, timeout=9, retry={"attempts": 2}, tags=["a", "b"], metadata={"k": "v"}, expires=60)
    (claimed,) = await world.claim(db, await world.join(db))
    assert claimed.id == run
    assert claimed.tags == ["a", "b"]
    assert claimed.metadata == '{"k": "v"}'
    assert claimed.options == '{"retry": {"attempts": 2}, "timeout": 9}'
    assert await db.fetchval("select expires - howdah.clock() > '59 seconds' from howdah.job where id = $1", run)


async def test_delay_and_at_and_expiry_add_up(db: Session) -> None:
    at = await db.fetchval("select howdah.clock() + interval '1 hour'")
    (run,) = await world.enqueue(db, at=at.isoformat(), delay=60, expires=30)
    ((due, expires),) = await db.fetch("select due, expires from howdah.timer where id = $1", run)
    assert (due - at).total_seconds() == 60
    assert (expires - due).total_seconds() == 30
    (run,) = await world.enqueue(db, at="2020-01-01T00:00:00Z")
    assert await world.state(db, run) == "queued"
