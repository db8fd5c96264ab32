"""Django: `django.db.connection`, or one of `connections`. Its cursor is in whatever transaction the view is in."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ..errors import ConfigurationError
from .driver import Row, SyncDriver, by_name, formatted


class _Cursor(Protocol):
    def execute(self, sql: str, params: object) -> object: ...
    def fetchone(self) -> Row | None: ...


class _Connection(Protocol):
    vendor: str
    alias: str

    def cursor(self) -> AbstractContextManager[_Cursor]: ...


class Django(SyncDriver):
    """A connection wrapper of Django, or the proxy that is `django.db.connection`."""

    def __init__(self, conn: _Connection) -> None:
        if conn.vendor != "postgresql":
            raise ConfigurationError(
                f"conn= was given Django's connection {conn.alias!r}, which is to {conn.vendor}: pass the one to the Postgres"
                " that has the howdah schema, as in django.db.connections['default']"
            )
        self._conn = conn

    def fetch(self, statement: str, values: Sequence[object]) -> Row | None:
        """The one row that the statement answers."""
        with self._conn.cursor() as cursor:
            cursor.execute(formatted(statement), by_name(values))
            return cursor.fetchone()
