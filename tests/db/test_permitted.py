"""What permitted roles do: whole nodes and clients run with the least there is, and nothing that an enqueuer says forges or
stops anything."""

import json
from contextlib import suppress
from typing import Any

import anyio
import asyncpg
import howdah
import pytest
from howdah import App, ConfigurationError, Retry

from . import world
from .roles import ENQUEUE, NODE, as_role, of
from .world import Session

pytestmark = pytest.mark.anyio


async def test_the_enqueuing_role_enqueues_from_sql_and_python_and_is_refused_the_rest(dsn: str, db: Session, roles: None) -> None:
    jobs = App(of(dsn, ENQUEUE))

    @jobs.task
    async def work(number: int = 0) -> int:
        return number

    before = await db.fetchval("select count(*) from howdah.run")
    async with as_role(dsn, ENQUEUE) as session, jobs:
        await session.fetchval("select howdah.enqueue('work', '{}', delay => '1 hour')")
        run = await work.enqueue(1)
        await work.options(delay=1, priority=3, queue="another", tags=["a"]).enqueue(2)
        await work.enqueue_many(work.call(number) for number in range(10))
        async with session.transaction():
            await work.options(conn=session).enqueue(3)
        for refused in (run.status, run.cancel, run.result, run.result):
            with pytest.raises(ConfigurationError, match="howdah grant ROLE --as"):
                await refused()
        with pytest.raises(ConfigurationError, match="howdah grant ROLE --as"):
            async with jobs.work():
                pass
        assert await work.enqueue(4)
    assert await db.fetchval("select count(*) from howdah.run") == before + 15


async def test_the_node_role_runs_a_whole_node(dsn: str, db: Session, roles: None) -> None:
    await db.execute(f"create table if not exists effect (run bigint); grant insert on effect to {NODE}")
    jobs = App(of(dsn, NODE), grace_s=2, hard_grace_s=2, heartbeat_s=0.1, lease_s=1)

    @jobs.task(retry=Retry(2, base=0.01))
    async def stubborn() -> int:
        if howdah.current_run().attempt == 1:
            raise KeyError("once")
        return 2

    @jobs.task
    async def store() -> None:
        async with howdah.transaction() as connection:
            await connection.execute("insert into effect values ($1)", howdah.current_run().id)

    @jobs.task
    def threaded(number: int) -> int:
        return number

    day = await db.fetchval("select max(substring(relname from '\\d+$')::int) from pg_class where relname ~ '^run_d\\d+$'")
    await db.execute(f"drop table howdah.run_d{day}, howdah.event_d{day}")
    async with jobs.work():
        assert await (await stubborn.enqueue()).result("10s") == 2
        await (await store.enqueue()).result("10s")
        runs = await threaded.enqueue_many(threaded.call(number) for number in range(500))
        assert [await run.result("10s") for run in runs] == list(range(500))
        later = await threaded.options(delay="1h").enqueue(1)
        assert await later.cancel() == "cancelled"
        assert str(await later.status()) == "cancelled"
    made = await db.fetchrow("select tableowner from pg_tables where schemaname = 'howdah' and tablename = $1", f"run_d{day}")
    assert made is not None, "upkeep made the missing day"
    assert made[0] == "postgres"
    assert await db.fetchval("select count(*) from effect") == 1


async def test_a_handler_enqueues_children_on_a_connection_of_a_role_that_may_only_enqueue(dsn: str, db: Session, roles: None) -> None:
    jobs = App(of(dsn, NODE), grace_s=2, hard_grace_s=2)

    @jobs.task
    async def child() -> int:
        return 1

    @jobs.task
    async def parent() -> int:
        async with as_role(dsn, ENQUEUE) as session, session.transaction():
            return (await child.options(conn=session, child="only").enqueue()).id

    async with jobs.work():
        run = await parent.enqueue()
        made = await run.result("10s")
        assert await child.attach(made).result("10s") == 1
    assert await db.fetchval("select parent from howdah.run where id = $1", made) == run.id


