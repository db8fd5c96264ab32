"""`howdah migrate`, `howdah tasks`, and what all commands have in common."""

import json
import subprocess

import asyncpg
import pytest
from howdah.embedded import Embedded, client_program

from .programs import asked, beside

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


async def test_a_database_is_migrated_checked_and_left_alone_the_second_time(server: Embedded, db: Db) -> None:
    await db.execute("drop database if exists fresh with (force)")
    await db.execute("create database fresh")
    dsn = server.dsn("fresh")

    behind = await beside("migrate", "--check", HOWDAH_DSN=dsn)
    first = await beside("migrate", HOWDAH_DSN=dsn)
    second = await beside("migrate", "--dsn", dsn)
    there = await beside("migrate", "--check", HOWDAH_DSN=dsn)

    assert behind.exit_code == 1
    assert behind.stderr == "howdah: this database has no howdah schema: run `howdah migrate`\n"
    assert (first.exit_code, second.exit_code, there.exit_code) == (0, 0, 0)
    assert first.stdout.startswith("Applied 0001_spine")
    assert "already" in second.stdout
    assert there.stdout.startswith("The schema is up to date")
    await db.execute("drop database fresh with (force)")


async def test_the_printed_sql_is_nothing_but_sql_and_does_the_same_through_psql(server: Embedded, db: Db) -> None:
    await db.execute("drop database if exists by_hand with (force)")
    await db.execute("create database by_hand")
    printed = await beside("migrate", "--sql", HOWDAH_DSN="postgresql://nobody@127.0.0.1:1/none")
    assert (printed.exit_code, printed.stderr) == (0, "")

    program = client_program("psql") or "psql"
    for _ in range(2):
        psql = [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", server.dsn("by_hand")]
        done = subprocess.run(psql, input=printed.stdout, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    assert (await beside("migrate", "--check", HOWDAH_DSN=server.dsn("by_hand"))).exit_code == 0
    by_hand = await asyncpg.connect(server.dsn("by_hand"))
    assert await by_hand.fetchval("select howdah.enqueue('anything')") > 0
    await by_hand.close()
    await db.execute("drop database by_hand with (force)")


async def test_tasks_lists_the_catalogue_and_what_waits_for_nobody(dsn: str, db: Db) -> None:
    nothing = await beside("tasks", HOWDAH_DSN=dsn)
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "no tasks yet" in nothing.stderr
    await db.fetchval("select howdah.enqueue('orphan', queue => 'far')")
    await db.fetchval("select howdah.register('known', 'default', 0::smallint, '{}', null, null, 'hash')")

    told = (await beside("tasks", HOWDAH_DSN=dsn)).stdout.splitlines()
    lines = [json.loads(line) for line in (await beside("tasks", "--json", HOWDAH_DSN=dsn)).stdout.splitlines()]

    assert [line.split()[0] for line in told] == ["TASK", "known", "orphan"]
    assert "no living node takes them" in told[2]
    assert [line["task"] for line in lines] == ["known", "orphan"]
    assert [line["implemented"] for line in lines] == [True, False]
    assert lines[0]["waiting_since"] is None
    assert lines[1]["waiting_since"] is not None


def test_each_command_and_option_explains_itself() -> None:
    top = asked("--help")
    assert top.exit_code == 0
    for name in ("db", "demo", "grant", "migrate", "tasks", "worker"):
        assert name in top.stdout
        help_text = asked(name, "-h")
        assert help_text.exit_code == 0
        assert help_text.stdout.startswith(f"Usage: python -m howdah {name}") or help_text.stdout.startswith(f"Usage: howdah {name}")


def test_wrong_usage_exits_with_2() -> None:
    assert asked("migrate", "--sql", "--check").exit_code == 2
    assert asked("dance").exit_code == 2
    assert asked("worker").exit_code == 2
