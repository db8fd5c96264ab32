"""A connection for a question to a read model."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from ..client import Client
from ..errors import ArgumentsInvalid

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"


@asynccontextmanager
async def asking(client: Client) -> AsyncGenerator[Connection, None]:
    """A connection of the app's pool. ArgumentsInvalid: Postgres says that what was asked makes no sense. AppNotOpen, DatabaseAway."""
    await client.ready()
    async with client.pool.ours() as connection:
        try:
            yield connection
        except asyncpg.DataError as error:
            hint = f" ({error.hint})" if error.hint else ""
            raise ArgumentsInvalid(f"{error.args[0]}{hint}") from error  # Its own text has the hint behind it, on a line of its own.
