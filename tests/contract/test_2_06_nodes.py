"""CONTRACT 2.6: `howdah nodes ls|pause|resume|drain NODE`: a row, obeyed within a second, survives reconnect."""

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest
from howdah import App, ArgumentsInvalid

from ..cli.programs import begin, beside
from ..cli.shop import WAIT, write_shop

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

SILENT: dict[str, Any] = {"heartbeat_s": 600.0, "lease_s": 3600.0, "grace_s": 2, "hard_grace_s": 2}
"""A node that reads its orders only when it is told that there are some."""

SHOP = (
    """
    import asyncio
    from howdah import App

    jobs = App()
"""
    + WAIT
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path, SHOP)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not condition():
            await anyio.sleep(0.005)


async def test_a_paused_node_starts_nothing_new_lets_what_runs_go_on_and_works_again_when_it_is_resumed(dsn: str) -> None:
    jobs = App(dsn, **SILENT)
    begun, goes_on = asyncio.Event(), asyncio.Event()

    @jobs.task
    async def hold() -> str:
        begun.set()
        await goes_on.wait()
        return "held on"

    @jobs.task
    async def quick() -> str:
        return "quick"

    async with jobs.work() as node:
        held = await hold.enqueue()
        await begun.wait()
        await until(lambda: node._has_listened)
        assert await jobs.nodes.pause(node.name) == node.name
        await until(lambda: node.paused)
        new = await quick.enqueue()
        goes_on.set()
        assert await held.result("10s") == "held on"
        assert str(await new.status()) == "queued"
        assert [one.ordered for one in await jobs.nodes.list()] == ["pause"]

        await jobs.nodes.resume(node.name)
        await until(lambda: not node.paused)
        assert await new.result("10s") == "quick"
        assert [one.ordered for one in await jobs.nodes.list()] == [None]


async def test_a_node_that_is_told_to_drain_lets_what_runs_end_leaves_and_takes_its_order_with_it(dsn: str, db: Db) -> None:
    jobs = App(dsn, **SILENT)
    begun, goes_on = asyncio.Event(), asyncio.Event()

    @jobs.task
    async def hold() -> str:
        begun.set()
        await goes_on.wait()
        return "held on"

    async with jobs, jobs.work() as node:
        held = await hold.enqueue()
        await begun.wait()
        await until(lambda: node._has_listened)
        await jobs.nodes.drain(node.name)
        await until(node.stopping.is_set)
        for refused in (jobs.nodes.pause, jobs.nodes.resume):
            with pytest.raises(ArgumentsInvalid, match="drains, and that is not taken back"):
                await refused(node.name)
        goes_on.set()
        assert await held.result("10s") == "held on"
        await node.stopped.wait()
        assert await jobs.nodes.list() == []
    assert await db.fetchval("select count(*) from howdah.node_order") == 0


@pytest.mark.parametrize("order", ["pause", "drain"])
async def test_an_order_is_obeyed_also_where_every_notification_is_lost(dsn: str, db: Db, order: str) -> None:
    """The row is the truth: it is read at each renewal."""
    jobs = App(dsn, heartbeat_s=0.2, lease_s=60, grace_s=2, hard_grace_s=2)
    await db.execute("create or replace function howdah.tell(p_channel text, p_payload text) returns void language plpgsql as 'begin end'")

    @jobs.task
    async def quick() -> None: ...

    async with jobs.work() as node:
        await (jobs.nodes.pause if order == "pause" else jobs.nodes.drain)(node.name)
        await until(lambda: node.paused or node.stopping.is_set())


async def test_an_order_is_obeyed_within_a_second_behind_a_pooler_where_nothing_is_heard(dsn: str) -> None:
    jobs = App(dsn, pooler=True, grace_s=2, hard_grace_s=2)
    assert jobs.config.reached(pooler=True).heartbeat_s < 1

    @jobs.task
    async def quick() -> None: ...

    async with jobs.work() as node:
        await jobs.nodes.pause(node.name)
        await until(lambda: node.paused)


