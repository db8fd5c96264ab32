"""Every block of docs/standalone.md is run as it stands there."""

import asyncio
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from .cli.programs import Program, begin, environment

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

PAGE = (Path(__file__).parents[1] / "docs" / "standalone.md").read_text()
LASTING = ("howdah worker ", "howdah dev ")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


LINES = [line for block in blocks("sh") for line in block.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (shop,) = blocks("python")
    (tmp_path / "shop.py").write_text(shop)
    return tmp_path


@pytest.fixture
async def worker(dsn: str, folder: Path) -> AsyncIterator[Program]:
    async with begin("worker", "shop", cwd=folder, HOWDAH_DSN=dsn) as program:
        await program.told("Ready")
        yield program


def shell(line: str, folder: Path, **said: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", line], cwd=folder, env={**environment(said), "PATH": path}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith(LASTING)])
async def test_what_stays_starts_and_drains(dsn: str, folder: Path, line: str) -> None:
    words = shlex.split(line)[1:]
    async with begin(*words, cwd=folder, HOWDAH_DSN=dsn) as program:
        await program.told('"ready"' if "--json" in words else "Ready")
        program.send(signal.SIGTERM)
        assert (await program.end())[0] == 0


async def test_what_ends_ends_well(dsn: str, db: Db, folder: Path, worker: Program) -> None:
    name = await db.fetchval("select name from howdah.nodes")
    ending = [line for line in LINES if not line.startswith(LASTING)]
    said = {line: await asyncio.to_thread(shell, line, folder, HOWDAH_DSN=dsn, NODE=name) for line in ending}
    assert '"welcome aboard, you"\n' in said.values()
    assert (await worker.end())[0] == 0, "the last line drains it"


async def test_the_sql_pauses_and_resumes_queues_and_tasks(db: Db) -> None:
    await db.execute("select howdah.introduce('imports')")
    pause, resume, both = blocks("sql")[0].strip().splitlines()
    await db.execute(pause)
    assert await db.fetchval("select count(*) from howdah.paused where queue is not null") == 1
    await db.execute(resume)
    await db.execute(both)
    assert await db.fetchval("select count(*) from howdah.paused") == 0


async def test_the_sql_tells_nodes(db: Db) -> None:
    (_, statement) = blocks("sql")
    await db.execute("select howdah.join_node(1, 'seven', 'worker-7', 1, '1', '{}', '{}', null, 60)")
    await db.execute(statement)
    assert await db.fetchval("select ordered from howdah.nodes") == "pause"


def test_no_block_is_left_out() -> None:
    assert set(re.findall(r"^```(\w*)$", PAGE, re.MULTILINE)) == {"python", "sh", "sql", ""}
