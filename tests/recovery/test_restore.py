"""A copy of the database that was taken under load is restored: every run in it ends, and no lease of the old world counts."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import asyncpg
import pytest
from howdah.config import configure
from howdah.db.completions import LEASE_LOST
from howdah.db.files import query
from howdah.db.migrate import migrate
from howdah.embedded import Embedded
from howdah.embedded.account import account_for, surroundings
from howdah.embedded.binaries import reachable_binaries

from .nodes import EFFECTS, SHORT, Fleet, Server, Session, doubles, drained, enqueue, until

pytestmark = pytest.mark.anyio

NODE_GONE = "HW002"
NEWCOMER = 1
LONG_S = 300.0
"""A lease that lasts until the copy is restored, however busy the machine is."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="howdah-restore-", ignore_cleanup_errors=True) as name:
        os.chmod(name, 0o755)  # noqa: PTH101 - root's server runs as another account
        yield Path(name)


@pytest.fixture
def servers(folder: Path) -> Iterator[list[Server | Embedded]]:
    """The old world; those that a test adds are stopped with it."""
    made: list[Server | Embedded] = [Server(folder / "old")]
    yield made
    for server in reversed(made):
        if isinstance(server, Server):
            server.close()
        else:
            server.stop()
            server.release()


def _client(base: Path, *command: str) -> None:
    account = account_for(base)
    program = reachable_binaries(base, account) / command[0]
    subprocess.run([str(program), *command[1:]], check=True, capture_output=True, **surroundings(account))


async def _load(dsn: str, folder: Path, **settings: float) -> Fleet:
    """A node at work on more than it can do meanwhile."""
    db = await asyncpg.connect(dsn)
    await migrate(db, configure({"ahead_days": 1}))
    await db.execute(EFFECTS)
    fleet = Fleet(dsn, folder, **SHORT | settings)
    await fleet.start(1)
    held = await enqueue(db, "hold", 3)
    await until(db, "select count(*) = 3 from effect where what = 'begin' and run = any($1)", held)
    await enqueue(db, "linger", 60, seconds=1.0)
    await enqueue(db, "stored", 1500)
    await enqueue(db, "once", 20, seconds=0.5)
    await db.execute("select howdah.enqueue('mark', '{}', delay => make_interval(secs => g * 0.01)) from generate_series(1, 300) g")
    await until(db, "select count(*) > 200 from effect where what = 'stored'")
    db.terminate()
    return fleet


async def _old_leases_count_for_nothing(db: Session) -> None:
    """What a node of the old world would do, should it reach the new one: renew, and end what it held."""
    held = await db.fetch("select id, lease, node, task from howdah.job where lease is not null")
    assert held, "nothing was held when the copy was made"
    # After a start of Postgres each node has one lease to report. None does, and what they held is taken back.
    await until(db, "select count(*) = 0 from (select next_s from howdah.keep(1000, 1.0, 3)) k, howdah.node")
    for run in held:
        assert await db.fetch(query("renew"), run["node"], 60.0) == []
        with pytest.raises(asyncpg.PostgresError) as refused:
            await db.execute(query("complete"), run["id"], run["lease"], run["node"], None, None, None)
        assert refused.value.sqlstate == LEASE_LOST
    await _send(db, held)
    assert await db.fetchval("select count(*) from howdah.stale_event where verdict = 'stale'") == len(held)


async def _everything_ends(dsn: str, folder: Path, of_before: Callable[[Session], Awaitable[None]] = _old_leases_count_for_nothing) -> None:
    """By a node of the new world. What may start once was not started again. of_before: what becomes of the leases of the old one."""
    db = await asyncpg.connect(dsn)
    fleet = Fleet(dsn, folder, **SHORT)
    try:
        await of_before(db)
        await fleet.start(1)
        await drained(db, within_s=60)
        states = await db.fetch(
            "select t.name, howdah.state(r.id) as state, count(*) from howdah.run r join howdah.task t on t.id = r.task group by 1, 2"
        )
        assert {row["state"] for row in states if row["name"] != "once"} == {"succeeded"}
        assert {row["state"] for row in states if row["name"] == "once"} <= {"succeeded", "lost"}
        assert await db.fetchval("select count(*) from effect where what = 'stored'") == 1500
        assert await doubles(db, "stored") == 0
        assert await db.fetchval("select howdah.recount()") == 0
    finally:
        fleet.close()
        db.terminate()


async def test_a_dump_taken_under_load_is_restored_and_every_run_ends(servers: list[Server | Embedded], folder: Path) -> None:
    old, new = servers[0], Server(folder / "new")
    servers.append(new)
    fleet = await _load(old.dsn(), folder)
    file = folder / "old" / "dump"
    try:
        await anyio.to_thread.run_sync(_client, folder / "old", "pg_dump", "-Fc", "-f", str(file.with_name("data") / "dump"), old.dsn())
        shutil.move(file.with_name("data") / "dump", folder / "new" / "data" / "dump")
        await anyio.to_thread.run_sync(
            _client, folder / "new", "pg_restore", "--exit-on-error", "-d", new.dsn(), str(folder / "new" / "data" / "dump")
        )
        assert not fleet.processes[0].ended, "the old world went on meanwhile"
        await _everything_ends(new.dsn(), folder)
    finally:
        fleet.close()


