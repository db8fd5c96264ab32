"""A migrated database for each test, cloned from a template: that takes a fifth of what migrating does."""

import itertools
import os
import random
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from ..config import configure
from ..db.files import query
from ..db.migrate import migrate
from ..errors import ConfigurationError


class Databases:
    """Databases in one server, which this process makes and drops. Several processes, as of pytest-xdist, do not meet.

    dsn: of a server where this role may create databases, as a URL; the database in it is only connected to.
    """

    def __init__(self, dsn: str) -> None:
        if "://" not in dsn:
            raise ConfigurationError("the DSN is not a URL: name the server for tests as postgresql://USER@HOST/DATABASE")
        self._dsn = dsn
        self._name = f"howdah_test_{os.getpid()}_{random.getrandbits(32):08x}"
        self._numbers = itertools.count(1)
        self._template: str | None = None

    def dsn(self, database: str) -> str:
        """Where this database is."""
        return urlunsplit(urlsplit(self._dsn)._replace(path=f"/{database}"))

    async def make(self) -> str:
        """A migrated, empty database: its DSN."""
        template = await self._ready()
        name = f"{self._name}_{next(self._numbers)}"
        await self._do("create_database", name, template)
        return self.dsn(name)

    async def drop(self, dsn: str) -> None:
        """Drops one that was made here, whoever is still connected."""
        await self._do("drop_database", urlsplit(dsn).path[1:])

    async def close(self) -> None:
        """Drops the template."""
        template, self._template = self._template, None
        if template is not None:
            await self._do("drop_database", template)

    async def _ready(self) -> str:
        if self._template is None:
            name = f"{self._name}_template"
            await self._do("create_database", name, "template1")
            connection = await asyncpg.connect(self.dsn(name))
            try:
                # A day ahead is enough for a test, and each is dozens of files to clone.
                await migrate(connection, configure({"ahead_days": 1}))
            finally:
                await connection.close()
            self._template = name
        return self._template

    async def _do(self, what: str, *names: str) -> None:
        admin = await asyncpg.connect(self._dsn)
        try:
            await admin.execute(await admin.fetchval(query(what, "testing"), *names))
        finally:
            await admin.close()
