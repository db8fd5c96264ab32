"""Blame: crashes are counted, suspects run one at a time on a node, and only a suspect's own crashes quarantine it."""

import json

import pytest
from howdah.core.states import State
from howdah.db.files import query

from . import world
from .world import Session

pytestmark = pytest.mark.anyio


async def crash(db: Session, quarantine: int = 3) -> list[str]:
    """All nodes die; the facts that the reaper found."""
    await world.shift(db, "1 hour")
    facts = await db.fetchval("select howdah.reap($1)", quarantine)
    await world.shift(db, "")
    return [fact["fact"] for fact in json.loads(facts)]


async def crashes(db: Session, run: int) -> int:
    return await db.fetchval("select crashes from howdah.job where id = $1", run)


async def test_what_two_nodes_died_with_is_claimed_one_at_a_time_and_first(db: Session) -> None:
    ids = await world.enqueue(db, 5)
    for _ in range(2):
        assert len(await world.claim(db, await world.join(db))) == 5
        await crash(db)
    fresh = await world.enqueue(db, 3)
    one, two = await world.join(db), await world.join(db)
    held = await world.claim(db, one)
    assert [(run.id, run.aside) for run in held] == [(ids[0], True), *((run, False) for run in fresh)]
    assert [run.id for run in await world.claim(db, two)] == [ids[1]]
    assert await world.claim(db, one) == []
    await world.send(db, world.outcome(held[0]))
    assert [run.id for run in await world.claim(db, one)] == [ids[2]]


async def test_a_success_clears_it_and_a_retry_does_not(db: Session) -> None:
    (run,) = await world.enqueue(db)
    for _ in range(2):
        await world.claim(db, await world.join(db))
        await crash(db)
    node = await world.join(db)
    (held,) = await world.claim(db, node)
    await world.send(db, world.outcome(held, world.Kind.RETRIED, 0))
    await db.fetchval("select howdah.fire(10)")
    assert await crashes(db, run) == 2
    (held,) = await world.claim(db, node)
    assert held.aside
    assert held.attempt == 2, "crashes burn no attempt"
    await world.send(db, world.outcome(held))
    assert await world.state(db, run) == State.SUCCEEDED


async def test_a_suspect_is_quarantined_after_so_many_crashes_of_its_own(db: Session) -> None:
    (run,) = await world.enqueue(db)
    await world.watch(db, run)
    found = []
    for _ in range(4):
        await world.claim(db, await world.join(db))
        found += await crash(db, quarantine=2)
    assert found == ["node.lost"] * 4 + ["run.quarantined"]
    assert await world.state(db, run) == State.QUARANTINED
    (ended,) = await db.fetch(query("outcomes"), [run])
    assert "2 nodes died while it was the only suspect" in json.loads(ended["data"])["message"]
    assert await db.fetchval("select count(*) from howdah.inbox where run = $1 and what = 'ended'", run) == 1


async def test_leaving_in_good_order_and_lost_answers_count_no_crash(db: Session) -> None:
    (run,) = await world.enqueue(db)
    for _ in range(3):
        node = await world.join(db)
        await world.claim(db, node)
        await db.execute(query("leave_node"), node)
        await world.claim(db, node := await world.join(db))
        await db.fetchval("select howdah.return_unknown($1, '{}')", node)
    assert await crashes(db, run) == 0
    assert set(await world.kinds(db, run)) == {world.Kind.RETURNED}


async def test_what_starts_at_most_once_is_lost_with_its_node(db: Session) -> None:
    await db.execute(query("register"), "once", "default", 0, '{"delivery": "at_most_once"}', None, None, "h", None)
    (run,) = await world.enqueue(db, task="once")
    node = await world.join(db)
    lines = [[1], [await db.fetchval("select id from howdah.task where name = 'once'")], [-5], [0]]
    async with world.transaction(db):
        rows = await db.fetch(query("claim"), node, 1, *lines, False, True)
        assert await db.fetchval("show synchronous_commit") == "on", "a claim that a crash forgets would start it twice"
    assert [row["id"] for row in rows] == [run]
    await crash(db)
    assert await world.state(db, run) == State.LOST
    assert await world.claim(db, await world.join(db)) == []