HOSTILE: list[tuple[str, Any]] = [
    ("[1]", None),
    ("5", None),
    ("null", None),
    ('"\\ud800"', None),
    ('{"number": 1e999}', None),
    ("{}", {"retry": "boo"}),
    ("{}", {"retry": {"attempts": -5, "base": "x"}}),
    ("{}", {"timeout": "soon"}),
    ("{}", {"timeout": -1}),
    ("{}", {"timeout": 1e308}),
    ("{}", {"tags": [None, 5, {}]}),
    ("{}", {"metadata": 5}),
    ("{}", {"metadata": {"a": [1]}}),
    ("{}", {"trace": 7}),
    ("{}", {"trace": {"traceparent": "x"}}),
    ("{}", {"on_parent_cancel": 9}),
    ("{}", {"expires": -1}),
    ("{}", {"at": "infinity"}),
    ("{}", {"unique_key": "x" * 1000}),
    ("{}", {"unique_args": "yes", "unique_for": -1}),
    ("{}", {"queue": "a queue that nobody has"}),
]


async def test_whatever_an_enqueuer_stores_nodes_go_on(dsn: str, db: Session, roles: None) -> None:
    jobs = App(of(dsn, NODE), grace_s=2, hard_grace_s=2, keep_longest_s=0.05)

    @jobs.task(name="target", retry=1)
    async def target(number: int = 0) -> int:
        run = howdah.current_run()
        return len(run.tags)

    async with jobs.work() as node, as_role(dsn, ENQUEUE) as session:
        for args, options in HOSTILE:
            with suppress(asyncpg.DataError):
                await session.fetchval(
                    "select ids[1] from howdah.submit('target', $1, $2, true)", [args], None if options is None else json.dumps(options)
                )
        for _ in range(3):
            assert await (await target.enqueue(1)).result("10s") == 0
        while await db.fetchval("select count(*) from howdah.job"):
            await anyio.sleep(0.01)
        assert not node.stopped.is_set()


async def test_an_event_of_a_node_that_holds_nothing_changes_nothing(dsn: str, db: Session, roles: None) -> None:
    (run,) = await world.enqueue(db)
    task = await db.fetchval("select task from howdah.run where id = $1", run)
    async with as_role(dsn, NODE) as session:
        await session.execute("insert into howdah.event (run, lease, node, task, kind) values ($1, 1, 1, $2, 1)", run, task)
    assert await world.state(db, run) == "queued"
    assert await db.fetchval("select verdict from howdah.stale_event where run = $1", run) == "stale"


async def test_an_enqueuer_cannot_make_children_of_runs_that_it_does_not_hold(dsn: str, db: Session, roles: None) -> None:
    (parent,) = await world.running(db)
    submit = "select ids[1] from howdah.submit('work', array['{}'], $1, true)"
    async with as_role(dsn, ENQUEUE) as session:
        for forged in ({}, {"node": 1}, {"node": parent.node + 1}):
            options = json.dumps({"parent": parent.id, "child": "welcome", **forged})
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="is not its own"):
                await session.fetchval(submit, options)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="is not its own"):
            await session.fetchval("select howdah.enqueue('work', parent => $1)", parent.id)
        # A handler on a connection of the user's: its node is known to nobody else.
        child = await session.fetchval(submit, json.dumps({"parent": parent.id, "child": "welcome", "node": parent.node}))
    assert await db.fetchval("select parent from howdah.run where id = $1", child) == parent.id
    async with as_role(dsn, NODE) as session:
        assert await session.fetchval(submit, json.dumps({"parent": parent.id, "child": "welcome"})) == child
    await db.execute(f"set role {ENQUEUE}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="is not its own"):
        await db.fetchval("select howdah.enqueue('work', parent => $1)", parent.id)
    await db.execute("reset role")


@pytest.mark.parametrize(
    ("defaults", "says"),
    [
        ({"on_failure": {}}, "on_failure"),
        ({"on_failure": {"task": "x"}}, "on_failure"),
        ({"on_failure": {"task": "x" * 201, "parameter": "p"}}, "on_failure"),
        ({"on_failure": {"task": "", "parameter": "p"}}, "on_failure"),
        ({"on_failure": 5}, "on_failure"),
        (5, "object"),
    ],
)
async def test_an_enqueuer_cannot_leave_behind_what_would_stop_settling(dsn: str, roles: None, defaults: Any, says: str) -> None:
    async with as_role(dsn, ENQUEUE) as session:
        with pytest.raises(asyncpg.DataError, match=says):
            await session.fetchval("select howdah.introduce('trap', 'default', 0::smallint, $1)", json.dumps(defaults))
