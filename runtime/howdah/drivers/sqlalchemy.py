"""SQLAlchemy: connections and sessions, sync and async, and the scoped proxies of sessions.

Always through its own execute(). Its dialects begin a transaction at their first statement: what goes through the raw
connection before that is in none, and survives the rollback.
"""

import random
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Protocol

from ..db.files import query
from ..errors import ConfigurationError
from .driver import AsyncDriver, Row, SyncDriver, by_name, named


class _Result(Protocol):
    def one_or_none(self) -> Row | None: ...


class _Connection(Protocol):
    def execute(self, statement: object, parameters: Mapping[str, object]) -> _Result: ...


class _AsyncConnection(Protocol):
    async def execute(self, statement: object, parameters: Mapping[str, object]) -> _Result: ...


class SQLAlchemy(SyncDriver):
    """A Connection, a Session, or a scoped_session."""

    def __init__(self, conn: _Connection) -> None:
        self._conn = conn

    def fetch(self, statement: str, values: Sequence[object]) -> Row | None:
        """The one row that the statement answers."""
        return self._conn.execute(_text(statement), by_name(values)).one_or_none()


class SQLAlchemyAsync(AsyncDriver):
    """An AsyncConnection, an AsyncSession, or an async_scoped_session."""

    def __init__(self, conn: _AsyncConnection) -> None:
        self._conn = conn

    async def fetch(self, statement: str, values: Sequence[object]) -> Row | None:
        """The one row that the statement answers."""
        return (await self._conn.execute(_text(statement), by_name(values))).one_or_none()

    @asynccontextmanager
    async def together(self) -> AsyncGenerator[None, None]:
        """The user's, which SQLAlchemy begins by itself, unless it is told to commit each statement: that is found by a
        mark that does not last. ConfigurationError: there is no transaction."""
        mark = f"{random.getrandbits(64):016x}"
        await self.fetch(query("mark_transaction"), [mark])
        if await self.fetch(query("transaction_mark"), []) != (mark,):
            raise ConfigurationError(
                "this connection of SQLAlchemy commits each statement by itself (isolation_level='AUTOCOMMIT'), so that"
                " enqueue_many on it would not be one transaction: use a connection or session without it"
            )
        yield


@cache
def _text(statement: str) -> object:
    """SQLAlchemy's own form of it, which keeps its compilation."""
    return sys.modules["sqlalchemy"].text(named(statement))
