"""Borrowed connections that end while they are in use."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from howdah.config import configure
from howdah.db.link import is_gone, transaction
from howdah.db.pool import Pool
from howdah.errors import DatabaseAway

from ..recovery.nodes import happens
from .world import Session

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    made = Pool(configure({"dsn": dsn}))
    await made.open()
    yield made
    await made.close()


async def test_a_connection_that_ends_within_our_transaction_is_told_as_database_away(pool: Pool, db: Session) -> None:
    with pytest.raises(DatabaseAway, match="whether it took effect is not known"):
        async with pool.ours() as connection, transaction(connection):
            await db.fetchval("select pg_terminate_backend($1)", connection.get_server_pid())
            await happens(lambda: is_gone(connection))
            await connection.fetchval("select 1")


async def test_a_connection_that_ends_outside_of_transactions_is_told_as_database_away(pool: Pool, db: Session) -> None:
    with pytest.raises(DatabaseAway):
        async with pool.ours() as connection:
            await db.fetchval("select pg_terminate_backend($1)", connection.get_server_pid())
            await happens(lambda: is_gone(connection))
            await connection.fetchval("select 1")


async def test_a_mistake_on_a_living_connection_stays_what_it_is(pool: Pool) -> None:
    with pytest.raises(asyncpg.InterfaceError, match="the server expects 1 argument"):
        async with pool.ours() as connection:
            await connection.fetchval("select $1::int")
