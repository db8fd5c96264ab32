"""Migrations: fresh, again, at once, as a script for psql, and beside schemas of other releases."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from howdah.config import configure
from howdah.db.files import listing, query
from howdah.db.migrate import Applied, check, migrate, newest, number_of, script
from howdah.errors import ConfigurationError, SchemaMismatch

from . import world
from .world import Session

pytestmark = pytest.mark.anyio

CONFIG = configure({"ahead_days": 1, "hashes": 2})
NAMES = [name for name, _ in listing("migrations")]

Fresh = Callable[..., Awaitable[str]]


@asynccontextmanager
async def opened(dsn: str, **arguments: Any) -> AsyncGenerator[Session]:
    connection = await asyncpg.connect(dsn, **arguments)
    try:
        yield connection
    finally:
        connection.terminate()


async def shape(db: Session) -> list[str]:
    """Everything that a migration makes, as text."""
    columns = await db.fetch(
        """select format('%s.%s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull)
           from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
           where c.relnamespace = 'howdah'::regnamespace
           union all select pg_get_functiondef(p.oid) from pg_proc p where p.pronamespace = 'howdah'::regnamespace
           union all select format('%s: %s', name, number) from howdah.migration order by 1"""
    )
    return [row[0] for row in columns]


async def test_a_fresh_database_gets_the_whole_schema_and_works(fresh_dsn: Fresh) -> None:
    async with opened(await fresh_dsn(empty=True)) as db:
        assert await number_of(db) == 0
        assert await migrate(db, CONFIG) == Applied(0, newest(), NAMES)
        assert await number_of(db) == newest()
        await check(db)
        (run,) = await world.running(db)
        await world.send(db, world.outcome(run))
        assert await world.state(db, run.id) == "succeeded"


async def test_the_second_time_nothing_is_migrated_and_the_functions_are_as_this_code_has_them(fresh_dsn: Fresh) -> None:
    async with opened(await fresh_dsn(empty=True)) as db:
        await migrate(db, CONFIG)
        before = await shape(db)
        await db.execute("create or replace function howdah.settle() returns int language sql as 'select 7'")
        assert await migrate(db, CONFIG) == Applied(newest(), newest(), [])
        assert await shape(db) == before


async def test_of_two_that_migrate_at_once_one_works_and_the_other_finds_nothing_to_do(fresh_dsn: Fresh) -> None:
    dsn = await fresh_dsn(empty=True)
    async with opened(dsn) as one, opened(dsn) as two:
        applied = await asyncio.gather(migrate(one, CONFIG), migrate(two, CONFIG))
        assert sorted(applied, key=lambda each: each.before) == [Applied(0, newest(), NAMES), Applied(newest(), newest(), [])]


async def test_a_migration_under_load_waits_for_nobody_for_ever_and_loses_nothing(fresh_dsn: Fresh) -> None:
    dsn = await fresh_dsn()
    async with opened(dsn) as db, opened(dsn) as other:

        async def work() -> None:
            for _ in range(10):
                runs = await world.running(other, 20)
                await world.send(other, *map(world.outcome, runs))

        await asyncio.gather(work(), migrate(db, configure({})))
        assert await db.fetchval("select count(*) from howdah.event where kind = 1") == 200


def psql() -> list[str]:
    """The psql of this machine, wherever it is; runs a script and stops at the first error."""
    program = shutil.which("psql", path=os.pathsep.join([os.environ.get("HOWDAH_PG_BIN", ""), os.environ["PATH"]]))
    if program is None:
        pytest.skip("there is no psql on this machine")
    return [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]


async def test_the_script_does_the_same_through_psql_as_often_as_you_like(fresh_dsn: Fresh) -> None:
    command, text = psql(), script(CONFIG)
    scripted, migrated = await fresh_dsn(empty=True), await fresh_dsn(empty=True)
    for _ in range(2):
        done = await asyncio.to_thread(subprocess.run, [*command, scripted], input=text, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    async with opened(scripted) as db, opened(migrated) as other:
        await migrate(other, CONFIG)
        assert await shape(db) == await shape(other)
        await check(db)
        assert await migrate(db, CONFIG) == Applied(newest(), newest(), [])


async def test_the_script_is_one_transaction(fresh_dsn: Fresh) -> None:
    text = script(CONFIG)
    assert text.startswith("begin;")
    assert text.endswith("commit;\n")
    broken = text.removesuffix("commit;\n") + "select 1 / 0;\ncommit;\n"
    dsn = await fresh_dsn(empty=True)
    done = await asyncio.to_thread(subprocess.run, [*psql(), dsn], input=broken, text=True, capture_output=True, check=False)
    assert "division by zero" in done.stderr
    async with opened(dsn) as db:
        assert await number_of(db) == 0


async def test_a_schema_one_release_newer_is_worked_with_and_two_are_refused(fresh_dsn: Fresh) -> None:
    async with opened(await fresh_dsn()) as db:
        await db.execute(query("note_migration"), newest() + 1, "of the next release")
        await check(db)
        with pytest.raises(SchemaMismatch, match="nothing was changed"):
            await migrate(db, CONFIG)
        await db.execute(query("note_migration"), newest() + 2, "of the one after")
        with pytest.raises(SchemaMismatch, match="deploy a newer howdah"):
            await check(db)


async def test_an_older_schema_and_none_at_all_are_refused_with_the_mend(fresh_dsn: Fresh) -> None:
    async with opened(await fresh_dsn()) as db:
        await db.execute("update howdah.migration set number = number - 1")
        with pytest.raises(SchemaMismatch, match="run `howdah migrate`"):
            await check(db)
    async with opened(await fresh_dsn(empty=True)) as db:
        with pytest.raises(SchemaMismatch, match="no howdah schema: run `howdah migrate`"):
            await check(db)


async def test_a_role_without_rights_is_told_so_and_changes_nothing(fresh_dsn: Fresh) -> None:
    empty, made = await fresh_dsn(empty=True), await fresh_dsn()
    async with opened(empty) as admin:
        await admin.execute("drop role if exists powerless; create role powerless login")
    for dsn in (empty, made):
        async with opened(dsn) as admin:
            before = await number_of(admin)
            await admin.execute("set session authorization powerless")
            with pytest.raises(ConfigurationError, match="as the owner of the howdah schema"):
                await migrate(admin, CONFIG)
            await admin.execute("reset session authorization")
            assert await number_of(admin) == before


async def test_a_migration_that_fails_leaves_the_database_as_it_was(fresh_dsn: Fresh) -> None:
    async with opened(await fresh_dsn(empty=True)) as db:
        await db.execute("create schema howdah; create table howdah.run_default (mine text)")
        with pytest.raises(asyncpg.DuplicateSchemaError):
            await migrate(db, CONFIG)
        assert await db.fetchval("select to_regclass('howdah.job')") is None


def test_migrations_are_numbered_without_gaps_and_say_what_they_do() -> None:
    assert [int(name.split("_")[0]) for name in NAMES] == list(range(1, len(NAMES) + 1))
    for name, text in listing("migrations"):
        assert re.fullmatch(r"\d{4}_[a-z_]+", name)
        assert text.startswith("-- ")


def test_sql_stands_in_files_only() -> None:
    words = re.compile(r"\b(select|insert into|update \w+ set|delete from|create (table|function|index))\b.*\b(from|values|set|howdah\.)")
    sources = [path for path in Path(newest.__code__.co_filename).parents[1].rglob("*.py") if path.parent.name != "embedded"]
    assert len(sources) > 20
    found = []
    for path in sources:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if words.search(line.split("#")[0]) and '"""' not in line and "select howdah.enqueue" not in line:
                found.append(f"{path.name}:{number}: {line.strip()}")
    assert found == []
