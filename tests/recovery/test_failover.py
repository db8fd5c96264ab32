"""The server dies and its standby takes its place, and its nodes live on. What the standby had not heard of did not happen."""

import os
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import anyio.to_thread
import asyncpg
import pytest
from howdah.config import configure
from howdah.db.migrate import migrate

from ..chaos.server import DATABASE, Server
from .nodes import EFFECTS, SHORT, Fleet, doubles, drained, enqueue, until

pytestmark = pytest.mark.anyio

ENDED = "select count(*) = 40 from howdah.event where kind = 1"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A primary with a migrated database, whose address moves."""
    with tempfile.TemporaryDirectory(prefix="howdah-failover-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - root's server runs as another account
        made = Server(Path(folder), disk_mb=0)
        await anyio.to_thread.run_sync(made.begin)
        admin = await asyncpg.connect(made.primary.dsn())
        await admin.execute(f"create database {DATABASE}")
        await admin.close()
        db = await made.connect("test")
        await migrate(db, configure({"ahead_days": 1}))
        await db.execute(EFFECTS)
        await db.close()
        yield made
        await anyio.to_thread.run_sync(made.close)


async def test_what_an_asynchronous_standby_had_not_heard_of_is_done_again_although_the_node_lives(server: Server, tmp_path: Path) -> None:
    standby = await anyio.to_thread.run_sync(server.prepare_standby)
    await server.follow(synchronous=False)
    fleet = Fleet(server.dsn, tmp_path, **SHORT)
    try:
        (node,) = await fleet.start(1)
        db = await server.connect("test")
        gate = tmp_path / "gate"
        await enqueue(db, "gated", 40, gate=str(gate))
        await until(db, "select count(*) = 40 from effect where what = 'begin'")
        await server.ask("select pg_switch_wal()")
        behind = await asyncpg.connect(standby.dsn(DATABASE))
        await until(behind, "select count(*) = 40 from howdah.job where lease is not null")
        behind.terminate()
        await server.fall_behind(standby)
        gate.touch()
        await until(db, ENDED)
        db.terminate()
        await server.stop(signal.SIGQUIT)
        await anyio.to_thread.run_sync(server.succeed, standby)
        await server.promote()
        db = await server.connect("test")
        await drained(db)
        assert await db.fetchval(ENDED)
        assert not node.ended
        assert await db.fetchval("select howdah.recount()") == 0
        db.terminate()
    finally:
        fleet.close()


async def test_a_synchronous_standby_has_every_enqueue_and_every_end(server: Server, tmp_path: Path) -> None:
    standby = await anyio.to_thread.run_sync(server.prepare_standby)
    await server.follow(synchronous=True)
    # Both are named, and whichever takes writes is meant: this address does not move.
    places = ",".join(quote(str(one.sockets), safe="/") for one in (server.primary, standby))
    fleet = Fleet(f"postgresql://postgres@/{DATABASE}?host={places}&target_session_attrs=read-write", tmp_path, **SHORT)
    try:
        await fleet.start(1)
        db = await server.connect("test")
        runs = await enqueue(db, "stored", 2000)
        await until(db, "select count(*) > 200 from howdah.event")
        db.terminate()
        await server.stop(signal.SIGQUIT)
        await anyio.to_thread.run_sync(server.succeed, standby)
        await server.promote()
        db = await server.connect("test")
        await drained(db)
        assert await db.fetchval("select count(*) from howdah.event where kind = 1 and run = any($1)", runs) == 2000
        assert await db.fetchval("select count(*) from effect where what = 'stored'") == 2000
        assert await doubles(db, "stored") == 0
        db.terminate()
    finally:
        fleet.close()
