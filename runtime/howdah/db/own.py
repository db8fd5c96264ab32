"""The class of our connections: what instruments asyncpg for the user sees the user's statements on them, and not ours.

An instrumentation replaces methods of asyncpg.Connection for the whole process, and older ones cannot be told to look away:
each look of a node would be a trace of its own. Ours go past them, to what the methods were before.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

REPLACED = ("execute", "executemany", "fetch", "fetchval", "fetchrow")
"""What is replaced. Prepared statements and cursors are, too: we use none. COPY and listeners are not."""


class OwnConnection(asyncpg.Connection):  # pyright: ignore[reportMissingTypeArgument] - at runtime it is not generic
    """Statements on it are not seen, except while it is in a user's hands."""

    _is_lent = False

    def be_lent(self, *, lent: bool) -> None:
        """From now on statements on it are a user's, or ours again."""
        self._is_lent = lent


def _either(name: str) -> Callable[..., Any]:
    bare: Callable[..., Any] = inspect.unwrap(getattr(asyncpg.Connection, name))

    def method(self: OwnConnection, *args: Any, **kwargs: Any) -> Any:
        if self._is_lent:  # pyright: ignore[reportPrivateUsage] - a method of that class
            return getattr(super(OwnConnection, self), name)(*args, **kwargs)
        return bare(self, *args, **kwargs)

    method.__name__, method.__doc__ = name, bare.__doc__
    return method


for _name in REPLACED:
    setattr(OwnConnection, _name, _either(_name))


@contextmanager
def lent(connection: PoolConnectionProxy[asyncpg.Record]) -> Generator[None]:
    """Inside of the block the connection is in a user's hands."""
    # Asked for now: the proxy answers nothing any more once the connection is back in its pool.
    be_lent: Callable[..., None] = connection.be_lent  # type: ignore[attr-defined] # of the class that our pool is made with
    be_lent(lent=True)
    try:
        yield
    finally:
        be_lent(lent=False)
