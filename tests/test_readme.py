"""Every block of README.md runs as it stands there; the first one in tests/contract/test_2_14_words.py."""

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio.to_thread
import asyncpg
import howdah
import pytest
from howdah import App
from packaging.requirements import Requirement

from .cli.programs import Program, begin, environment
from .house.test_constraints import PROJECT

pytestmark = pytest.mark.anyio

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SHELL = [text for language, text in BLOCKS if not language]
FIRST, SHOP, SCRIPT, WEB, VIEW, TOUR, INSIDE = (text for language, text in BLOCKS if language == "python")
(STATEMENT,) = (text for language, text in BLOCKS if language == "sql")

ASKED = """
from fastapi.testclient import TestClient
from web import app

with TestClient(app) as client:
    print(client.post("/users", params={"email": "c@b.c"}).raise_for_status().json())
"""

VIEWED = """
import sys
from django.conf import settings

place = {"ENGINE": "django.db.backends.postgresql", "NAME": sys.argv[1], "HOST": sys.argv[2], "USER": "postgres"}
settings.configure(DATABASES={"default": place})
from django.test import RequestFactory
from views import users

print(users(RequestFactory().post("/users", {"email": "d@b.c"})).status_code)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("shop", SHOP), ("script", SCRIPT), ("web", WEB), ("views", VIEW)):
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


@pytest.fixture
async def worker(dsn: str, folder: Path) -> AsyncIterator[Program]:
    _, word, target, *_ = shlex.split(SHELL[2], comments=True)
    assert (word, target) == ("worker", "shop")
    async with begin(word, target, cwd=folder, HOWDAH_DSN=dsn) as program:
        await program.told("Ready")
        yield program


async def run(folder: Path, dsn: str, *words: str) -> str:
    """What it prints."""
    env = environment({"HOWDAH_DSN": dsn, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_in_one_sitting_it_is_enqueued_from_four_places(dsn: str, folder: Path, worker: Program) -> None:
    psql = SHELL[3]
    assert "(1 row)" in await run(folder, dsn, "sh", "-c", psql)
    assert await worker.line() == "to a@b.c: welcome aboard, user 1"
    assert await run(folder, dsn, sys.executable, "script.py") == "b@b.c\n"
    assert await worker.line() == "to b@b.c: welcome aboard, user 2"
    assert int(await run(folder, dsn, sys.executable, "-W", "ignore", "-c", ASKED)) > 0
    assert await worker.line() == "to c@b.c: welcome aboard, user 3"
    at = urlsplit(dsn)
    assert await run(folder, dsn, sys.executable, "-c", VIEWED, at.path[1:], parse_qs(at.query)["host"][0]) == "201\n"
    assert await worker.line() == "to d@b.c: welcome aboard, user 4"


async def test_what_comes_before_it_is_there(dsn: str, folder: Path) -> None:
    install, start = SHELL[0].splitlines()
    (package,) = [Requirement(word) for word in shlex.split(install)[2:]]
    assert package.extras <= set(PROJECT["project"]["optional-dependencies"])
    assert start.startswith("howdah db start "), "tests/embedded/test_cli.py"
    export, migrate = SHELL[1].splitlines()
    assert export.startswith("export HOWDAH_DSN=postgresql://")
    assert "already" in await run(folder, dsn, "sh", "-c", migrate)


async def test_the_tour_goes_as_it_says(jobs: App, db: asyncpg.Connection) -> None:
    @jobs.task
    async def welcome(user_id: int, email: str) -> str:
        return email

    names: dict[str, Any] = {"welcome": welcome, "users": [SimpleNamespace(id=1, email="a@b.c")] * 3}
    code = compile(TOUR, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    async with jobs.work():
        await _awaited(code, names)
        assert await db.fetchval(STATEMENT)
        assert await db.fetchval("select count(*) from howdah.run") == 6
        assert len(await jobs.runs.list(tags="crm", metadata={"tenant": "7"})) == 1


async def test_inside_of_a_task_it_goes_as_it_says(jobs: App, db: asyncpg.Connection) -> None:
    await db.execute("create table charge (order_id int, receipt text default 'r7')")
    names: dict[str, Any] = {**vars(howdah), "jobs": jobs}
    charge, *raised = ast.parse(INSIDE).body
    exec(compile(ast.Module([charge], []), "README.md", "exec"), names)
    async with jobs.work():
        assert await (await names["charge"].enqueue(5)).result("10s") == "r7"
    assert await db.fetchval("select count(*) from charge") == 1
    for statement, kind in zip(raised, (howdah.Snooze, howdah.GiveUp), strict=True):
        with pytest.raises(kind):
            exec(compile(ast.Module([statement], []), "README.md", "exec"), names)


async def _awaited(code: CodeType, names: dict[str, Any]) -> None:
    await eval(code, names)


def test_no_block_is_left_out() -> None:
    assert len(SHELL) == 4
    assert {language for language, _ in BLOCKS} == {"", "python", "sql"}
    assert FIRST.startswith("import asyncpg")
