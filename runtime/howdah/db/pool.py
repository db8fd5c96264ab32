"""The pool of one app: for enqueues, results and the transactions of handlers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from ..config import Config
from ..errors import ConfigurationError, DatabaseAway
from .link import WRONG, Connection, is_lost


class Pool:
    """Connections to borrow. Our own statements leave no session state, so only lent connections are reset."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._lent: set[int] = set()

    async def open(self) -> None:
        """Makes the pool and its first connection. DatabaseAway: Postgres does not answer."""
        try:
            self._pool = await asyncpg.create_pool(
                self._config.dsn,
                min_size=1,
                max_size=self._config.pool_size,
                timeout=self._config.connect_timeout_s,
                command_timeout=self._config.command_timeout_s,
                reset=self._reset,
                server_settings={"application_name": "howdah pool", "jit": "off"},
            )
        except Exception as error:
            if isinstance(error, WRONG):
                raise ConfigurationError(f"Postgres refused the connection: {error}. Check HOWDAH_DSN.") from error
            if is_lost(error):
                raise DatabaseAway(f"Postgres does not answer: {error}. Check HOWDAH_DSN and that the server is up.") from error
            raise

    async def close(self) -> None:
        """Ends the connections; those still lent are cut off."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    @asynccontextmanager
    async def ours(self) -> AsyncGenerator[PoolConnectionProxy[asyncpg.Record], None]:
        """A connection for statements of ours. DatabaseAway: it could not be had, or was lost."""
        assert self._pool is not None
        connection = None
        try:
            # asyncpg's own timeout would start a task for each call.
            async with asyncio.timeout(self._config.connect_timeout_s):
                connection = await self._pool.acquire()
            try:
                yield connection
            finally:
                await self._pool.release(connection)
        except Exception as error:
            if is_lost(error, connection):
                raise DatabaseAway(
                    f"Postgres was lost during the call ({type(error).__name__}: {error}); whether it took effect is not known. Try again."
                ) from error
            raise

    @asynccontextmanager
    async def lend(self) -> AsyncGenerator[PoolConnectionProxy[asyncpg.Record], None]:
        """A connection for a user, who may leave anything behind in its session."""
        assert self._pool is not None
        async with self._pool.acquire(timeout=self._config.connect_timeout_s) as connection:
            self._lent.add(connection.get_server_pid())
            yield connection

    async def _reset(self, connection: Connection) -> None:
        pid = connection.get_server_pid()
        if pid in self._lent:
            self._lent.discard(pid)
            await connection.execute(connection.get_reset_query())
