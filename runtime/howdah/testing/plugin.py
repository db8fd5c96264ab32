"""Fixtures of pytest: a Postgres for the session, a database for each test, and an app in it.

In conftest.py: `pytest_plugins = ["howdah.testing.plugin"]`. The server is HOWDAH_TEST_DSN where that is set, else the embedded
one, started for the session. Under pytest-xdist each worker clones databases from a template of its own.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable, Coroutine, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ..app import App
from ..dependencies import Provider
from ..embedded import Embedded
from .databases import Databases
from .stage import Stage

T = TypeVar("T")


@pytest.fixture(scope="session")
def howdah_server() -> Generator[str, None, None]:
    """The DSN of a server where databases may be created."""
    given = os.environ.get("HOWDAH_TEST_DSN")
    if given:
        yield given
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="howdah-tests-")))
        folder.chmod(0o755)  # Started by root, the server runs as another account.
        server = Embedded(folder / "pg", settings={"fsync": "off"}).start()
        stack.callback(server.release)
        stack.callback(server.stop)
        yield server.dsn("postgres")


@pytest.fixture(scope="session")
def howdah_databases(howdah_server: str) -> Generator[Databases, None, None]:
    """Databases of this session."""
    databases = Databases(howdah_server)
    yield databases
    _apart(databases.close())


@pytest.fixture
def howdah_dsn(howdah_databases: Databases) -> Generator[str, None, None]:
    """The DSN of a migrated, empty database for this test alone."""
    dsn = _apart(howdah_databases.make())
    yield dsn
    _apart(howdah_databases.drop(dsn))


@pytest.fixture
def howdah_stage(howdah_dsn: str) -> Callable[..., Stage]:
    """Stages of apps in this test's database. Enter what it returns with `async with`."""

    def make(jobs: App, *, instead: Mapping[Provider, Provider] | None = None) -> Stage:
        return Stage(jobs, howdah_dsn, instead=instead)

    return make


def _apart(work: Coroutine[Any, Any, T]) -> T:
    """Awaits something that has no loop of its own to stay on, whatever loop a plugin for async tests runs here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