async def test_an_order_survives_the_loss_of_the_lease_and_one_that_was_given_meanwhile_is_heard(dsn: str, db: Db) -> None:
    jobs = App(dsn, heartbeat_s=0.1, lease_s=60, grace_s=2, hard_grace_s=2)

    @jobs.task
    async def quick() -> str:
        return "quick"

    async def lose() -> None:
        """Its lease is taken from it, as when it could not renew for too long."""
        before = await db.fetchval("select id from howdah.node where name = $1", node.name)
        await db.execute("delete from howdah.node where id = $1", before)
        with anyio.fail_after(30):
            while await db.fetchval("select count(*) from howdah.node where name = $1 and id <> $2", node.name, before) == 0:
                await anyio.sleep(0.01)

    async with jobs.work() as node:
        await jobs.nodes.pause(node.name)
        await until(lambda: node.paused)
        run = await quick.enqueue()
        await lose()
        assert [(one.name, one.ordered) for one in await jobs.nodes.list()] == [(node.name, "pause")]
        assert node.paused
        assert str(await run.status()) == "queued"

        await db.execute("delete from howdah.node_order")
        await lose()
        await until(lambda: not node.paused)
        assert await run.result("10s") == "quick"


async def test_the_commands_tell_a_worker_and_a_drained_one_ends(dsn: str, db: Db, shop: Path) -> None:
    async with begin("worker", "shop", cwd=shop, HOWDAH_DSN=dsn) as worker:
        await worker.told("Ready")
        (row,) = [json.loads(line) for line in (await beside("nodes", "ls", "--json", HOWDAH_DSN=dsn)).stdout.splitlines()]
        name, short = row["name"], row["name"][:-1]

        paused = await beside("nodes", "pause", short, HOWDAH_DSN=dsn)
        await worker.told("was told to pause")
        told = (await beside("nodes", "ls", HOWDAH_DSN=dsn)).stdout
        run = await db.fetchval("select howdah.enqueue('wait', '{\"s\": 0.3}')")
        resumed = await beside("nodes", "resume", str(row["id"]), HOWDAH_DSN=dsn)
        assert await worker.line() == "begun"
        drained = await beside("nodes", "drain", name, HOWDAH_DSN=dsn)
        code, out, said = await worker.end()

    assert paused.stdout == f"{name} pauses: it starts nothing new; `howdah nodes resume` takes that back.\n"
    assert "alive, paused" in told
    assert resumed.stdout == f"{name} works again.\n"
    assert drained.stdout == f"{name} drains: it leaves when what runs there has ended.\n"
    assert (code, out) == (0, "ended\n")
    assert "was told to drain" in said
    assert await db.fetchval("select howdah.state($1)", run) == "succeeded"


async def test_a_second_signal_hurries_a_node_that_drains_by_order(dsn: str, db: Db, shop: Path) -> None:
    run = await db.fetchval("select howdah.enqueue('wait', '{\"s\": 60}')")
    async with begin("worker", "shop", cwd=shop, HOWDAH_DSN=dsn) as worker:
        assert await worker.line() == "begun"
        (row,) = [json.loads(line) for line in (await beside("nodes", "ls", "--json", HOWDAH_DSN=dsn)).stdout.splitlines()]
        await beside("nodes", "drain", row["name"], HOWDAH_DSN=dsn)
        await worker.told("Draining")
        worker.send(signal.SIGINT)
        assert (await worker.end())[0] == 0
    assert await db.fetchval("select howdah.state($1)", run) == "queued"


async def test_a_node_that_is_not_there_or_that_several_may_be_is_one_sentence(dsn: str, db: Db) -> None:
    for number, name in enumerate(("near-1", "near-2"), 1):
        await db.fetchval("select howdah.join_node($1, $2, 'here', 42, '1.0', '{}', '{}', null, 60)", number, name)

    missing = await beside("nodes", "pause", "far", HOWDAH_DSN=dsn)
    several = await beside("nodes", "drain", "near", HOWDAH_DSN=dsn)
    empty = await beside("nodes", "drain", "", HOWDAH_DSN=dsn)

    assert (missing.exit_code, several.exit_code, empty.exit_code) == (1, 1, 1)
    assert missing.stderr.startswith("howdah: there is no node far (It may have left")
    assert several.stderr == "howdah: 2 nodes are called near...: near-1, near-2 (Name one of them.)\n"
    assert "there is no node" in empty.stderr
    assert await db.fetchval("select count(*) from howdah.node_order") == 0
