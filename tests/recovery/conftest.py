"""Nodes as processes, a proxy, and a server to restart."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from howdah.config import configure
from howdah.db.migrate import migrate

from .nodes import EFFECTS, Fleet, Server, Session
from .proxy import Proxy


@pytest.fixture
def fleet(dsn: str, effects: Session, tmp_path: Path) -> Iterator[Fleet]:
    """Starts nodes on the test's database."""
    nodes = Fleet(dsn, tmp_path)
    yield nodes
    nodes.close()


@pytest.fixture
async def proxy(dsn: str, tmp_path: Path) -> AsyncIterator[Proxy]:
    """A way to the test's database that may be frozen or cut."""
    async with Proxy.to(dsn) as way:
        yield way


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server that the tests of one module may restart."""
    with tempfile.TemporaryDirectory(prefix="howdah-restart-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - root's server runs as another account
        server = Server(Path(folder) / "pg")
        yield server
        server.close()


@pytest.fixture
async def own_dsn(own_server: Server) -> AsyncIterator[str]:
    """A migrated database on that server."""
    admin = await asyncpg.connect(own_server.dsn())
    await admin.execute("drop database if exists work with (force)")
    await admin.execute("create database work")
    await admin.close()
    connection = await asyncpg.connect(own_server.dsn("work"))
    await migrate(connection, configure({}))
    await connection.execute(EFFECTS)
    await connection.close()
    yield own_server.dsn("work")
