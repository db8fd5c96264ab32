"""Keys that make an enqueue happen once, in interleaved sessions."""

import json
from typing import Any

import asyncpg
import pytest
from howdah.core.states import Kind, State
from howdah.db.files import query

from . import world
from .world import Connect, Session

pytestmark = pytest.mark.anyio


async def submit(db: Session, *args: str, task: str = "work", **options: Any) -> tuple[list[int], list[bool]]:
    """What submit() answers: the runs, and whether this call made each."""
    row = await db.fetchrow(query("submit"), task, list(args) or ["{}"], json.dumps(options), False, None)
    assert row is not None
    return row["ids"], row["created"]


async def test_a_unique_key_is_held_until_its_run_ends(db: Session) -> None:
    (first,), made = await submit(db, unique_key="a")
    assert made == [True]
    assert await submit(db, unique_key="a") == ([first], [False])
    assert (await submit(db, unique_key="b"))[1] == [True]
    assert (await submit(db, unique_key="a", task="other"))[1] == [True], "a key belongs to its task"
    runs = await world.claim(db, await world.join(db))
    assert await submit(db, unique_key="a") == ([first], [False])
    heard = await world.send(db, *map(world.outcome, runs))
    assert heard.unsettled
    await db.fetchval(query("settle"))
    assert await db.fetchval("select count(*) from howdah.held_key") == 0
    (second,), made = await submit(db, unique_key="a")
    assert made == [True]
    assert second != first


async def test_a_key_whose_run_has_ended_is_free_before_anybody_settled_it(db: Session) -> None:
    (first,), _ = await submit(db, unique_key="a")
    await world.cancel(db, first)
    (second,), made = await submit(db, unique_key="a")
    assert (made, second == first) == ([True], False)
    await db.fetchval(query("settle"))
    assert await submit(db, unique_key="a") == ([second], [False]), "the first one's end frees its own key only"


@pytest.mark.parametrize("kind", [Kind.RETRIED, Kind.SNOOZED, Kind.MISFIT])
async def test_a_key_is_held_wherever_its_run_waits(db: Session, kind: Kind) -> None:
    (first,), _ = await submit(db, unique_key="a")
    (run,) = await world.claim(db, await world.join(db))
    await world.send(db, world.outcome(run, kind, 60))
    assert await submit(db, unique_key="a") == ([first], [False])


async def test_a_key_may_be_held_for_a_time_whatever_ends(db: Session) -> None:
    (first,), _ = await submit(db, unique_key="a", unique_for=60)
    await world.cancel(db, first)
    await db.fetchval(query("settle"))
    assert await submit(db, unique_key="a") == ([first], [False])
    await world.shift(db, "61 seconds")
    assert (await submit(db, unique_key="a", unique_for=60))[1] == [True]


async def test_arguments_are_compared_as_jsonb_compares_them(db: Session) -> None:
    ids, made = await submit(db, '{"a": 1, "b": 2}', '{"b":2,"a":1}', '{"a": 1}', unique_args=True)
    assert made == [True, False, True]
    assert ids[0] == ids[1] != ids[2]
    assert await db.fetchval("select count(*) from howdah.run where id = any($1)", ids) == 2
    assert await submit(db, '{"b": 2, "a": 1}', unique_args=True) == ([ids[0]], [False])


async def test_a_holder_that_has_not_committed_is_waited_for(db: Session, connect: Connect) -> None:
    other, watcher = await connect(), await connect()
    await db.execute("begin")
    (first,), _ = await submit(db, unique_key="a")
    answer = await world.while_held(other, submit(other, unique_key="a"), watcher)
    await db.execute("commit")
    assert await answer == ([first], [False])


async def test_a_holder_that_rolls_back_leaves_the_key_to_whoever_waits(db: Session, connect: Connect) -> None:
    other, watcher = await connect(), await connect()
    await db.execute("begin")
    (first,), _ = await submit(db, unique_key="a")
    answer = await world.while_held(other, submit(other, unique_key="a"), watcher)
    await db.execute("rollback")
    ids, made = await answer  # type: ignore[misc] # what submit() answers
    assert (made, ids == [first]) == ([True], False)


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
async def test_under_stricter_isolation_a_holder_that_cannot_be_seen_is_a_serialization_failure(
    db: Session, connect: Connect, isolation: str
) -> None:
    other = await connect()
    with pytest.raises(asyncpg.SerializationError):
        async with world.transaction(db, isolation):
            await db.execute("select 1 from howdah.task")
            await submit(other, unique_key="a")
            await submit(db, unique_key="a")


async def test_a_child_is_made_once_per_parent_however_often_that_is_retried(db: Session) -> None:
    (parent,) = await world.enqueue(db)
    (first,), made = await submit(db, child="mail", parent=parent)
    assert made == [True]
    await world.cancel(db, first)
    await db.fetchval(query("settle"))
    assert await submit(db, child="mail", parent=parent) == ([first], [False])
    (other,) = await world.enqueue(db)
    assert (await submit(db, child="mail", parent=other))[1] == [True]
    with pytest.raises(asyncpg.DataError, match="needs a parent"):
        await submit(db, child="mail")


async def test_requests_of_many_callers_share_a_statement_but_no_keys(db: Session) -> None:
    rows = await db.fetch(query("submit_all"), ["a", "b"], [None, '{"priority": 3}'], [2, 1], ["{}", "{}", '{"x": 1}'], None)
    assert [(len(row["ids"]), row["priority"]) for row in rows] == [(2, 0), (1, -3)]
    assert await db.fetchval("select args->>'x' from howdah.run where id = $1", rows[1]["ids"][0]) == "1"
    with pytest.raises(asyncpg.DataError, match="each caller for itself"):
        await db.fetch(query("submit_all"), ["a"], ['{"unique_key": "k"}'], [1], ["{}"], None)


async def test_sql_enqueues_have_the_same_words(db: Session) -> None:
    first = await db.fetchval("select howdah.enqueue('mail', '{\"to\": 1}', unique_key => 'a')")
    assert await db.fetchval("select howdah.enqueue('mail', '{\"to\": 2}', unique_key => 'a')") == first
    assert await db.fetchval("select howdah.enqueue('mail', '{\"to\": 1}', unique_args => true)") != first
    child = await db.fetchval("select howdah.enqueue('mail', parent => $1, child => 'x')", first)
    assert await db.fetchval("select howdah.enqueue('mail', parent => $1, child => 'x')", first) == child
    assert await world.state(db, child) == State.QUEUED


async def test_a_key_that_somebody_took_meanwhile_is_not_freed_with_the_one_that_was_stale(db: Session, connect: Connect) -> None:
    """Three sessions: the look of the first finds an ended holder, the second replaces it, the third must not delete the new one."""
    (first,), _ = await submit(db, unique_key="a")
    await world.cancel(db, first)
    one, two, watcher = await connect(), await connect(), await connect()
    await one.execute("begin")
    (second,), made = await submit(one, unique_key="a")
    assert made == [True]
    answer = await world.while_held(two, submit(two, unique_key="a"), watcher)
    await one.execute("commit")
    assert await answer == ([second], [False])
    assert await db.fetchval("select count(*) from howdah.held_key where run = $1", second) == 1
