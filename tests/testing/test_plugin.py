"""The fixtures, as a project of somebody else uses them."""

import os
import sys
from pathlib import Path

import anyio
import asyncpg
import pytest
from howdah.embedded import Embedded

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