async def test_a_base_backup_taken_under_load_is_restored_and_every_run_ends(servers: list[Server | Embedded], folder: Path) -> None:
    old = servers[0]
    fleet = await _load(old.dsn(), folder)
    base = folder / "new"
    base.mkdir(mode=0o755)
    account = account_for(folder / "old")
    if account.uid != os.geteuid():
        os.chown(base, *account)
    sockets = old.dsn().partition("host=")[2]
    try:
        await anyio.to_thread.run_sync(
            _client, base, "pg_basebackup", "-h", sockets.replace("%2F", "/"), "-U", "postgres", "-D", str(base / "data"), "-X", "stream",
            "-c", "fast", "--no-sync",
        )  # fmt: skip
        new = Embedded(base, settings={"fsync": "off"})
        await anyio.to_thread.run_sync(new.start)
        servers.append(new)
        assert not fleet.processes[0].ended, "the old world went on meanwhile"
        await _everything_ends(new.dsn(), folder)
    finally:
        fleet.close()


async def test_a_node_of_the_old_world_that_reaches_the_copy_before_its_lease_has_ended_is_given_nothing_there(
    servers: list[Server | Embedded], folder: Path
) -> None:
    """The copy stands beside the original, in the same cluster. Numbers of runs and leases go on from those of the dump, in both."""
    old = servers[0]
    fleet = await _load(old.dsn(), folder, lease_s=LONG_S)
    dump = str(folder / "old" / "data" / "dump")
    db = await asyncpg.connect(old.dsn())
    try:
        await anyio.to_thread.run_sync(_client, folder / "old", "pg_dump", "-Fc", "-f", dump, old.dsn())
        await db.execute("create database copy")
        await anyio.to_thread.run_sync(_client, folder / "old", "pg_restore", "--exit-on-error", "-d", old.dsn("copy"), dump)
        later = await enqueue(db, "linger", 20, seconds=LONG_S)
        await until(db, "select count(*) >= 3 from howdah.job where lease is not null and id = any($1)", later)
        promised = await db.fetch("select id, lease, node, task from howdah.job where lease is not null and id = any($1)", later)
        fleet.close()

        async def of_before(copy: Session) -> None:
            await _the_old_world_is_refused(copy, promised)

        await _everything_ends(old.dsn("copy"), folder, of_before)
    finally:
        db.terminate()
        fleet.close()


async def _the_old_world_is_refused(copy: Session, promised: list[Any]) -> None:
    """While its lease goes on: it is not renewed, given nothing, and what it was promised after the copy was made is not known here."""
    node = promised[0]["node"]
    assert await copy.fetchval("select until > clock_timestamp() from howdah.node where id = $1", node), "its lease has ended"
    assert await copy.fetch(query("renew"), node, 60.0) == []
    await enqueue(copy, "linger", len(promised), seconds=0.1)
    again = await copy.fetch("select j.id, j.queue, j.task from howdah.job j where j.id = any($1)", [run["id"] for run in promised])
    assert again, "no number of a run was given in both worlds"
    lines = ([again[0]["queue"]], [again[0]["task"]], [-32768], [0])
    with pytest.raises(asyncpg.PostgresError) as refused:
        await copy.fetch(query("claim"), node, 1000, *lines, True, False)
    assert refused.value.sqlstate == NODE_GONE
    # A node of this world holds runs of the same numbers, under numbers of leases that the other one had, too.
    await copy.fetchval(query("join_node"), NEWCOMER, "test", "here", 1, "0", [], [], None, 60.0, "{}")
    await copy.execute("select setval('howdah.lease_number', $1, false)", min(run["lease"] for run in promised))
    held = {row["id"]: row["lease"] for row in await copy.fetch(query("claim"), NEWCOMER, 1000, *lines, False, False)}
    assert any(held.get(run["id"]) == run["lease"] for run in promised), "no lease of a run was given in both worlds"
    for run in promised:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await copy.execute(query("complete"), run["id"], run["lease"], run["node"], None, None, None)
        assert refused.value.sqlstate == LEASE_LOST
    await _send(copy, promised)
    assert await copy.fetchval("select count(*) from howdah.stale_event where verdict = 'stale'") == len(promised)
    # What was under way when the worlds parted is the same attempt in both: it may end in each, once, until its lease runs out.
    known = await copy.fetch(
        "select j.id, j.lease, j.node, j.task from howdah.job j join howdah.task t on t.id = j.task"
        " where t.name = 'hold' and j.node = $1 limit 1",
        node,
    )
    for _ in range(2):
        await _send(copy, known)
    assert await copy.fetchval("select howdah.state($1)", known[0]["id"]) == "succeeded"
    assert await copy.fetchval("select count(*) from howdah.stale_event where verdict = 'duplicate'") == 1
    await copy.execute("update howdah.node set renewed = howdah.clock(), until = howdah.clock()")  # And now it ends.
    await until(copy, "select count(*) = 0 from (select next_s from howdah.keep(1000, 1.0, 3)) k, howdah.node")


async def _send(db: Session, runs: list[Any]) -> None:
    await db.execute(
        "insert into howdah.event (run, lease, node, task, kind)"
        " select h.*, 1 from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::int[]) h",
        *zip(*runs, strict=True),
    )  # fmt: skip
