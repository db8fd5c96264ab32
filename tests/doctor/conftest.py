"""A server of the tests' own: with settings as people have them, and one database for each test."""

import asyncio
import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from howdah.config import configure
from howdah.db.migrate import migrate
from howdah.embedded import Embedded
from howdah.embedded.account import account_for
from howdah.embedded.binaries import major_version, reachable_binaries

from ..pooler.bouncer import Bouncer
from ..pooler.conftest import before
from .clinic import Clinic

SETTINGS = {"max_prepared_transactions": "5", "autovacuum_naptime": "1h"}
"""Prepared transactions are possible, and nobody but the test vacuums."""

SMALL_QUEUE = {"max_notify_queue_pages": "64"}
"""Before Postgres 17 the queue of notifications holds eight gigabytes, whatever is said."""

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def own_server() -> Iterator[Embedded]:
    with tempfile.TemporaryDirectory(prefix="howdah-doctor-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - root's server runs as another account
        base = Path(folder) / "pg"
        account = account_for(base)
        modern = major_version(reachable_binaries(Path(folder), account), account) >= 17
        server = Embedded(base, settings=SETTINGS | (SMALL_QUEUE if modern else {})).start()
        try:
            asyncio.run(_prepare(server))
            yield server
        finally:
            server.stop()
            server.release()


async def _prepare(server: Embedded) -> None:
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute("create database template_of_ours")
    await admin.close()
    template = await asyncpg.connect(server.dsn("template_of_ours"))
    await migrate(template, configure({}))
    await template.close()


@pytest.fixture
async def clinic(own_server: Embedded) -> AsyncIterator[Clinic]:
    """A database of this test, in which nothing is to be found. What was set for the server is taken back afterwards."""
    name = f"clinic_{next(_numbers)}"
    admin = await asyncpg.connect(own_server.dsn("postgres"))
    await admin.execute(f"create database {name} template template_of_ours")
    await admin.close()
    db = await asyncpg.connect(own_server.dsn(name))
    here = Clinic(own_server, own_server.dsn(name), db)
    await here.falls_silent()
    yield here
    here.db.terminate()
    admin = await asyncpg.connect(own_server.dsn("postgres"))
    await admin.execute("alter system reset all")
    await admin.execute("select pg_reload_conf()")
    await admin.execute("alter role postgres reset all")
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture
def pooler(own_server: Embedded) -> Iterator[Bouncer]:
    """A PgBouncer in transaction mode before that server."""
    with before(own_server.dsn("postgres")) as running:
        yield running
