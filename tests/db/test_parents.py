"""Parents, roots, what children inherit, and what becomes of them."""

from typing import Any

import asyncpg
import pytest
from howdah.core.states import State
from howdah.db.files import query

from . import world
from .world import Session

pytestmark = pytest.mark.anyio


async def settle(db: Session) -> None:
    while await db.fetchval(query("settle")):
        pass


async def child(db: Session, parent: int, **options: Any) -> int:
    (run,) = await world.enqueue(db, parent=parent, **options)
    return run


async def test_the_root_is_the_topmost_run_and_metadata_comes_down(db: Session) -> None:
    (top,) = await world.enqueue(db, metadata={"tenant": "7", "tier": "gold"})
    middle = await child(db, top, metadata={"tier": "silver"})
    leaf = await child(db, middle)
    rows = await db.fetch("select id, parent, root, metadata::text from howdah.run where id = any($1) order by id", [top, middle, leaf])
    assert [tuple(row)[:3] for row in rows] == [(top, None, None), (middle, top, top), (leaf, middle, top)]
    assert rows[2]["metadata"] == '{"tier": "silver", "tenant": "7"}'
    with pytest.raises(asyncpg.DataError, match="no run 5 to be the parent"):
        await child(db, 5)


async def test_a_cancelled_parent_takes_its_pending_children_along_save_those_to_be_kept(db: Session) -> None:
    (top,) = await world.enqueue(db)
    middle, kept = await child(db, top, delay=60), await child(db, top, on_parent_cancel="keep")
    leaf = await child(db, middle)
    await world.cancel(db, top, reason="typo")
    await settle(db)
    assert [await world.state(db, run) for run in (top, middle, leaf)] == [State.CANCELLED] * 3
    assert await world.state(db, kept) == State.QUEUED
    said = await db.fetchval("select data->>'reason' from howdah.event where run = $1", leaf)
    assert said == "its parent was cancelled"


async def test_a_running_child_is_asked_to_stop(db: Session) -> None:
    (top,) = await world.running(db)
    run = await child(db, top.id)
    (held,) = await world.claim(db, top.node)
    assert held.id == run
    await world.send(db, world.outcome(top, world.Kind.STOPPED))
    await settle(db)
    assert await db.fetchval("select flags & 1 from howdah.job where id = $1", run) == 1
    assert await world.state(db, run) == State.RUNNING


async def test_a_large_family_is_cancelled_in_parts(db: Session) -> None:
    (top,) = await world.enqueue(db)
    children = await world.enqueue(db, 2500, parent=top)
    await world.cancel(db, top)
    await db.fetchval(query("settle"))
    assert await db.fetchval("select count(*) from howdah.job where id = any($1)", children) == 1500
    await settle(db)
    assert await db.fetchval("select count(*) from howdah.job where id = any($1)", children) == 0
    assert await db.fetchval("select count(*) from howdah.inbox") == 0
