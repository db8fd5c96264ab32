"""What a driver does for us: it runs one statement of ours, written with $1, $2 and so on, in the user's transaction."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import Any

Row = Sequence[Any]

_PLACE = re.compile(r"\$(\d+)")


class SyncDriver(ABC):
    """Runs statements and blocks meanwhile."""

    @abstractmethod
    def fetch(self, statement: str, values: Sequence[object]) -> Row | None:
        """The one row that the statement answers."""


class AsyncDriver(ABC):
    """Runs statements on the event loop."""

    @abstractmethod
    async def fetch(self, statement: str, values: Sequence[object]) -> Row | None:
        """The one row that the statement answers."""

    @abstractmethod
    def together(self) -> AbstractAsyncContextManager[None]:
        """Several statements become one transaction: the user's, where there is one, else one of ours."""


@cache
def formatted(statement: str) -> str:
    """With %(p1)s and so on, as psycopg and Django take it."""
    return _PLACE.sub(r"%(p\1)s", statement.replace("%", "%%"))


@cache
def named(statement: str) -> str:
    """With :p1 and so on, as SQLAlchemy takes it. In parentheses, since it would not see a name that a cast follows."""
    return _PLACE.sub(r"(:p\1)", statement)


def by_name(values: Sequence[object]) -> dict[str, object]:
    """The values of either form."""
    return {f"p{number}": value for number, value in enumerate(values, 1)}
