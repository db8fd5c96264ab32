"""A stored payload that fits no definition yet waits for one that it fits, whatever else is alive."""

import json

import pytest
from howdah.core.states import Kind, State
from howdah.db.files import query
from howdah.messages import Waiting

from . import world
from .test_gate import PER_USER, admit, ask, define, enter, look
from .world import Claimed, Session

pytestmark = pytest.mark.anyio


async def misfit(db: Session, run: Claimed, definition: str) -> None:
    data = json.dumps({"type": "x", "message": "no such parameter", "hash": definition})
    assert not (await world.send(db, world.outcome(run, Kind.MISFIT, data=data))).rejected


async def allowed(db: Session, placement: str | None) -> list[int]:
    """The nodes that a placement allows."""
    return sorted(row["node"] for row in await db.fetch(query("gate_places"), [placement]))


async def test_a_misfit_waits_for_another_definition_without_having_burned_an_attempt(db: Session) -> None:
    await world.enqueue(db)
    old = await world.join(db, work="old")
    (run,) = await world.claim(db, old)
    await misfit(db, run, "old")
    assert await world.state(db, run.id) == State.QUEUED
    assert await world.claim(db, old) == []
    assert await world.claim(db, await world.join(db, work="old")) == []
    (again,) = await world.claim(db, await world.join(db, work="new"))
    assert (again.id, again.attempt, again.aside) == (run.id, 1, True)
    await world.send(db, world.outcome(again))
    assert await world.state(db, run.id) == State.SUCCEEDED


async def test_two_definitions_that_it_does_not_fit_do_not_pass_it_to_and_fro(db: Session) -> None:
    await world.enqueue(db)
    one, two = await world.join(db, work="one"), await world.join(db, work="two")
    (run,) = await world.claim(db, one)
    await misfit(db, run, "one")
    (run,) = await world.claim(db, two)
    await misfit(db, run, "two")
    assert await world.claim(db, one) == await world.claim(db, two) == []


async def test_a_misfit_can_be_cancelled_awaited_and_expires(db: Session) -> None:
    first, second = await world.enqueue(db, 2, expires=60)
    node = await world.join(db, work="old")
    for run in await world.claim(db, node):
        await misfit(db, run, "old")
    assert await world.watch(db, first) == {}
    assert await world.cancel(db, first) == {first: "cancelled"}
    assert await db.fetchval("select count(*) from howdah.inbox where what = 'ended'") == 1
    await world.shift(db, "61 seconds")
    assert await db.fetchval("select howdah.expire(10)") == 1
    assert await world.state(db, second) == State.EXPIRED


async def test_a_suspect_that_fits_no_definition_is_adopted_by_one_that_it_fits_one_at_a_time(db: Session) -> None:
    runs = await world.enqueue(db, 2)
    await db.execute("update howdah.job set crashes = 2")
    old = await world.join(db, work="old")
    for _ in runs:
        (run,) = await world.claim(db, old)
        await misfit(db, run, "old")
    new = await world.join(db, work="new")
    assert [(run.id, run.aside) for run in await world.claim(db, new)] == [(runs[0], True)]
    assert await world.claim(db, new) == [], "a node holds one suspect at a time"


async def test_who_was_a_misfit_has_a_line_of_its_own_that_allows_no_node_that_has_refused_it(db: Session) -> None:
    await define(db, PER_USER)
    first, second = await ask(db, {"user_id": 1}, {"user_id": 1})
    old = await world.join(db, mail="old", other="h")
    epoch = await enter(db, old)
    for claimed in await admit(db, epoch, old, first, second):
        await misfit(db, claimed, "old")
    new = await world.join(db, other="old", mail="new")
    assert await world.claim(db, new) == []
    (ordinary,) = await ask(db, {"user_id": 1})
    waiting = {tuple(one.runs): one for one in await look(db)}
    assert set(waiting) == {(first, second), (ordinary,)}
    assert waiting[ordinary,].placement is None
    misfits = waiting[first, second]
    assert json.loads(misfits.demands or "") == [["per-user", "1"]]
    assert await allowed(db, misfits.placement) == [new]
    (heads,) = [Waiting(*row) for row in await db.fetch(query("gate_heads"), [misfits.line], 10)]
    news = await db.fetch(query("gate_news"), None, None, [first, ordinary], 10)
    assert heads.placement == misfits.placement
    assert {(row["line"], row["placement"]) for row in news} == {(one.line, one.placement) for one in waiting.values()}
    await db.execute("delete from howdah.node where id = $1", new)
    assert await allowed(db, misfits.placement) == [], "nobody is asked again and again: it waits for a node to come"


async def test_who_was_a_misfit_goes_where_its_placement_lets_it_too(db: Session) -> None:
    await define(db, PER_USER)
    (run,) = await ask(db, {"user_id": 1}, requires={"gpu": True})
    old = await world.join(db, mail="old", labels={"gpu": True})
    (claimed,) = await admit(db, await enter(db, old), old, run)
    await misfit(db, claimed, "old")
    bare, fit = await world.join(db, mail="new"), await world.join(db, mail="new", labels={"gpu": True})
    assert await world.claim(db, bare) == []
    (line,) = await look(db)
    assert await allowed(db, line.placement) == [fit]
    await db.execute("update howdah.job set crashes = 2")
    (suspect,) = await look(db)
    assert (suspect.line, suspect.placement) == (-run, line.placement)
