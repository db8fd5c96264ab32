"""The Postgres that is measured: started for the benchmark, set as in production, a fresh database for each run."""

import itertools
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
from howdah.config import configure
from howdah.db.migrate import migrate
from howdah.embedded import Embedded
from howdah.embedded.postmaster import running_pid

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "max_connections": "100",
    "shared_preload_libraries": "pg_stat_statements",
}


class Bed:
    """A server, and databases in it."""

    def __init__(self, server: Embedded) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self._databases: list[str] = []

    async def connect(self, database: str) -> asyncpg.Connection:
        return await asyncpg.connect(self._server.dsn(database), server_settings={"jit": "off"})

    async def fresh(self, *, migrated: bool = True, beside: bool = False) -> str:
        """A new database; returns its name. Those before are dropped unless it stands beside them, so that nothing of
        theirs is vacuumed during a measurement."""
        name = f"bench_{next(self._numbers)}"
        admin = await self.connect("postgres")
        while self._databases and not beside:
            await admin.execute(f"drop database {self._databases.pop()} with (force)")
        await admin.execute(f"create database {name}")
        self._databases.append(name)
        await admin.close()
        if migrated:
            connection = await self.connect(name)
            await migrate(connection, configure({}))
            await connection.close()
        return name

    async def version(self) -> str:
        admin = await self.connect("postgres")
        told = str(await admin.fetchval("show server_version"))
        await admin.close()
        return told

    def dsn(self, database: str) -> str:
        return self._server.dsn(database)

    def postmaster(self) -> psutil.Process:
        """The server's first process, which has the others as its children."""
        pid = running_pid(self._server.path)
        assert pid is not None, "the server has ended"
        return psutil.Process(pid)


@contextmanager
def bed() -> Generator[Bed]:
    with tempfile.TemporaryDirectory(prefix="howdah-bench-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - root's server runs as another account
        server = Embedded(Path(folder) / "pg", settings=SETTINGS).start()
        try:
            yield Bed(server)
        finally:
            server.stop()
            server.release()
