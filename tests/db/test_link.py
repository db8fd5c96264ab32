"""How a link connects: what it says of an address that cannot be read, and of a database that lets nobody in."""

import logging
import traceback

import anyio
import asyncpg
import pytest
from howdah.config import configure
from howdah.db.link import Link, is_lost
from howdah.db.pool import Pool
from howdah.embedded import Embedded
from howdah.errors import ConfigurationError, DatabaseAway

from ..recovery.nodes import happens
from .world import Session

pytestmark = pytest.mark.anyio

CLOSE, OPEN = "alter database {} allow_connections false", "alter database {} allow_connections true"


@pytest.mark.parametrize("password", ["tell/nobody", "tell#nobody", "tell?nobody", "te[ll", "te]ll"])
async def test_an_address_that_cannot_be_read_gives_no_piece_of_its_password_away(password: str) -> None:
    dsn = f"postgresql://user:{password}@127.0.0.1:1/shop"
    for connecting in (Pool(configure({"dsn": dsn})).open(), Link(configure({"dsn": dsn}), "test").connected()):
        with pytest.raises(ConfigurationError, match=r"HOWDAH_DSN cannot be read.*%2F for /") as caught:
            await connecting
        shown = "".join(traceback.format_exception_only(caught.value)) + "".join(map(str, (caught.value, caught.value.__cause__)))
        assert "tell" not in shown
        assert "nobody" not in shown
        assert caught.value.__suppress_context__


async def test_the_address_that_cannot_be_read_is_named() -> None:
    config = configure({"dsn": "postgresql://127.0.0.1:1/shop", "direct_dsn": "postgresql://127.0.0.1:port/shop"})
    with pytest.raises(ConfigurationError, match="HOWDAH_DIRECT_DSN cannot be read"):
        await Link(config, "test", direct=True).connected()


async def test_a_database_that_lets_nobody_in_for_the_moment_is_waited_for_and_that_is_said_once(
    dsn: str, server: Embedded, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "howdah.link")
    name = dsn.partition("?")[0].rpartition("/")[2]
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute(CLOSE.format(name))
    link = Link(configure({"dsn": dsn, "backoff_s": 0.01, "backoff_max_s": 0.01}), "test")
    try:
        with pytest.raises(DatabaseAway, match="not currently accepting connections"):
            await Pool(configure({"dsn": dsn})).open()
        async with anyio.create_task_group() as group:
            group.start_soon(link.connected)
            await happens(lambda: caplog.records)
            await admin.execute(OPEN.format(name))
    finally:
        await admin.execute(OPEN.format(name))
        await admin.close()
        await link.close()
    first, *more = [record.getMessage() for record in caplog.records]
    assert "'howdah test' has no connection to Postgres, and goes on trying" in first
    assert len(more) == 1
    assert "'howdah test' is connected to Postgres, after" in more[0]


async def test_a_statement_that_is_refused_again_and_again_is_tried_again_and_that_is_said_once(
    dsn: str, db: Session, caplog: pytest.LogCaptureFixture
) -> None:
    """As where the primary has become a standby: who connects is let in, and nothing can be written."""
    caplog.set_level(logging.WARNING, "howdah.link")
    name = dsn.partition("?")[0].rpartition("/")[2]
    await db.execute(f"alter database {name} set default_transaction_read_only = on")
    link = Link(configure({"dsn": dsn, "backoff_s": 0.01}), "test")
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(link.call, lambda c: c.execute("create table written ()"))
            await happens(lambda: caplog.records)
            await db.execute(f"alter database {name} set default_transaction_read_only = off")
    finally:
        await link.close()
    (record,) = caplog.records
    said = record.getMessage()
    assert said.startswith("'howdah test' has failed 5 times in a row, and goes on trying: cannot execute CREATE TABLE in a read-only")


async def test_a_statement_that_asks_too_early_is_a_mistake_and_no_loss(db: Session) -> None:
    await db.execute("create sequence fresh")
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError) as caught:
        await db.fetchval("select currval('fresh')")
    assert not is_lost(caught.value, db)
