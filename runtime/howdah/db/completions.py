"""Ends runs inside the user's own transaction: effects and acknowledgement commit together, or not at all."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
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
                    except asyncpg.PostgresError as error:
                        if error.sqlstate == LEASE_LOST:
                            raise LeaseGone from error
                        raise
                if "howdah.settle" in notices:
                    try:
                        await connection.execute(query("settle"))
                    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                        # The effects are committed: an error here would have them undone, or done again, by whoever catches it.
                        log.warning("run %s has ended with its transaction, but others could not be told of it yet: %s", claimed.id, error)
            finally:
                if not is_gone(connection):  # An error here would take the place of the one that tells.
                    connection.remove_log_listener(hear)
