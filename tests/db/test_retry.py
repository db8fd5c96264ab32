"""Ended runs are opened again: once each, whoever asks, and the newest end counts."""

import pytest
from howdah.core.states import Kind, State
from howdah.db.files import query

from . import world
from .world import Connect, Session

pytestmark = pytest.mark.anyio


async def retry(db: Session, *runs: int) -> dict[int, str]:
    return {row[0]: row[1] for row in await db.fetch(query("retry"), list(runs))}


async def failed(db: Session) -> int:
    (run,) = await world.running(db)
    await world.send(db, world.outcome(run, Kind.FAILED, data='{"type": "first"}'))
    return run.id


async def test_a_failed_run_goes_on_and_its_newest_end_counts(db: Session) -> None:
    run = await failed(db)
    assert await retry(db, run) == {run: "reopened"}
    assert await world.state(db, run) == State.QUEUED
    assert await db.fetch(query("outcomes"), [run]) == [], "the old end does not answer whoever awaits the new one"
    assert await world.watch(db, run) == {}
    (again,) = await world.claim(db, await world.join(db))
    await world.send(db, world.outcome(again, data='"second"'))
    assert await world.state(db, run) == State.SUCCEEDED
    (ended,) = await db.fetch(query("outcomes"), [run])
    assert (ended["kind"], ended["data"], ended["attempt"]) == (Kind.SUCCEEDED, '"second"', 2)


async def test_what_has_not_failed_is_left_alone(db: Session) -> None:
    queued, scheduled = (await world.enqueue(db))[0], (await world.enqueue(db, delay=60))[0]
    assert await retry(db, queued, scheduled, 7) == {queued: "pending", scheduled: "pending", 7: "unknown"}
    (held,) = await world.claim(db, await world.join(db))
    assert await retry(db, queued) == {queued: "pending"}
    await world.send(db, world.outcome(held))
    assert await retry(db, queued) == {queued: "succeeded"}
    assert await world.state(db, queued) == State.SUCCEEDED
    assert await db.fetchval("select count(*) from howdah.job") == 0


async def test_of_two_that_retry_a_run_one_reopens_it(db: Session, connect: Connect) -> None:
    run = await failed(db)
    other, watcher = await connect(), await connect()
    await db.execute("begin")
    assert await retry(db, run) == {run: "reopened"}
    answer = await world.while_held(other, retry(other, run), watcher)
    await db.execute("commit")
    assert await answer == {run: "pending"}
    assert await world.kinds(db, run) == [Kind.FAILED, Kind.REOPENED]


async def test_a_retry_that_meets_a_run_on_its_way_to_the_timers_leaves_it_there(db: Session, connect: Connect) -> None:
    (run,) = await world.running(db)
    other = await connect()
    await db.execute("begin")
    await world.send(db, world.outcome(run, Kind.RETRIED, 60))
    assert await retry(other, run.id) == {run.id: "pending"}
    await db.execute("commit")
    assert await retry(other, run.id) == {run.id: "pending"}
    assert await world.state(db, run.id) == State.RETRYING
    assert await db.fetchval("select count(*) from howdah.job") == 0


async def test_a_bulk_retry_that_was_killed_half_way_and_is_given_again_retries_each_run_once(db: Session) -> None:
    runs = [await failed(db) for _ in range(20)]
    await retry(db, *runs[:10])
    answers = await retry(db, *runs)
    assert [answers[run] for run in runs] == ["pending"] * 10 + ["reopened"] * 10
    assert {tuple(await world.kinds(db, run)) for run in runs} == {(Kind.FAILED, Kind.REOPENED)}
