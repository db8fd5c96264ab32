"""One database per file here, with nothing pending before each test: the suite walks hundreds of small cases.

Tests that need a database of their own take `fresh_dsn`.
"""

import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import asyncpg
import pytest
from howdah.embedded import Embedded

from . import world
from .roles import ENQUEUE, NODE, READ
from .world import Session

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
async def dsn(server: Embedded, template: str) -> AsyncIterator[str]:
    """The migrated database of this file."""
    name = f"test_db_{os.getpid()}_{next(_numbers)}"
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute(f"create database {name} template {template}")
    yield server.dsn(name)
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture
async def db(dsn: str) -> AsyncIterator[Session]:
    """A connection to the database of this file, in which nothing is pending."""
    connection = await asyncpg.connect(dsn)
    await world.tidy(connection)
    yield connection
    connection.terminate()


@pytest.fixture
async def fresh_dsn(server: Embedded, template: str) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """Makes databases for this test alone: of the migrated template, or empty ones."""
    admin = await asyncpg.connect(server.dsn("postgres"))
    async with AsyncExitStack() as stack:

        async def make(*, empty: bool = False) -> str:
            name = f"test_fresh_{os.getpid()}_{next(_numbers)}"
            await admin.execute(f"create database {name} template {'template1' if empty else template}")
            stack.push_async_callback(admin.execute, f"drop database {name} with (force)")
            return server.dsn(name)

        yield make
    await admin.close()


@pytest.fixture
async def roles(db: Session) -> None:
    """The three roles, each permitted in the database of this file as what it is called after."""
    for kind, role in (("enqueue", ENQUEUE), ("node", NODE), ("read", READ)):
        if not await db.fetchval("select exists (select from pg_roles where rolname = $1)", role):
            await db.execute(f"create role {role} login")
        await db.fetchval("select howdah.permit($1, $2)", role, kind)
