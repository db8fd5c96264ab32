"""What nodes are told: howdah.order_node beside nodes that leave, come back, or are gone for good."""

import asyncpg
import pytest
from howdah.db.files import query

from . import world
from .world import Connect, Session

pytestmark = pytest.mark.anyio


async def join(db: Session, node: int, name: str) -> None:
    await db.fetchval(query("join_node"), node, name, "here", 1, "0", [], [], None, 60.0, "{}")


async def orders(db: Session) -> dict[str, str]:
    return {row[0]: row[1] for row in await db.fetch("select node, what from howdah.node_order")}


async def test_an_order_is_heard_at_each_renewal_under_any_identity_of_the_name(db: Session) -> None:
    await join(db, 1, "near")
    await db.fetchval(query("order_node"), "near", "pause")
    assert (await db.fetch(query("renew"), 1, 60.0))[0]["ordered"] == "pause"
    await db.execute("delete from howdah.node where id = 1")
    await join(db, 2, "near")
    assert (await db.fetch(query("renew"), 2, 60.0))[0]["ordered"] == "pause"
    assert await db.fetchval(query("order_node"), "2", "resume") == "near"
    assert (await db.fetch(query("renew"), 2, 60.0))[0]["ordered"] is None


async def test_a_node_that_leaves_while_it_is_told_something_leaves_no_order_behind(db: Session, connect: Connect) -> None:
    await join(db, 1, "near")
    other, watcher = await connect(), await connect()
    await db.execute("begin")
    await db.fetchval(query("order_node"), "near", "pause")
    leaving = await world.while_held(other, other.execute(query("leave_node"), 1), watcher)
    await db.execute("commit")
    await leaving
    assert await orders(db) == {}


async def test_who_tells_a_node_that_is_leaving_hears_that_it_is_gone(db: Session, connect: Connect) -> None:
    await join(db, 1, "near")
    other, watcher = await connect(), await connect()
    await db.execute("begin")
    await db.execute(query("leave_node"), 1)
    telling = await world.while_held(other, other.fetchval(query("order_node"), "near", "pause"), watcher)
    await db.execute("commit")
    with pytest.raises(asyncpg.DataError, match="there is no node near"):
        await telling
    assert await orders(db) == {}


async def test_orders_to_nodes_that_are_gone_for_good_are_swept_after_a_day(db: Session) -> None:
    await join(db, 1, "alive")
    await join(db, 2, "dead")
    for name in ("alive", "dead"):
        await db.fetchval(query("order_node"), name, "pause")
    await db.execute("delete from howdah.node where id = 2")
    assert await db.fetchval(query("sweep"), 100) == 0
    assert set(await orders(db)) == {"alive", "dead"}
    await world.shift(db, "25 hours")
    assert await db.fetchval(query("sweep"), 100) == 1
    assert set(await orders(db)) == {"alive"}


async def test_two_that_drain_one_node_agree_and_who_resumes_it_then_is_refused(db: Session) -> None:
    await join(db, 1, "near")
    for order in ("pause", "drain", "drain"):
        assert await db.fetchval(query("order_node"), "near", order) == "near"
    with pytest.raises(asyncpg.DataError, match="is not taken back"):
        await db.fetchval(query("order_node"), "near", "resume")
    assert await orders(db) == {"near": "drain"}
