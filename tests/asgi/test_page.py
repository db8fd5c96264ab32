"""Every block of Python in docs/asgi.md runs as it stands: each is a file, which its first line names, and they are one project."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from ..recovery.nodes import Session

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs/asgi.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SETTINGS = 'SECRET_KEY = "x"\nALLOWED_HOSTS = ["*"]\nROOT_URLCONF = "project.urls"\n'
CONFTEST = """
import pytest

pytest_plugins = ["howdah.testing.plugin"]

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""

SERVE = """
import sys, warnings
warnings.simplefilter("ignore")
from importlib import import_module
import asyncpg
from starlette.testclient import TestClient

async def nodes(dsn):
    conn = await asyncpg.connect(dsn)
    number = await conn.fetchval("select count(*) from howdah.node")
    await conn.close()
    return number

for name, requests in eval(sys.argv[1]).items():
    module = import_module(name)
    with TestClient(getattr(module, "app", None) or module.application) as client:
        answers = [client.request(method, path, params=words).status_code for method, path, words in requests]
        print(name, *answers, "with", client.portal.call(nodes, module.jobs.config.dsn), "node")
"""
ASKED: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    "shop": [("POST", "/users", {"email": "a@b.c"}), ("POST", "/plain", {"email": "a@b.c"})],
    "pooled": [("POST", "/users", {"email": "a@b.c"})],
    "by_starlette": [],
    "by_litestar": [],
    "by_quart": [],
    "by_django": [("GET", "/nothing", {})],
    "chosen": [],
    "mounted": [("POST", "/shop/users", {"email": "a@b.c"})],
}
ANSWERED = """\
shop 202 200 with 1 node
pooled 202 with 1 node
by_starlette with 1 node
by_litestar with 1 node
by_quart with 1 node
by_django 404 with 1 node
chosen with 1 node
mounted 202 with 1 node
"""


def name_of(block: str) -> str:
    first = block.split("\n", 1)[0]
    found = re.fullmatch(r"# (\w+)\.py", first)
    assert found, f"a block does not begin with the name of its file: {first}"
    return found[1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for block in BLOCKS:
        (tmp_path / f"{name_of(block)}.py").write_text(block)
    (tmp_path / "project").mkdir()
    (tmp_path / "project/settings.py").write_text(SETTINGS)
    (tmp_path / "project/urls.py").write_text("urlpatterns = []\n")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    return tmp_path


async def run(project: Path, dsn: str, *arguments: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOWDAH_DSN": dsn, "HOWDAH_TEST_DSN": dsn, "HOWDAH_LIFESPAN_GRACE_S": "2", "HOWDAH_HAND_BACK_S": "1"}
    program = [sys.executable, *arguments]
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(program, cwd=project, env=env, capture_output=True, text=True, timeout=60, check=False)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_each_program_of_the_page_enqueues_and_works(project: Path, dsn: str, db: Session) -> None:
    assert await run(project, dsn, "-c", SERVE, repr(ASKED)) == ANSWERED
    assert await db.fetchval("select count(*) from howdah.node") == 0
    assert await db.fetchval("select count(*) from howdah.run") == 4


async def test_the_tests_of_the_page_pass(project: Path, dsn: str) -> None:
    options = ["-W", "ignore", "-p", "no:cacheprovider"]
    assert "2 passed" in await run(project, dsn, "-m", "pytest", "-q", *options, "test_shop.py", "test_stage.py")


def test_every_block_of_the_page_is_run_by_this_file() -> None:
    assert {name_of(block) for block in BLOCKS} == {*ASKED, "test_shop", "test_stage"}


def test_the_page_begins_with_when_not_to_work_in_the_web_process() -> None:
    assert PAGE.split("\n")[2] == "## When not to work in the web process"
