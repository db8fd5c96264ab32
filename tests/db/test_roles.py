"""Least privilege: who may call which function and touch which table, all of them, and what each role is tried for.

A new function or table without a line here fails. `-` stands for nobody but the owner: functions call it, or upkeep."""

from contextlib import suppress

import asyncpg
import pytest
from howdah.config import configure
from howdah.db.migrate import migrate, script
from howdah.messages import EVENT_COLUMNS

from . import world
from .rights import FUNCTIONS, TABLES
from .roles import ENQUEUE, NODE, PUBLIC, READ, ROLES, as_role
from .world import Session

pytestmark = pytest.mark.anyio


async def test_who_may_call_each_function(db: Session, roles: None) -> None:
    rows = await db.fetch("select oid, proname from pg_proc where pronamespace = 'howdah'::regnamespace")
    assert {row["proname"] for row in rows} == set(FUNCTIONS), "each function needs a decision: who may call it"
    may = "select has_function_privilege($1, $2::oid, 'execute')"
    for row in rows:
        allowed = [letter for letter, role in ROLES.items() if await db.fetchval(may, role, row["oid"])]
        assert ("".join(allowed) or "-") == FUNCTIONS[row["proname"]], row["proname"]


async def test_who_may_read_each_table_and_that_nobody_may_write_one(db: Session, roles: None) -> None:
    rows = await db.fetch(
        """select c.oid, c.relname from pg_class c
           where c.relnamespace = 'howdah'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition"""
    )
    assert {row["relname"] for row in rows} == set(TABLES), "each table needs a decision: who may read it"
    every = await db.fetch("select oid, relname from pg_class where relnamespace = 'howdah'::regnamespace and relkind in ('r', 'p', 'v')")
    some = "select has_any_column_privilege($1, $2::oid, $3)"
    whole = "select has_table_privilege($1, $2::oid, 'insert,update,delete,truncate,references,trigger')"
    for row in every:
        name, oid = row["relname"], row["oid"]
        allowed = [letter for letter, role in ROLES.items() if await db.fetchval(some, role, oid, "select")]
        assert ("".join(allowed) or "-") == TABLES.get(name, "-"), name
        for role in ROLES.values():
            door = name == "enqueue_view" and role != READ
            seat = name == "seat" and role == NODE  # It has no columns: to delete from it is the right to lock it.
            assert await db.fetchval(whole, role, oid) == (door or seat), name
            written = await db.fetchval(some, role, oid, "insert,update,references")
            assert written == (door or (role == NODE and name == "event")), name


async def test_nobody_but_the_owner_has_sequences_the_schema_or_the_right_to_grant(db: Session, roles: None) -> None:
    for role in ROLES.values():
        assert not await db.fetchval("select has_schema_privilege($1, 'howdah', 'create')", role)
        assert not await db.fetchval("select has_schema_privilege($1, 'howdah', 'usage with grant option')", role)
        assert not await db.fetchval(
            """select bool_or(has_sequence_privilege($1, c.oid, 'usage,select,update')) from pg_class c
               where c.relnamespace = 'howdah'::regnamespace and c.relkind = 'S'""",
            role,
        )


async def test_nothing_is_left_to_the_public_and_no_role_can_pass_on_what_it_has(dsn: str, db: Session, roles: None) -> None:
    assert await db.fetch(PUBLIC) == []
    for role in ROLES.values():
        async with as_role(dsn, role) as session:
            # Postgres warns, where something is held without the right to grant it, and does nothing.
            for passed in ("usage on schema howdah", "select on howdah.migration", "all on all functions in schema howdah"):
                with suppress(asyncpg.InsufficientPrivilegeError):
                    await session.execute(f"grant {passed} to public")
    assert await db.fetch(PUBLIC) == []


async def test_a_node_inserts_what_an_outcome_has(db: Session, roles: None) -> None:
    for column in await db.fetch("select attname from pg_attribute where attrelid = 'howdah.event'::regclass and attnum > 0"):
        may = await db.fetchval("select has_column_privilege($1, 'howdah.event', $2, 'insert')", NODE, column[0])
        assert may == (column[0] in EVENT_COLUMNS), column[0]


MISDEEDS = [
    "create table howdah.mine (a int)",
    "create function howdah.mine() returns int language sql as 'select 1'",
    "create or replace function howdah.settle() returns int language sql security definer as 'select 1'",
    "alter table howdah.job add column mine int",
    "drop table howdah.job",
    "drop function howdah.settle()",
    "drop schema howdah cascade",
    "truncate howdah.job",
    "do $$ begin lock table howdah.job in access exclusive mode; end $$",
    "alter table howdah.event disable trigger fold",
    "select howdah.permit(current_user, 'node')",
    "select howdah.protect()",
    "select howdah.add_day(1, 4)",
    "select howdah.set_retention('default', 1)",
    "select args from howdah.run",
    "select * from howdah.event",
    "select * from howdah.job",
    "update howdah.task set defaults = '{}'",
    "delete from howdah.node",
    "insert into howdah.role values (current_user, 'node')",
    "insert into howdah.migration (number, name) values (99, 'x')",
    "insert into howdah.run (id, task, queue, priority, args) values (1, 1, 1, 0, '{}')",
    "insert into howdah.event (run, task, kind, at) values (1, 1, 1, now())",
    "select * from theirs.secret",
    "select nextval('howdah.lease_number')",
]
BEYOND_ENQUEUE = [
    "insert into howdah.event (run, lease, node, task, kind) values (1, 1, 1, 1, 1)",
    "copy howdah.event (run, lease, node, task, kind) from stdin",
]
CALLS = """
select p.proname, format('select howdah.%I(%s)', p.proname, (
  select string_agg('null::' || format_type(t, null), ', ' order by n) from unnest(p.proargtypes) with ordinality a(t, n)
)) from pg_proc p where p.pronamespace = 'howdah'::regnamespace and p.prorettype <> 'trigger'::regtype
"""


