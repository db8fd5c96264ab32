"""The fixtures, as a project of somebody else uses them."""

import os
import sys
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest
from howdah.db.migrate import migrate
from howdah.embedded import Embedded
from howdah.testing import Databases

pytestmark = pytest.mark.anyio

CONFTEST = 'pytest_plugins = ["howdah.testing.plugin"]\n'

TESTS = """
import pytest
from howdah import App

jobs = App()
done = []

@jobs.task
async def welcome(email: str) -> None:
    done.append(email)

@pytest.mark.anyio
@pytest.mark.parametrize("number", range(4))
async def test_each_has_a_database_of_its_own(howdah_stage, anyio_backend, number):
    async with howdah_stage(jobs) as stage:
        assert await stage.enqueued() == []
        await welcome.enqueue(f"{number}@b.c")
        await stage.run_until_idle()
        assert done[-1] == f"{number}@b.c"

@pytest.fixture
def anyio_backend():
    return "asyncio"

def test_the_database_is_there_without_a_loop(howdah_dsn):
    with jobs.redirected(howdah_dsn):
        assert welcome.enqueue_sync("sync@b.c").created
"""


async def test_each_test_has_a_database_also_under_xdist_and_none_is_left(server: Embedded, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_shop.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", str(tmp_path)]
    with anyio.fail_after(120):
        done = await anyio.run_process(command, check=False, cwd=tmp_path, env={**os.environ, "HOWDAH_TEST_DSN": server.dsn("postgres")})
    assert "5 passed" in done.stdout.decode(), done.stdout.decode() + done.stderr.decode()
    admin = await asyncpg.connect(server.dsn("postgres"))
    assert await admin.fetch("select datname from pg_database where datname like 'howdah_test%'") == []
    await admin.close()


async def test_databases_are_cloned_from_one_that_was_migrated_once(server: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    migrated: list[object] = []

    async def counted(connection: Any, config: Any) -> object:
        migrated.append(connection)
        return await migrate(connection, config)

    monkeypatch.setattr("howdah.testing.databases.migrate", counted)
    made = Databases(server.dsn("postgres"))
    first, second = [await made.make() for _ in range(2)]
    for dsn in (first, second):
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval("select count(*) from howdah.migration") > 0
        await connection.close()
        await made.drop(dsn)
    await made.close()
    assert (first != second, len(migrated)) == (True, 1)
