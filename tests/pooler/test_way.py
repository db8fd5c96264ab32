"""Whether HOWDAH_DSN goes through a pooler is found out, said once, and may be said instead."""

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import asyncpg
import pytest
from howdah import App
from howdah.config import configure
from howdah.db.files import listing, query
from howdah.db.link import Link
from howdah.db.way import Way, found
from howdah.embedded import Embedded

from ..recovery.nodes import Session
from .bouncer import Bouncer

pytestmark = pytest.mark.anyio


async def test_a_pooler_is_told_from_postgres_by_the_number_of_the_process(pooled: str, dsn: str) -> None:
    assert (await found(configure({"dsn": pooled}))).pooler is True
    assert (await found(configure({"dsn": dsn}))).pooler is False
    assert (await found(configure({"dsn": pooled, "pooler": False}))).pooler is False
    assert (await found(configure({"dsn": dsn, "pooler": True}))).pooler is True


@pytest.mark.parametrize("direct", [True, False])
async def test_that_nothing_is_heard_behind_a_pooler_is_one_warning(
    pooled: str, dsn: str, *, direct: bool, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = App(pooled, direct_dsn=dsn if direct else None, grace_s=2, hard_grace_s=2)

    @jobs.task
    async def one() -> int:
        return 1

    with caplog.at_level(logging.WARNING):
        async with jobs.work():
            assert await (await one.enqueue()).result("10s") == 1
    warned = [record.getMessage() for record in caplog.records if record.name == "howdah.client"]
    assert len(warned) == (0 if direct else 1)
    assert all("each 0.5 s (poll_s). Set HOWDAH_DIRECT_DSN" in text for text in warned)


def test_where_nothing_is_heard_every_look_comes_within_the_poll() -> None:
    here = configure({"dsn": "x", "poll_s": 0.25}).reached(pooler=True)
    assert (here.busy_look_s, here.idle_look_s, here.result_poll_s) == (0.25, 0.25, 0.25)
    assert not here.hears
    quick = configure({"busy_look_s": 0.1}).reached(pooler=True)
    assert (quick.busy_look_s, quick.idle_look_s, quick.result_poll_s) == (0.1, 0.5, 0.5)
    for heard in (configure({}).reached(pooler=False), configure({"direct_dsn": "y"}).reached(pooler=True)):
        assert heard.hears
        assert heard.idle_look_s == configure({}).idle_look_s


def test_only_what_needs_a_session_goes_the_direct_way() -> None:
    config = configure({"dsn": "x", "direct_dsn": "y"}).reached(pooler=True)
    assert Way.of(config) == Way("x", pooled=True)
    assert Way.of(config, direct=True) == Way("y", pooled=False)
    alone = configure({"dsn": "x"}).reached(pooler=True)
    assert Way.of(alone, direct=True) == Way("x", pooled=True)


async def test_the_types_of_all_statements_are_known_before_the_first_one(pooled: str) -> None:
    link = Link(configure({"dsn": pooled}).reached(pooler=True), "test")
    connection = await link.connected()
    asked: list[str] = []

    def note(record: asyncpg.connection.LoggedQuery) -> None:
        asked.append(record.query)

    connection.add_query_logger(note)
    for name, _ in listing("queries"):
        if name != "script_migration":
            async with connection.transaction():
                await connection.prepare(query(name))
    assert [text for text in asked if "jit" in text or "pg_type" in text] == []
    await link.close()


async def test_a_connection_whose_preparation_fails_is_not_left_open(dsn: str, db: Session) -> None:
    async def fail(connection: object) -> None:
        raise ZeroDivisionError

    link = Link(configure({"dsn": dsn}), "leaky", prepare=fail)
    with pytest.raises(ZeroDivisionError):
        await link.connected()
    with anyio.fail_after(30):
        while await db.fetchval("select count(*) from pg_stat_activity where application_name = 'howdah leaky'"):
            pass


@pytest.fixture
def sessions(server: Embedded, bouncer: Bouncer, dsn: str) -> Iterator[str]:
    """The test's database through a PgBouncer that pools whole sessions."""
    with tempfile.TemporaryDirectory(prefix="howdah-sessions-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - root's bouncer runs as another account
        running = Bouncer(server.dsn("postgres"), Path(folder), "session", size=20)
        yield running.dsn(dsn)
        running.close()


async def test_behind_a_pooler_of_whole_sessions_everything_works_as_without_one_if_that_is_said(sessions: str) -> None:
    jobs = App(sessions, pooler=False, grace_s=2, hard_grace_s=2)

    @jobs.task
    async def one() -> int:
        return 1

    async with jobs.work():
        assert jobs.client.config.hears
        assert await (await one.enqueue()).result("10s") == 1
