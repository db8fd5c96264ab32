"""One Postgres for the session, a migrated template in it, and a database of its own for each test.

HOWDAH_PG_BIN chooses the binaries (the suite runs on Postgres 15 and 18). Databases are isolated from one another,
notifications included, so names never need prefixes.
"""

import asyncio
import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
import uvloop
from howdah import App
from howdah.config import configure
from howdah.db.migrate import migrate
from howdah.embedded import Embedded

from .recovery.nodes import EFFECTS

SETTINGS = {"fsync": "off", "shared_buffers": "128MB", "max_connections": "200", "wal_level": "minimal", "max_wal_senders": "0"}

os.environ["HOWDAH_AHEAD_DAYS"] = "1"  # A database is cloned for each test, and each day is thirty files more.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # Each process that a test starts would compile the package.


def in_memory(folder: str = "/dev/shm", least: int = 4 << 30) -> bool:
    """Whether temporary files may be there, servers and programs among them. A clone makes 500 files: that costs a disk half a second."""
    try:
        place = os.statvfs(folder)
    except OSError:
        return False
    return place.f_bavail * place.f_frsize >= least and not place.f_flag & os.ST_NOEXEC and os.access(folder, os.W_OK)


if "TMPDIR" not in os.environ and in_memory():
    os.environ["TMPDIR"] = tempfile.tempdir = "/dev/shm"

Connect = Callable[..., Awaitable["asyncpg.Connection[asyncpg.Record]"]]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def server() -> Iterator[Embedded]:
    """The Postgres of this session, in a folder of its own that any account can reach."""
    with tempfile.TemporaryDirectory(prefix="howdah-tests-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - root's server runs as another account
        postgres = Embedded(Path(folder) / "pg", settings=SETTINGS).start()
        try:
            yield postgres
        finally:
            postgres.stop()
            postgres.release()


@pytest.fixture(scope="session")
def template(server: Embedded) -> str:
    """A migrated database to clone."""

    async def make() -> None:
        connection = await asyncpg.connect(server.dsn("postgres"))
        await connection.execute("create database howdah_template")
        await connection.close()
        connection = await asyncpg.connect(server.dsn("howdah_template"))
        await migrate(connection, configure({}))
        await connection.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(make())
    return "howdah_template"


@pytest.fixture
async def dsn(server: Embedded, template: str) -> AsyncIterator[str]:
    """A migrated database for this test alone."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute(f"create database {name} template {template}")
    yield server.dsn(name)
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture
async def db(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection to look at the test's database with."""
    connection = await asyncpg.connect(dsn)
    yield connection
    connection.terminate()


@pytest.fixture
async def effects(db: "asyncpg.Connection[asyncpg.Record]") -> "asyncpg.Connection[asyncpg.Record]":
    """The test's database, with a table for what tasks did."""
    await db.execute(EFFECTS)
    return db


@pytest.fixture
async def connect(dsn: str) -> AsyncIterator["Connect"]:
    """Further sessions in the test's database."""
    async with AsyncExitStack() as stack:

        async def one(**settings: str) -> "asyncpg.Connection[asyncpg.Record]":
            connection = await asyncpg.connect(dsn, server_settings=settings)
            stack.callback(connection.terminate)
            return connection

        yield one


@pytest.fixture
def jobs(dsn: str) -> App:
    """An app on the test's database, without tasks yet."""
    return App(dsn, grace_s=2, hard_grace_s=2)
