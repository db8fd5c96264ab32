"""asyncpg: the driver that speaks as we do."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from ..db.link import Connection, transaction
from .driver import AsyncDriver, Row


class Asyncpg(AsyncDriver):
    """A connection of asyncpg, or a pool's proxy of one."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def fetch(self, statement: str, values: Sequence[object]) -> Row | None:
        """The one row that the statement answers."""
        row = await self._conn.fetchrow(statement, *values)
        return None if row is None else tuple(row)

    @asynccontextmanager
    async def together(self) -> AsyncGenerator[None, None]:
        """The user's, where there is one, else one of ours."""
        if self._conn.is_in_transaction():
            yield
            return
        async with transaction(self._conn):
            yield
