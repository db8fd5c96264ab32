"""Ends runs inside the user's own transaction: effects and acknowledgement commit together, or not at all."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from ..messages import Claimed
from .files import query
from .link import is_gone, transaction
from .own import lent
from .pool import Pool

log = logging.getLogger("howdah.node")

LEASE_LOST = "HW001"


class LeaseGone(Exception):
    """Postgres refused the completion: the run belongs to another attempt, or has ended."""


class SessionEnded(Exception):
    """Postgres ended the session during the block: it sat idle in its transaction for a lease, or the connection was lost."""


_FAREWELLS = (asyncpg.PostgresConnectionError, asyncpg.IdleInTransactionSessionTimeoutError, asyncpg.OperatorInterventionError)
"""What the server says as it ends a session, and what is said of one that has ended."""


class Completions:
    """Transactions on lent connections that complete a run as their last statement."""

    def __init__(self, pool: Pool, lease_s: float) -> None:
        self._pool = pool
        self._lease_s = lease_s

    @asynccontextmanager
    async def open(
        self, claimed: Claimed, started: datetime, result: Callable[[], str | None], logs: Callable[[], str | None]
    ) -> AsyncGenerator[PoolConnectionProxy[asyncpg.Record], None]:
        """begin; the user's statements; complete; commit; then tell whoever waits. LeaseGone, SessionEnded: it rolled back.

        A connection that is lost during the commit raises, and the run's next outcome tells whether it had won."""
        notices: list[str] = []

        def hear(_: object, message: asyncpg.PostgresLogMessage) -> None:
            notices.append(str(message.message))

        async with self._pool.lend() as connection:
            connection.add_log_listener(hear)
            try:
                async with transaction(connection):
                    await connection.fetchval(query("guard_idle"), str(int(self._lease_s * 1000)))
                    with lent(connection):
                        yield connection
                    if is_gone(connection):
                        raise SessionEnded
                    try:
                        await connection.execute(query("complete"), claimed.id, claimed.lease, claimed.node, started, result(), logs())
                    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                        if isinstance(error, asyncpg.PostgresError) and error.sqlstate == LEASE_LOST:
                            raise LeaseGone from error
                        if isinstance(error, asyncpg.PostgresError) and not isinstance(error, _FAREWELLS):
                            raise
                        # It met the server's farewell before that was read: nothing was committed, and nothing more can be said there.
                        connection.remove_log_listener(hear)
                        connection.terminate()
                        raise SessionEnded from error
                if "howdah.settle" in notices:
                    try:
                        await connection.execute(query("settle"))
                    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                        # The effects are committed: an error here would have them undone, or done again, by whoever catches it.
                        log.warning("run %s has ended with its transaction, but others could not be told of it yet: %s", claimed.id, error)
            finally:
                # Also of one that has ended, since the pool looks for it. One that has gone back there by itself answers with an error,
                # which would take the place of the one that tells.
                with suppress(asyncpg.InterfaceError):
                    connection.remove_log_listener(hear)
