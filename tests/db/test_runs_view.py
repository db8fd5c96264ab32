"""What the view of runs says of one run, and what a filter understands."""

import json
from typing import Any

import asyncpg
import pytest
from howdah.core.states import Kind
from howdah.db.files import query

from . import world
from .contracts import VIEWS
from .world import Session

pytestmark = pytest.mark.anyio


async def find(db: Session, limit: int = 50, **which: Any) -> tuple[list[int], int | None]:
    row = await db.fetchrow(query("find_runs"), json.dumps(which), limit)
    return row["runs"], row["cursor"]


async def show(db: Session, *runs: int) -> list[dict[str, Any]]:
    return [dict(row) for row in await db.fetch(query("show_runs"), list(runs))]


def failure(error: str) -> str:
    return json.dumps({"type": "ValueError", "message": f"no {error}", "fingerprint": error})


async def test_since_a_time_or_so_long_ago(db: Session) -> None:
    await world.shift(db, "-3 hours")
    old = await world.enqueue(db, 3, "timed")
    await world.shift(db, "")
    new = await world.enqueue(db, 2, "timed")
    assert (await find(db, task="timed"))[0] == [*reversed(old + new)]
    assert (await find(db, task="timed", since=3600))[0] == [*reversed(new)]
    at = await db.fetchval("select (howdah.clock() - interval '1 hour')::text")
    assert (await find(db, task="timed", since=at))[0] == [*reversed(new)]
    assert (await find(db, task="timed", since=5 * 3600))[0] == [*reversed(old + new)]
    assert (await find(db, since=3600, task="timed", state="succeeded"))[0] == []


async def test_a_filter_that_is_not_known_is_refused_with_those_that_are(db: Session) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match='does not know "colour"') as refused:
        await find(db, colour="red")
    assert "tags, metadata, parent" in str(refused.value.hint)


@pytest.mark.parametrize("name", sorted(VIEWS))
async def test_the_columns_of_a_view_are_a_contract(db: Session, name: str) -> None:
    prepared = await db.prepare(f"select * from howdah.{name}")
    assert [(column.name, column.type.name) for column in prepared.get_attributes()] == VIEWS[name]


async def test_a_row_says_what_became_of_its_run(db: Session) -> None:
    (run,) = await world.running(db, 1, task="story", priority=7, tags=["t"], metadata={"k": "v"})
    (row,) = await show(db, run.id)
    assert (row["state"], row["attempts"], row["node"], row["priority"], row["error"]) == ("running", 1, "test", 7, None)
    await world.send(db, world.outcome(run, Kind.RETRIED, 0, failure("00000001")))
    (row,) = await show(db, run.id)
    assert (row["state"], row["attempts"], json.loads(row["error"])["message"]) == ("retrying", 1, "no 00000001")
    assert row["due_at"] is not None
    await db.fetchval("select howdah.fire(10)")
    (again,) = await world.claim(db, await world.join(db))
    await world.send(db, world.outcome(again, Kind.SUCCEEDED, data='{"answer": 42}'))
    (row,) = await show(db, run.id)
    assert (row["state"], row["attempts"], row["error"], json.loads(row["result"])) == ("succeeded", 2, None, {"answer": 42})
    assert (row["tags"], json.loads(row["metadata"])) == (["t"], {"k": "v"})


async def test_crashes_are_counted_apart_from_attempts(db: Session) -> None:
    (run,) = await world.running(db, 1, task="crashing")
    await world.shift(db, "1 day")
    await db.fetchval("select howdah.reap(3)")
    await world.shift(db, "")
    (row,) = await show(db, run.id)
    assert (row["state"], row["attempts"], row["crashes"]) == ("queued", 0, 1)


async def test_the_reason_of_a_cancel_is_shown(db: Session) -> None:
    queued, running = [run.id for run in await world.running(db, 1, task="reasons")] + await world.enqueue(db, 1, "reasons")
    await world.cancel(db, queued, running, reason="too late")
    assert [row["reason"] for row in await show(db, queued, running)] == ["too late", "too late"]


async def test_a_run_that_was_opened_again_is_pending_and_remembers_its_error(db: Session) -> None:
    (run,) = await world.running(db, 1, task="reopened")
    await world.send(db, world.outcome(run, Kind.FAILED, data=failure("000000aa")))
    assert (await find(db, error="000000aa"))[0] == [run.id]
    await db.fetch(query("retry"), [run.id])
    (row,) = await show(db, run.id)
    assert (row["state"], row["ended_at"], json.loads(row["error"])["fingerprint"]) == ("queued", None, "000000aa")
    assert await find(db, error="000000aa") == ([], None)
    assert await find(db, state="failed", task="reopened") == ([], None)
