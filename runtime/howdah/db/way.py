"""The way to Postgres: straight, or through a pooler that lends a server connection for one transaction at a time.

Behind such a pooler nothing lasts beyond a transaction: no prepared statement, no LISTEN, no setting of the session.
"""

from __future__ import annotations

import asyncpg
import msgspec

from ..config import Config
from .files import query
from .own import OwnConnection

ASYNCPG_CACHE = 100
"""Prepared statements that asyncpg keeps on a connection of its own: its default, and more than we have."""


class Way(msgspec.Struct, frozen=True):
    """An address, and what lies before it."""

    dsn: str | None
    pooled: bool

    @staticmethod
    def of(config: Config, *, direct: bool = False) -> Way:
        """The way of this app; direct: past the pooler, where there is such a way."""
        if direct and config.direct_dsn is not None:
            return Way(config.direct_dsn, pooled=False)
        return Way(config.dsn, pooled=bool(config.pooler))

    @property
    def statement_cache_size(self) -> int:
        """0: statements have no name, and are sent again together with their arguments."""
        return 0 if self.pooled else ASYNCPG_CACHE


async def found(config: Config) -> Config:
    """The settings as they hold behind what is found there, on a connection of its own that is gone afterwards.

    A pooler gives a connection a process number of its own making; Postgres knows the real one. One that pools whole
    sessions looks the same: there `pooler` is to be set to false."""
    if config.pooler is not None:
        return config.reached(pooler=config.pooler)
    # Without a cache, so that nothing is left behind if it is a pooler.
    connection = await asyncpg.connect(
        config.dsn,
        timeout=config.connect_timeout_s,
        command_timeout=config.command_timeout_s,
        statement_cache_size=0,
        server_settings={"application_name": "howdah pool"},
        connection_class=OwnConnection,
    )
    try:
        pooler = await connection.fetchval(query("backend")) != connection.get_server_pid()
        await connection.close(timeout=config.probe_timeout_s)
    finally:
        connection.terminate()
    return config.reached(pooler=pooler)
