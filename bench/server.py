"""The Postgres that is measured: started for the benchmark, set as in production, a fresh database for each run."""

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from howdah.config import configure
from howdah.db.migrate import migrate
from howdah.embedded import Embedded

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

    async def connect(self, database: str) -> asyncpg.Connection:
        return await asyncpg.connect(self._server.dsn(database), server_settings={"jit": "off"})

    async def fresh(self, *, migrated: bool = True) -> str:
        """A new database; returns its name. The one before is dropped, so that nothing is vacuumed beside a measurement."""
        number = next(self._numbers)
        admin = await self.connect("postgres")
        if number > 1:
            await admin.execute(f"drop database if exists bench_{number - 1} with (force)")
        await admin.execute(f"create database bench_{number}")
        await admin.close()
        if migrated:
            connection = await self.connect(f"bench_{number}")
            await migrate(connection, configure({}))
            await connection.close()
        return f"bench_{number}"

    def dsn(self, database: str) -> str:
        return self._server.dsn(database)


@contextmanager
def bed() -> Iterator[Bed]:
    with tempfile.TemporaryDirectory(prefix="howdah-bench-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - root's server runs as another account
        server = Embedded(Path(folder) / "pg", settings=SETTINGS).start()
        try:
            yield Bed(server)
        finally:
            server.stop()
            server.release()