@pytest.mark.parametrize("role", ROLES.values())
async def test_a_role_is_tried_for_what_none_may_do(dsn: str, db: Session, roles: None, role: str) -> None:
    await db.execute("create schema if not exists theirs; create table if not exists theirs.secret (a int)")
    async with as_role(dsn, role) as session:
        for misdeed in MISDEEDS:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await session.execute(misdeed)
                pytest.fail(f"{role} did this: {misdeed}")


@pytest.mark.parametrize("role", [ENQUEUE, READ])
async def test_who_only_enqueues_or_reads_writes_no_events(dsn: str, roles: None, role: str) -> None:
    async with as_role(dsn, role) as session:
        for misdeed in BEYOND_ENQUEUE:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await session.execute(misdeed)
                pytest.fail(f"{role} did this: {misdeed}")


@pytest.mark.parametrize("letter", ROLES)
async def test_each_function_that_a_role_may_not_call_refuses_it(dsn: str, db: Session, roles: None, letter: str) -> None:
    calls = await db.fetch(CALLS)
    async with as_role(dsn, ROLES[letter]) as session:
        for name, call in calls:
            if letter not in FUNCTIONS[name]:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await session.execute(call)
                    pytest.fail(f"{ROLES[letter]} did this: {call}")


async def test_a_node_cannot_say_what_only_control_functions_say(dsn: str, db: Session, roles: None) -> None:
    (run,) = await world.enqueue(db)
    task = await db.fetchval("select task from howdah.run where id = $1", run)
    async with as_role(dsn, NODE) as session:
        for kind in (16, 17, 18, 19, 20, 21, 22, 23):
            with pytest.raises(asyncpg.CheckViolationError, match="event_sender"):
                await session.execute("insert into howdah.event (run, task, kind) values ($1, $2, $3)", run, task, kind)
    assert await world.state(db, run) == "queued"


async def test_the_reading_role_sees_runs_without_what_was_passed_and_returned(dsn: str, db: Session, roles: None) -> None:
    (run,) = await world.enqueue(db)
    async with as_role(dsn, READ) as session:
        assert await session.fetchval("select state from howdah.runs where id = $1", run) == "queued"
        for view in ("unimplemented", "misfits", "nodes", "queue_stats", "task_stats"):
            await session.fetch(f"select * from howdah.{view}")
        for column in ("args", "result", "error", "metadata", "progress"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await session.fetch(f"select {column} from howdah.runs where id = $1", run)


async def test_a_node_cannot_drop_history_before_its_time(dsn: str, roles: None) -> None:
    async with as_role(dsn, NODE) as session:
        for days in (0, -10_000, None):
            with pytest.raises(asyncpg.DataError, match="kept for at least a day"):
                await session.fetchval("select howdah.old_days($1)", days)
        with pytest.raises(asyncpg.DataError, match="kept for at least a day"):
            await session.fetchval("select howdah.drop_day(100000)")


async def test_a_migration_grants_again_what_is_new_and_forgets_roles_that_are_gone(dsn: str, db: Session, roles: None) -> None:
    await db.execute("drop function howdah.hint(int, int, smallint, bigint, text, bigint)")
    await db.execute("create function howdah.stray() returns int language sql as 'select 1'")
    await db.execute("insert into howdah.role values ('howdah_gone', 'node')")
    try:
        await migrate(db, configure({}))
        assert await db.fetchval(
            "select has_function_privilege($1, 'howdah.hint(int, int, smallint, bigint, text, bigint)', 'execute')", ENQUEUE
        )
        assert not await db.fetchval("select has_function_privilege($1, 'howdah.stray()', 'execute')", NODE)
        assert {row[0] for row in await db.fetch("select name from howdah.role")} == set(ROLES.values())
    finally:
        await db.execute("drop function howdah.stray()")
    assert "select howdah.protect();" in script(configure({}))


async def test_a_role_may_be_of_several_kinds_and_is_forbidden_all_of_them(dsn: str, db: Session, roles: None) -> None:
    await db.fetchval("select howdah.permit($1, 'enqueue')", READ)
    async with as_role(dsn, READ) as session:
        assert await session.fetchval("select howdah.enqueue('work')")
        assert await session.fetch("select * from howdah.unimplemented")
        await db.execute(f"select howdah.forbid('{READ}')")
        for asked in ("select howdah.enqueue('work')", "select * from howdah.unimplemented", "select * from howdah.migration"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await session.execute(asked)
    await migrate(db, configure({}))
    assert await db.fetchval("select count(*) from howdah.role where name = $1", READ) == 0
