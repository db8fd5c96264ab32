"""Borrowed connections that end while they are in use."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from howdah.config import configure
from howdah.db.link import is_gone, transaction
from howdah.db.pool import Pool
from howdah.embedded import Embedded
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


@pytest.mark.parametrize("borrow", ["ours", "lend"])
async def test_a_pool_that_has_none_left_says_so_and_what_takes_them(dsn: str, borrow: str) -> None:
    pool = Pool(configure({"dsn": dsn, "pool_size": 1, "connect_timeout_s": 0.05}))
    await pool.open()
    try:
        async with pool.lend():
            with pytest.raises(DatabaseAway, match=r"all 1 of the pool are in use \(transaction\(\) holds one .* HOWDAH_POOL_SIZE"):
                async with getattr(pool, borrow)():
                    pass
    finally:
        await pool.close()


@pytest.mark.parametrize("borrow", ["ours", "lend"])
async def test_a_connection_that_cannot_be_made_is_told_as_database_away_where_nothing_was_sent(
    dsn: str, server: Embedded, borrow: str
) -> None:
    name = dsn.partition("?")[0].rpartition("/")[2]
    pool, admin = Pool(configure({"dsn": dsn})), await asyncpg.connect(server.dsn("postgres"))
    await pool.open()
    try:
        async with pool.lend():
            await admin.execute(f"alter database {name} allow_connections false")
            with pytest.raises(DatabaseAway, match="nothing was sent"):
                async with getattr(pool, borrow)():
                    pass
    finally:
        await admin.execute(f"alter database {name} allow_connections true")
        await admin.close()
        await pool.close()
