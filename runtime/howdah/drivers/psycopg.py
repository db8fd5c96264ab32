"""psycopg 3, sync and async. Its rows come as the user's connection is set to make them, so we ask for tuples."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from typing import Any, Protocol

from .driver import AsyncDriver, Row, SyncDriver, by_name, formatted

RowFactory = Callable[[Any], Callable[[Sequence[Any]], Row]]

_IDLE = 0
"""The transaction status of a connection that is in none."""


class _Info(Protocol):
    transaction_status: int


class _Cursor(Protocol):
    def execute(self, query: str, params: object) -> object: ...
    def fetchone(self) -> Row | None: ...


class _AsyncCursor(Protocol):
    async def execute(self, query: str, params: object) -> object: ...
    async def fetchone(self) -> Row | None: ...


class _Connection(Protocol):
    def cursor(self, *, row_factory: RowFactory) -> AbstractContextManager[_Cursor]: ...


class _AsyncConnection(Protocol):
    autocommit: bool
    info: _Info

    def cursor(self, *, row_factory: RowFactory) -> AbstractAsyncContextManager[_AsyncCursor]: ...
    def transaction(self) -> AbstractAsyncContextManager[object]: ...


class Psycopg(SyncDriver):
    """psycopg.Connection."""

    def __init__(self, conn: _Connection) -> None:
        self._conn = conn

    def fetch(self, statement: str, values: Sequence[object]) -> Row | None:
        """The one row that the statement answers."""
        with self._conn.cursor(row_factory=_tuples) as cursor:
            cursor.execute(*_spoken(cursor, statement, values))
            return cursor.fetchone()


class PsycopgAsync(AsyncDriver):
    """psycopg.AsyncConnection."""

    def __init__(self, conn: _AsyncConnection) -> None:
        self._conn = conn

    async def fetch(self, statement: str, values: Sequence[object]) -> Row | None:
        """The one row that the statement answers."""
        async with self._conn.cursor(row_factory=_tuples) as cursor:
            await cursor.execute(*_spoken(cursor, statement, values))
            return await cursor.fetchone()

    @asynccontextmanager
    async def together(self) -> AsyncGenerator[None, None]:
        """The user's, which psycopg begins by itself; one of psycopg's on a connection that commits each statement."""
        if self._conn.autocommit and self._conn.info.transaction_status == _IDLE:
            async with self._conn.transaction():
                yield
        else:
            yield


def _tuples(_: object) -> Callable[[Sequence[Any]], Row]:
    return tuple


def _spoken(cursor: object, statement: str, values: Sequence[object]) -> tuple[str, object]:
    """As this cursor reads it: a connection may be set to make raw ones, which take Postgres' own placeholders."""
    if any(kind.__name__ in ("RawCursor", "AsyncRawCursor") for kind in type(cursor).__mro__):
        return statement, values
    return formatted(statement), by_name(values)
