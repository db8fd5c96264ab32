"""One owned connection: it connects, notices that it was lost, and comes back with backoff.

A lost connection is an expected event, handled here and by the store that owns the link; it never reaches the
supervisor. Our transactions begin and end here only: see transaction().
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import TypeAlias, TypeVar

import anyio
import asyncpg
from asyncpg.pool import PoolConnectionProxy

from ..config import Config
from ..errors import ConfigurationError
from .files import query
from .own import OwnConnection
from .way import Way

log = logging.getLogger("howdah.link")

R = TypeVar("R")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Owned: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Prepare: TypeAlias = "Callable[[Owned], Awaitable[None]]"

_LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)
WRONG = (
    asyncpg.InvalidPasswordError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    ValueError,  # A DSN that cannot be read: asyncpg's own ClientConfigurationError is one, too.
)
"""What no further attempt to connect mends."""

TOLD_AFTER = 5
"""Losses of one call in a row until somebody is told: a restart of Postgres costs one or two, and is told by whoever connects."""

CLOSED_TO_ALL = "55000"
"""SQLSTATE of a refusal to connect to a database that lets nobody in at the moment (allow_connections false). Statements have it, too."""


def refused(error: Exception, variable: str = "HOWDAH_DSN") -> ConfigurationError:
    """What to raise for an error that no further attempt to connect mends."""
    if isinstance(error, ValueError):
        # Only asyncpg's own sentences are repeated: those of the functions that take an address apart hold pieces of it, and a password
        # that was not encoded falls into just such pieces.
        why = f" ({error})" if isinstance(error, asyncpg.InterfaceError) else ""
        return ConfigurationError(
            f"Postgres refused the connection: {variable} cannot be read{why}. Write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE,"
            " and in the password %2F for /, %23 for #, %3F for ?, %40 for @, %25 for %"
        )
    return ConfigurationError(f"Postgres refused the connection: {error}. Check {variable}.")


def is_lost(error: BaseException, connection: Connection | None = None) -> bool:
    """Whether the statement may be tried again on a new connection; whether it took effect is not known."""
    if isinstance(error, _LOST):
        return True
    if isinstance(error, asyncpg.PostgresError) and error.sqlstate == CLOSED_TO_ALL:
        return getattr(error, "severity_en", None) == "FATAL"
    if isinstance(error, asyncpg.ProgramLimitExceededError) and "NOTIFY" in str(error):
        return True  # The queue of notifications is full until somebody else's transaction ends. A limit of the data is no loss.
    if isinstance(error, asyncpg.InternalClientError):
        return True  # A COPY that meets the server's farewell fails so before the connection counts as closed.
    return isinstance(error, asyncpg.InterfaceError) and (connection is None or is_gone(connection))


def is_gone(connection: Connection) -> bool:
    """Whether it has ended. One that was borrowed goes back to its pool at that moment, and answers no questions from then on."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


class Link:
    """A connection for one owner. `prepare` runs on each new one before it is used."""

    def __init__(self, config: Config, name: str, *, direct: bool = False, prepare: Prepare | None = None) -> None:
        self.name = f"howdah {name}"
        self._config = config
        self._way = Way.of(config, direct=direct)
        self._variable = "HOWDAH_DIRECT_DSN" if direct and config.direct_dsn is not None else "HOWDAH_DSN"
        self._prepare = prepare
        self._connection: Owned | None = None

    @property
    def is_up(self) -> bool:
        """Whether it has a connection that has not ended, as far as is known."""
        return self._connection is not None and not self._connection.is_closed()

    async def connected(self) -> Owned:
        """The connection, after as many attempts as it takes."""
        wait_s, began, seen = self._config.backoff_s, monotonic(), None
        while self._connection is None or self._connection.is_closed():
            try:
                self._connection = await self.connect()
            except Exception as error:
                if isinstance(error, WRONG):
                    raise refused(error, self._variable) from (None if isinstance(error, ValueError) else error)
                if not is_lost(error):
                    raise
                if type(error) is not seen:  # Once for each kind: it may be tried for hours.
                    seen = type(error)
                    log.warning("%r has no connection to Postgres, and goes on trying: %s", self.name, str(error) or seen.__name__)
                await anyio.sleep(random.random() * wait_s)  # noqa: S311 - jitter, not a secret
                wait_s = min(wait_s * 2, self._config.backoff_max_s)
        if seen is not None:
            log.warning("%r is connected to Postgres, after %.1f s", self.name, monotonic() - began)
        return self._connection

    async def connect(self) -> Owned:
        """One attempt to connect."""
        connection = await asyncpg.connect(
            self._way.dsn,
            timeout=self._config.connect_timeout_s,
            command_timeout=self._config.command_timeout_s,
            statement_cache_size=self._way.statement_cache_size,
            server_settings={"application_name": self.name},
            connection_class=OwnConnection,
        )
        try:
            await acquaint(connection, self._way)
            if self._prepare is not None:
                await self._prepare(connection)
        except BaseException:
            connection.terminate()  # Nobody else knows of it: it would count against the budget for ever.
            raise
        return connection

    async def call(self, work: Callable[[Owned], Awaitable[R]]) -> R:
        """Does the work on the connection, again and again until Postgres answers: only for what may be done twice."""
        failures = 0
        while True:
            connection = await self.connected()
            try:
                return await work(connection)
            except Exception as error:
                if not is_lost(error, connection):
                    raise
                failures += 1
                if failures == TOLD_AFTER:
                    log.warning("%r has failed %d times in a row, and goes on trying: %s", self.name, failures, str(error) or repr(error))
                await self.drop()
                await anyio.sleep(random.random() * self._config.backoff_s)  # noqa: S311 - jitter, not a secret

    async def drop(self) -> None:
        """Gives the connection up; the next use makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Ends the connection in good order, or at once where that does not work."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with anyio.CancelScope(shield=True), anyio.move_on_after(self._config.probe_timeout_s):
            try:
                await connection.close(timeout=self._config.probe_timeout_s)
            except Exception as error:
                if not is_lost(error, connection):
                    raise
        connection.terminate()


@asynccontextmanager
async def transaction(connection: Connection) -> AsyncGenerator[None, None]:
    """begin ... commit or rollback. The end is shielded: a cancelled anyio scope cancels again at every await,
    so an unshielded rollback would be cancelled too and leave the transaction open."""
    block = connection.transaction()
    await block.start()
    try:
        yield
    except BaseException:
        with anyio.CancelScope(shield=True):
            if not is_gone(connection):
                await block.rollback()
        raise
    with anyio.CancelScope(shield=True):
        await block.commit()


async def acquaint(connection: Connection, way: Way) -> None:
    """Behind a pooler, lets asyncpg learn the types that our statements use. It changes a setting of the session while
    it learns: in a transaction that is rolled back, nothing of that is left. If this fails, end the connection."""
    if way.pooled:
        block = connection.transaction()
        await block.start()
        await connection.fetchrow(query("types"))
        await block.rollback()
