"""CONTRACT 2.12: `howdah worker shop.main`: without `:attr` the single App in the module is taken; an attribute that is a FastAPI says so
and names the App found beside it. More of what it says: tests/cli/test_target.py.
"""

import signal
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from howdah.cli.target import find_app
from howdah.errors import ConfigurationError

from ..cli.programs import begin, howdah

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

MAIN = """
    from fastapi import FastAPI
    from howdah import App, Tasks
    from starlette.applications import Starlette

    jobs = App()
    app = FastAPI()
    site = Starlette()
    tasks = Tasks()
    jobs.include(tasks)

    @tasks.task
    async def greet(name: str) -> None:
        print("hello", name, flush=True)
"""

FASTAPI = "a FastAPI app (fastapi.applications.FastAPI), which serves HTTP"
STARLETTE = "a Starlette app (starlette.applications.Starlette), which serves HTTP"

SEVERAL = """
    from howdah import App

    jobs, mails = App(), App()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A package `shop` with modules of several kinds."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "main.py").write_text(textwrap.dedent(MAIN))
    (tmp_path / "shop" / "several.py").write_text(textwrap.dedent(SEVERAL))
    (tmp_path / "shop" / "web.py").write_text("from fastapi import FastAPI\n\napp = FastAPI()\n")
    return tmp_path


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder as the working directory of this process."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(folder)
    yield folder
    for name in {name for name in sys.modules if name.split(".")[0] == "shop"} - before:
        del sys.modules[name]


async def test_without_an_attribute_the_single_app_in_the_module_is_taken(dsn: str, db: Db, folder: Path) -> None:
    await db.fetchval("select howdah.enqueue('greet', '{\"name\": \"Ada\"}')")
    async with begin("worker", "shop.main", cwd=folder, HOWDAH_DSN=dsn) as worker:
        assert await worker.line() == "hello Ada"
        worker.send(signal.SIGTERM)
        assert (await worker.end())[0] == 0


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("shop.main:app", f"shop.main:app is {FASTAPI}, not a howdah.App. The App in it is shop.main:jobs."),
        ("shop.main:site", f"shop.main:site is {STARLETTE}, not a howdah.App. The App in it is shop.main:jobs."),
        ("shop.main:tasks", "shop.main:tasks is a howdah.Tasks, which an App includes, not a howdah.App. The App in it is shop.main:jobs."),
        ("shop.main:App", "shop.main:App is the class howdah.app.App, not a howdah.App. The App in it is shop.main:jobs."),
        ("shop.main:jobs.runs", "shop.main:jobs.runs is a howdah.management.runs.Runs, not a howdah.App. The App in it is shop.main:jobs."),
        ("shop.web:app", f"shop.web:app is {FASTAPI}, not a howdah.App. The module holds no App."),
        ("shop.main:job", "shop.main has no 'job'; did you mean jobs? The App in it is shop.main:jobs."),
        ("shop.several", "shop.several holds 2 Apps: jobs, mails. Say which, as in shop.several:jobs"),
        ("shop.mian", "there is no module 'shop.mian' in the package shop; did you mean shop.main?"),
        ("shpo.main", "there is no module 'shpo' in {cwd} or on Python's path; did you mean shop? ('shpo.main' was asked for)"),
        ("shop.main.jobs", "there is no module 'shop.main.jobs': shop.main is a module and no package; did you mean shop.main:jobs?"),
    ],
)  # fmt: skip
def test_whatever_else_is_named_the_error_says_what_was_found_there(here: Path, target: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        find_app(target)
    assert str(refused.value) == says.format(cwd=here)


def test_such_an_error_is_one_line_and_exit_code_1(folder: Path) -> None:
    refused = howdah("worker", "shop.several", cwd=folder)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "howdah: shop.several holds 2 Apps: jobs, mails. Say which, as in shop.several:jobs\n"
