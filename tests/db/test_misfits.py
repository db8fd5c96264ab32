"""A stored payload that fits no definition yet waits for one that it fits, whatever else is alive."""

import json

import pytest
from howdah.core.states import Kind, State

from . import world
from .world import Claimed, Session

pytestmark = pytest.mark.anyio


async def misfit(db: Session, run: Claimed, definition: str) -> None:
    data = json.dumps({"type": "x", "message": "no such parameter", "hash": definition})
    assert not (await world.send(db, world.outcome(run, Kind.MISFIT, data=data))).rejected


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
