"""A node's lease counts in the world that it entered: not on another timeline, nor in a copy of the database."""

import itertools
import os
from collections.abc import AsyncIterator

import anyio
import asyncpg
import pytest
from howdah.config import configure
from howdah.core.states import Kind, State
from howdah.db.files import query
from howdah.db.leases import Leases, Member
from howdah.embedded import Embedded
from howdah.labels import Labels

from . import world
from .world import Session

pytestmark = pytest.mark.anyio

NODE_GONE = "HW002"

_numbers = itertools.count(1)


@pytest.fixture
async def copies(server: Embedded, template: str) -> AsyncIterator[tuple[str, str]]:
    """The names of two databases of one cluster; the second is made by a test, as a copy of the first."""
    number = next(_numbers)
    names = (f"test_world_{os.getpid()}_{number}", f"test_world_copy_{os.getpid()}_{number}")
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute(f"create database {names[0]} template {template}")
    yield names
    for name in names:
        await admin.execute(f"drop database if exists {name} with (force)")
    await admin.close()


async def moved_on(db: Session) -> None:
    """From now on this is another world than the one that every node here entered, as after a failover."""
    await db.execute("update howdah.node set world = 'of before'")


async def renewed(db: Session, node: int) -> bool:
    return bool(await db.fetch(query("renew"), node, 60.0))


async def test_a_node_of_another_world_is_not_renewed(db: Session) -> None:
    node = await world.join(db, work="first")
    assert await renewed(db, node)
    await moved_on(db)
    assert not await renewed(db, node)


async def test_a_node_of_another_world_is_given_nothing(db: Session) -> None:
    """Its lease numbers are handed out again here: a run under one that it holds already would end with that one's outcome."""
    node = await world.join(db, work="first")
    runs = await world.enqueue(db, 2)
    await moved_on(db)
    for _ in range(2):
        with pytest.raises(asyncpg.PostgresError) as refused:
            await world.claim(db, node)
        assert refused.value.sqlstate == NODE_GONE
        await db.execute("update howdah.job set crashes = 2 where id = $1", runs[0])  # Nor what is to be had aside.
    assert [await world.state(db, run) for run in runs] == [State.QUEUED, State.QUEUED]


async def test_what_a_world_knows_to_be_held_may_still_end_in_it(db: Session) -> None:
    """A lease that was given before the worlds parted is no promise of the other one: what was under way then is not done twice."""
    node = await world.join(db, work="first")
    (run,) = await world.enqueue(db)
    (held,) = await world.claim(db, node)
    await moved_on(db)
    assert (await world.send(db, world.outcome(held, Kind.SUCCEEDED))).rejected == []
    assert await world.state(db, run) == State.SUCCEEDED


async def test_a_node_whose_world_was_not_known_lives_on(db: Session) -> None:
    node = await world.join(db, work="first")
    await world.enqueue(db)
    await db.execute("update howdah.node set world = ''")
    assert await renewed(db, node)
    assert len(await world.claim(db, node)) == 1


async def test_a_node_whose_entry_was_made_in_another_world_enters_this_one(dsn: str, db: Session) -> None:
    """Its answer was lost in the failover, and the standby has its row: it must not try again and again until that is reaped."""
    leases = Leases(configure({"dsn": dsn}), Member("test", "here", 1, "0", [], [], None, Labels({}, lambda: None)))
    node = await world.join(db, 3600)
    await moved_on(db)
    with anyio.fail_after(30):
        await leases.enter(node, 60.0)
    assert await db.fetchval("select world = howdah.world() from howdah.node where id = $1", node)
    await leases.close()


async def test_a_copy_in_the_same_cluster_is_another_world(server: Embedded, copies: tuple[str, str]) -> None:
    db = await asyncpg.connect(server.dsn(copies[0]))
    node = await world.join(db, work="first")
    await world.enqueue(db)
    here = await db.fetchval("select howdah.world()")
    await db.close()
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute(f"create database {copies[1]} template {copies[0]}")
    await admin.close()
    copy = await asyncpg.connect(server.dsn(copies[1]))
    assert await copy.fetchval("select howdah.world()") != here
    assert not await renewed(copy, node)
    with pytest.raises(asyncpg.PostgresError) as refused:
        await world.claim(copy, node)
    assert refused.value.sqlstate == NODE_GONE
    await copy.close()
    db = await asyncpg.connect(server.dsn(copies[0]))
    assert await db.fetchval("select howdah.world()") == here
    assert await renewed(db, node)
    await db.close()


async def test_tables_that_were_made_anew_in_the_same_database_are_another_world(server: Embedded, copies: tuple[str, str]) -> None:
    """As by a dump that is restored over them."""
    db = await asyncpg.connect(server.dsn(copies[0]))
    before = await db.fetchval("select howdah.world()")
    await db.execute("create table kept as table howdah.node; drop table howdah.node cascade; alter table kept set schema howdah")
    await db.execute("alter table howdah.kept rename to node")
    assert await db.fetchval("select howdah.world()") != before
    await db.close()
