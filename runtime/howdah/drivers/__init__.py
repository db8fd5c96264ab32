"""Connections that users bring: whatever they hold, our statement runs in their transaction.

None of the libraries is imported here: a connection is known by the names of its classes.
"""

from collections.abc import Callable
from typing import Any

from ..errors import ConfigurationError
from .asyncpg import Asyncpg
from .django import Django
from .driver import AsyncDriver, SyncDriver
from .psycopg import Psycopg, PsycopgAsync
from .sqlalchemy import SQLAlchemy, SQLAlchemyAsync

__all__ = ["AsyncDriver", "SyncDriver", "async_driver", "sync_driver"]

_DRIVERS: dict[tuple[str, str], Callable[[Any], AsyncDriver | SyncDriver]] = {
    ("asyncpg", "Connection"): Asyncpg,
    ("asyncpg", "PoolConnectionProxy"): Asyncpg,
    ("psycopg", "Connection"): Psycopg,
    ("psycopg", "AsyncConnection"): PsycopgAsync,
    ("sqlalchemy", "Connection"): SQLAlchemy,
    ("sqlalchemy", "Session"): SQLAlchemy,
    ("sqlalchemy", "scoped_session"): SQLAlchemy,
    ("sqlalchemy", "AsyncConnection"): SQLAlchemyAsync,
    ("sqlalchemy", "AsyncSession"): SQLAlchemyAsync,
    ("sqlalchemy", "async_scoped_session"): SQLAlchemyAsync,
    ("django", "BaseDatabaseWrapper"): Django,
    ("django", "ConnectionProxy"): Django,
}
"""By package and class: a pool, an engine or a cursor of the same library is none of these."""


def async_driver(conn: object, call: str, instead: str) -> AsyncDriver:
    """How to speak on a connection of async code. ConfigurationError: it blocks, so `call` names what to do instead."""
    driver = _driver(conn)
    if isinstance(driver, AsyncDriver):
        return driver
    raise ConfigurationError(f"{call} was given a connection of sync code, {_name(conn)}, which would block the event loop: {instead}")


def sync_driver(conn: object, call: str, instead: str) -> SyncDriver:
    """How to speak on a connection of sync code. ConfigurationError: it needs an event loop, so `call` names what to do instead."""
    driver = _driver(conn)
    if isinstance(driver, SyncDriver):
        return driver
    raise ConfigurationError(f"{call} was given a connection of async code, {_name(conn)}, which needs its event loop: {instead}")


def _driver(conn: object) -> AsyncDriver | SyncDriver:
    for kind in type(conn).__mro__:
        make = _DRIVERS.get((kind.__module__.partition(".")[0], kind.__name__))
        if make is not None:
            return make(conn)
    raise ConfigurationError(
        f"conn= takes a connection of asyncpg, psycopg or Django, or a connection or session of SQLAlchemy, not {_name(conn)};"
        " with others call select howdah.enqueue(...) in your transaction"
    )


def _name(conn: object) -> str:
    return f"{type(conn).__module__}.{type(conn).__qualname__}"
