"""One measurement's database (and Redis), and what is asked of it from outside."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import psutil

from ..measure import wal_lsn
from ..nodes import server_cpu_s
from ..server import Bed
from .programs import Place, program
from .redis import Redis, redis_server
from .row import Row

POLL_S = 0.003
CLOSED_S = 2.0
OBSERVER = "bench"
CONNECTED = "select count(*) from pg_stat_activity where datname = $1 and backend_type = 'client backend' and application_name <> $2"
IMAGES = """select coalesce(sum(fpi_size), 0)::bigint
from pg_get_wal_stats('0/0'::pg_lsn + $1::numeric, pg_current_wal_insert_lsn())"""


class Store:
    """Where the jobs of one measurement lie. Its own statements are counted, so that they are not taken for the peer's."""

    def __init__(self, bed: Bed, row: Row, database: str, place: Place, watcher: asyncpg.Connection, redis: Redis | None) -> None:
        self.row = row
        self.database = database
        self.place = place
        self.watcher = watcher
        self.redis = redis
        self._bed = bed
        self._asked = 0

    async def left(self) -> int:
        """Jobs that are not acknowledged yet, at the moment of the call."""
        if self.redis:
            return await self.redis.lengths(self.row.left.split())
        return int(await self._ask(self.row.left))

    async def any_left(self) -> bool:
        if self.redis or not self.row.any_left:
            return await self.left() > 0
        return bool(await self._ask(self.row.any_left))

    async def _ask(self, query: str, *arguments: object) -> Any:
        self._asked += 1
        return await self.watcher.fetchval(query, *arguments)

    async def observer(self) -> asyncpg.Connection:
        """Another connection of ours, which is not taken for one of the peer's."""
        return await observer(self._bed, self.database)

    async def settled(self) -> None:
        """Statistics and pages as after a while: tables analysed, everything on disk."""
        await self.watcher.execute("vacuum analyze")
        await self.watcher.execute("checkpoint")

    async def wal(self) -> int:
        self._asked += 1
        return await wal_lsn(self.watcher)

    async def images(self, since: int) -> int:
        """Bytes of full-page images written since that place of the WAL."""
        await self._ask("create extension if not exists pg_walinspect")
        return int(await self._ask(IMAGES, since))

    async def transactions(self) -> int:
        """Transactions of the peer so far; exact when its connections are closed, so that is waited for."""
        admin = await self._bed.connect("postgres")
        until = time.monotonic() + CLOSED_S
        while time.monotonic() < until and await admin.fetchval(CONNECTED, self.database, OBSERVER):
            await asyncio.sleep(0.02)
        await self._ask("select pg_stat_force_next_flush()")
        told = await admin.fetchval("select xact_commit + xact_rollback from pg_stat_database where datname = $1", self.database)
        await admin.close()
        return int(told) - self._asked

    def server_cpu_s(self) -> float:
        """CPU seconds of Postgres and Redis."""
        total = server_cpu_s(self._bed.postmaster())
        if self.redis:
            times = psutil.Process(self.redis.pid).cpu_times()
            total += times.user + times.system
        return total


async def observer(bed: Bed, database: str) -> asyncpg.Connection:
    connection = await bed.connect(database)
    await connection.execute(f"set application_name = '{OBSERVER}'")
    return connection


@asynccontextmanager
async def store(bed: Bed, row: Row) -> AsyncGenerator[Store]:
    """A fresh database (and a fresh Redis for those who want one) with the peer's schema."""
    database = await bed.fresh(migrated=False)
    async with redis_server(row) as redis:
        place = Place(bed.dsn(database), redis.url if redis else "")
        async with program(row, "install", place):
            pass
        watcher = await observer(bed, database)
        try:
            yield Store(bed, row, database, place, watcher, redis)
        finally:
            await watcher.close()
