"""A database for as long as something is measured in it: made, migrated, and dropped on every way out."""

import os
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import anyio
import asyncpg
import msgspec

from ..config import Config
from ..db.files import query
from ..db.migrate import migrate
from ..db.pool import Pool
from ..errors import ConfigurationError, DatabaseAway

PREFIX = "howdah_estimate_"
DROP_TRIES, DROP_PAUSE_S = 100, 0.1
"""How often it is tried to drop it, and after how long again: vacuum of what was measured takes a second or two."""


@asynccontextmanager
async def scratch(config: Config) -> AsyncGenerator[Config, None]:
    """The same server, past any pooler, with an empty, migrated database of its own.

    ConfigurationError: the role may not create databases. DatabaseAway: it could not be dropped, and says its name.
    """
    server = msgspec.structs.replace(config, dsn=config.direct_dsn or config.dsn, direct_dsn=None, pooler=False, pool_size=1)
    name = f"{PREFIX}{os.getpid()}_{random.getrandbits(32):08x}"
    pool = Pool(server)
    await pool.open()
    try:
        try:
            await _make(pool, name)
            # A day ahead is enough for a minute.
            inside = msgspec.structs.replace(server, dsn=redirected(server.dsn, name), pool_size=config.pool_size, ahead_days=1)
            await _migrate(inside)
            yield inside
        finally:
            with anyio.CancelScope(shield=True):
                await _drop(pool, name)
    finally:
        with anyio.CancelScope(shield=True):
            await pool.close()


def redirected(dsn: str | None, database: str) -> str:
    """The address of another database in the same server. Without an address, what PG* variables say of the server."""
    return f"postgresql:///{database}" if not dsn else urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


async def _make(pool: Pool, name: str) -> None:
    async with pool.ours() as connection:
        statement = await connection.fetchval(query("create_database", "testing"), name, "template1")
        try:
            await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError as error:
            raise ConfigurationError(
                f"estimate measures in a database of its own, and this role may not make one ({error}): as a superuser say"
                " `alter role ... createdb`, or name another role with --dsn"
            ) from error


async def _migrate(config: Config) -> None:
    pool = Pool(msgspec.structs.replace(config, pool_size=1))
    await pool.open()
    try:
        async with pool.ours() as connection:
            await migrate(connection, config)
    finally:
        with anyio.CancelScope(shield=True):
            await pool.close()


async def _drop(pool: Pool, name: str) -> None:
    try:
        async with pool.ours() as connection:
            statement = await connection.fetchval(query("drop_database", "testing"), name)
            for left in reversed(range(DROP_TRIES)):
                try:
                    await connection.execute(statement)
                except asyncpg.InsufficientPrivilegeError:
                    # A superuser's process is at work in it, as autovacuum is, which this role may not end: that is over soon.
                    if not left:
                        raise
                    await anyio.sleep(DROP_PAUSE_S)
                else:
                    return
    except DatabaseAway as error:
        raise DatabaseAway(f"Postgres went away, and the scratch database is left there: drop database {name}") from error
