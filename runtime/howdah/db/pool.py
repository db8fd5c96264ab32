"""The pool of one app: for enqueues, results and the transactions of handlers."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from ..config import Config
from ..errors import ConfigurationError, DatabaseAway
from ..instruments import Instruments, instruments
from .files import query
from .link import WRONG, Connection, acquaint, is_gone, is_lost, refused
from .own import OwnConnection
from .way import Way, found

FORBIDDEN = (
    "this role may not do that. Grant what it needs with `howdah grant ROLE --as node`, or enqueue or read, as the owner of the"
    " howdah schema"
)


class Pool:
    """Connections to borrow. Our own statements leave no session state, so only lent connections are reset."""

    def __init__(self, config: Config) -> None:
        self.config = config
        """Once the pool is open, it says in `pooler` what was found out."""
        self.instruments: Instruments | None = None
        """Once the pool is open, where what is done with it is measured, if anywhere."""
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._lent: set[int] = set()

    async def open(self) -> None:
        """Makes the pool and its first connection. DatabaseAway: Postgres does not answer."""
        try:
            config = self.config = await found(self.config)
            self.instruments = instruments()
            way = Way.of(config)
            self._pool = await asyncpg.create_pool(
                way.dsn,
                min_size=1,
                max_size=config.pool_size,
                timeout=config.connect_timeout_s,
                command_timeout=config.command_timeout_s,
                statement_cache_size=way.statement_cache_size,
                init=functools.partial(acquaint, way=way),
                reset=self._reset,
                server_settings={"application_name": "howdah pool"},
                connection_class=OwnConnection,
            )
        except Exception as error:
            if isinstance(error, WRONG):
                raise refused(error) from (None if isinstance(error, ValueError) else error)
            if is_lost(error):
                raise DatabaseAway(f"Postgres does not answer: {error}. Check HOWDAH_DSN and that the server is up.") from error
            raise

    async def renew(self) -> None:
        """Whoever borrows from now on gets a new connection, with the settings that the database has now."""
        if self._pool is not None:
            await self._pool.expire_connections()

    async def close(self) -> None:
        """Ends the connections; those still lent are cut off."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    @asynccontextmanager
    async def ours(self) -> AsyncGenerator[PoolConnectionProxy[asyncpg.Record], None]:
        """A connection for statements of ours. DatabaseAway: it could not be had, or was lost."""
        pool = self._pool
        assert pool is not None
        gone = True
        try:
            connection = await self._acquire(pool)
            try:
                yield connection
            finally:
                gone = is_gone(connection)  # Later it cannot be asked any more.
                await pool.release(connection)  # Also where close() came in between.
        except (DatabaseAway, ConfigurationError):
            raise
        except Exception as error:
            if isinstance(error, asyncpg.InsufficientPrivilegeError):
                raise ConfigurationError(f"{error}: {FORBIDDEN}") from error
            if is_lost(error) and (gone or not isinstance(error, asyncpg.InterfaceError)):
                raise DatabaseAway(
                    f"Postgres was lost during the call ({type(error).__name__}: {error}); whether it took effect is not known. Try again."
                ) from error
            raise

    @asynccontextmanager
    async def lend(self) -> AsyncGenerator[PoolConnectionProxy[asyncpg.Record], None]:
        """A connection for a user, who may leave anything behind in its session. DatabaseAway: none was free in time."""
        pool = self._pool
        assert pool is not None
        connection = await self._acquire(pool)
        try:
            self._lent.add(connection.get_server_pid())
            yield connection
        finally:
            await pool.release(connection)

    async def _acquire(self, pool: asyncpg.Pool[asyncpg.Record]) -> PoolConnectionProxy[asyncpg.Record]:
        waiting = nullcontext() if self.instruments is None else self.instruments.waiting_for_pool()
        try:
            # asyncpg's own timeout would start a task for each call.
            async with asyncio.timeout(self.config.connect_timeout_s):
                with waiting:
                    return await pool.acquire()
        except TimeoutError as error:
            raise DatabaseAway(
                f"there was no connection within {self.config.connect_timeout_s:g} s: all {self.config.pool_size} of the pool are in use"
                " (transaction() holds one until its block ends: raise pool_size, HOWDAH_POOL_SIZE), or Postgres does not answer"
            ) from error
        except Exception as error:
            if isinstance(error, WRONG):
                raise refused(error) from (None if isinstance(error, ValueError) else error)
            if is_lost(error):
                raise DatabaseAway(f"Postgres does not answer, and nothing was sent: {error}. Try again.") from error
            raise

    async def _reset(self, connection: Connection) -> None:
        pid = connection.get_server_pid()
        if pid in self._lent:
            self._lent.discard(pid)
            if not self.config.pooler:  # What a user left in the session of a pooler's server connection is out of reach.
                await connection.execute(f"{connection.get_reset_query()}\n{query('restore', 'sessions')}")
