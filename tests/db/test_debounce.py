"""Debounced enqueues: the run that waits takes the latest input and is put off, until a node is given it."""

import json
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest
from howdah.core.states import Kind, State
from howdah.db.files import query

from . import world
from .test_keys import submit
from .world import Connect, Session

pytestmark = pytest.mark.anyio

WAIT = {"wait": 30, "max": 300}
PER_USER = [{"limit": "per-user", "kind": "limit", "terms": {"number": 2}, "path": ["user"]}]


async def ask(db: Session, *args: dict[str, Any], task: str = "work", **debounce: Any) -> tuple[list[int], list[bool]]:
    return await submit(db, *map(json.dumps, args or ({},)), task=task, debounce=WAIT | debounce)


async def introduce(db: Session, task: str, limits: Sequence[Any] | None = None, **debounce: Any) -> None:
    said = json.dumps({"debounce": WAIT | debounce})
    await db.fetchval(query("introduce"), task, "default", 0, said, None if limits is None else json.dumps(limits))


async def args(db: Session, run: int) -> Any:
    return json.loads(await db.fetchval("select args from howdah.run where id = $1", run))


async def due_s(db: Session, run: int) -> float:
    """In how many seconds it is due, as its timer has it and as its row says."""
    row = await db.fetchrow(
        """select extract(epoch from t.due - howdah.clock())::float8, t.due = (r.options ->> 'due')::timestamptz
           from howdah.timer t join howdah.run r on r.id = t.id where t.id = $1""",
        run,
    )
    assert row is not None
    assert row[1]
    return round(row[0])


async def fire(db: Session) -> int:
    return await db.fetchval("select howdah.fire(100)")


async def test_the_latest_input_counts_and_the_run_is_put_off(db: Session) -> None:
    (run,), made = await ask(db, {"n": 1})
    assert (made, await due_s(db, run), await world.state(db, run)) == ([True], 30, State.SCHEDULED)
    await world.shift(db, "20 seconds")
    assert await ask(db, {"n": 2}) == ([run], [False])
    assert (await args(db, run), await due_s(db, run)) == ({"n": 2}, 30)
    await world.shift(db, "49 seconds")
    assert await fire(db) == 0
    await world.shift(db, "51 seconds")
    assert await fire(db) == 1
    (claimed,) = await world.claim(db, await world.join(db))
    assert (claimed.id, claimed.args) == (run, '{"n": 2}')
    assert await db.fetchval("select howdah.recount()") == 0


async def test_it_is_put_off_for_so_long_at_most_after_the_first(db: Session) -> None:
    (run,), _ = await ask(db)
    for since, left in ((25, 30), (50, 30), (280, 20), (299, 1), (310, -10)):
        await world.shift(db, f"{since} seconds")
        assert await ask(db) == ([run], [False])
        assert await due_s(db, run) == left


async def test_where_nothing_is_said_it_is_ten_times_the_wait(db: Session) -> None:
    (run,), _ = await submit(db, debounce={"wait": 30})
    await world.shift(db, "290 seconds")
    await submit(db, debounce={"wait": 30})
    assert await due_s(db, run) == 10
    (short,), _ = await submit(db, task="other", debounce={"wait": 30, "max": 5})
    assert await due_s(db, short) == 5


async def test_one_that_is_due_takes_the_latest_input_until_a_node_is_given_it(db: Session) -> None:
    (run,), _ = await ask(db, {"n": 1})
    await world.shift(db, "31 seconds")
    await fire(db)
    assert await ask(db, {"n": 2}) == ([run], [False])
    (claimed,) = await world.claim(db, await world.join(db))
    assert claimed.args == '{"n": 2}'
    (second,), made = await ask(db, {"n": 3})
    assert (made, second != run) == ([True], True)
    assert (await args(db, run), await args(db, second)) == ({"n": 2}, {"n": 3})
    await world.send(db, world.outcome(claimed))
    await db.fetchval(query("settle"))
    assert await ask(db, {"n": 4}) == ([second], [False]), "the first one's end frees its own key only"


@pytest.mark.parametrize("kind", [Kind.RETRIED, Kind.SNOOZED, Kind.RELEASED, Kind.MISFIT])
async def test_one_that_a_node_has_had_waits_no_more_whatever_becomes_of_it(db: Session, kind: Kind) -> None:
    (run,), _ = await ask(db, {"n": 1})
    await world.shift(db, "31 seconds")
    await fire(db)
    (claimed,) = await world.claim(db, await world.join(db))
    await world.send(db, world.outcome(claimed, kind, 60, '{"hash": "x"}' if kind == Kind.MISFIT else None))
    (second,), made = await ask(db, {"n": 2})
    assert (made, await args(db, run)) == ([True], {"n": 1})
    assert await ask(db, {"n": 3}) == ([second], [False])


async def test_a_run_that_was_cancelled_gives_its_key_before_anybody_settled_it(db: Session) -> None:
    (run,), _ = await ask(db)
    await world.cancel(db, run)
    (second,), made = await ask(db)
    assert (made, second == run) == ([True], False)
    await db.fetchval(query("settle"))
    assert await ask(db) == ([second], [False])


async def test_keys_are_freed_at_the_end(db: Session) -> None:
    (run,), _ = await ask(db)
    await world.cancel(db, run)
    await db.fetchval(query("settle"))
    assert await db.fetchval("select count(*) from howdah.held_key") == 0


async def test_what_was_said_last_counts_as_a_whole_and_where_it_waits_stays(db: Session) -> None:
    (parent,) = await world.enqueue(db, metadata={"a": "1"})
    (run,), _ = await submit(
        db, debounce=WAIT, tags=["x"], metadata={"b": "2"}, timeout=5, priority=3, queue="one", expires=10, parent=parent
    )
    assert await submit(db, '{"n": 2}', debounce=WAIT, tags=["y"], retry={"attempts": 2}, queue="two") == ([run], [False])
    row = await db.fetchrow(
        "select tags, metadata, options, r.priority, q.name, parent, root, t.priority, t.expires from howdah.run r"
        " join howdah.timer t on t.id = r.id join howdah.queue q on q.id = r.queue where r.id = $1", run)  # fmt: skip
    assert row is not None
    options = json.loads(row["options"])
    assert (row["tags"], row["metadata"], options.keys(), row["name"]) == (["y"], None, {"retry", "due"}, "one")
    assert (row[3], row[5], row[6], row[7], row[8]) == (-3, None, None, -3, None)
    assert await submit(db, debounce=WAIT, parent=parent, expires=10) == ([run], [False])
    row = await db.fetchrow(
        "select parent, root, metadata, extract(epoch from t.expires - t.due)::int from howdah.run r join howdah.timer t using (id)"
        " where id = $1", run)  # fmt: skip
    assert tuple(row or ()) == (parent, parent, '{"a": "1"}', 10)


async def test_somebody_who_awaits_it_is_told_however_often_it_was_put_off(db: Session) -> None:
    (run,), _ = await ask(db)
    await world.watch(db, run)
    await ask(db)
    assert await db.fetchval("select flags & 2 from howdah.timer where id = $1", run) == 2


async def test_keys_stand_in_the_arguments_or_are_given_and_belong_to_their_task(db: Session) -> None:
    (ann, bob), made = await ask(db, {"user": "ann"}, {"user": "bob"}, path=["user"])
    assert made == [True, True]
    assert await ask(db, {"user": "bob"}, {"user": "ann"}, path=["user"]) == ([bob, ann], [False, False])
    assert (await ask(db, {"user": "ann"}, task="other", path=["user"]))[1] == [True]
    assert await ask(db, {}, key="ann") == ([ann], [False])
    assert await ask(db, {}, path=["user"], default="bob") == ([bob], [False])
    row = await db.fetchrow(
        query("submit"), "work", ["{}"], json.dumps({"debounce": WAIT | {"asked": True}}), False, ['{"/debounce": "ann"}']
    )
    assert row is not None
    assert row["ids"] == [ann]


async def test_of_several_in_one_statement_the_last_counts_and_the_first_made_it(db: Session) -> None:
    ids, made = await ask(db, {"u": 1, "n": 1}, {"u": 2, "n": 2}, {"u": 1, "n": 3}, {"u": 1, "n": 4}, path=["u"])
    assert (ids, made) == ([ids[0], ids[1], ids[0], ids[0]], [True, True, False, False])
    assert [await args(db, run) for run in ids[:2]] == [{"u": 1, "n": 4}, {"u": 2, "n": 2}]
    assert await db.fetchval("select count(*) from howdah.timer") == 2
    assert await db.fetchval("select howdah.recount()") == 0


@pytest.mark.parametrize(
    ("debounce", "text"),
    [
        ({"path": ["user", "id"]}, "the debounce of work has no key here: the arguments have no user.id"),
        ({"asked": True}, "a key that its function in Python works out, and nobody gave it"),
        ({"key": "x" * 501}, "has more than 500 characters"),
        ({"wait": 0}, "does not say how long it waits"),
        ({"wait": None}, "does not say how long it waits"),
    ],
)
async def test_a_debounce_that_cannot_be_is_refused(db: Session, debounce: dict[str, Any], text: str) -> None:
    with pytest.raises(asyncpg.DataError, match=text):
        await ask(db, **debounce)


@pytest.mark.parametrize("other", [{"delay": 5}, {"at": "2030-01-01"}, {"unique_key": "a"}, {"unique_args": True}, {"child": "a"}])
async def test_what_says_otherwise_when_or_how_often_it_runs_is_refused_beside_it(db: Session, other: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.DataError, match=f"which says when they start.*{next(iter(other))} cannot be said as well"):
        await submit(db, debounce=WAIT, **other)


async def test_a_task_says_it_for_everybody_and_a_caller_says_more(db: Session) -> None:
    await introduce(db, "says it", path=["user"])
    ann = await db.fetchval("""select howdah.enqueue('says it', '{"user": "ann"}')""")
    assert await db.fetchval("""select howdah.enqueue('says it', '{"user": "ann", "n": 2}')""") == ann
    assert await db.fetchval("select howdah.enqueue('says it', debounce_key => 'ann')") == ann
    assert (
        await db.fetchval("""select howdah.enqueue('says it', '{"user": "ann"}', debounce => '10 minutes', debounce_max => '20 minutes')""")
        == ann
    )
    assert await due_s(db, ann) == 600
    assert await db.fetchval("""insert into howdah.enqueue_view (task, args) values ('says it', '{"user": "ann"}') returning id""") == ann
    assert await due_s(db, ann) == 30
    assert await db.fetchval("""select howdah.enqueue('says it', '{"user": "bob"}')""") != ann
    other = await db.fetchval("select howdah.enqueue('other', debounce => '30 seconds', debounce_key => 'x')")
    assert await db.fetchval("select howdah.enqueue('other', debounce => '30 seconds', debounce_key => 'x')") == other
    with pytest.raises(asyncpg.DataError, match="does not say how long it waits"):
        await db.fetchval("select howdah.enqueue('other', debounce_key => 'x')")


async def test_requests_of_many_callers_do_not_share_a_statement_with_it(db: Session) -> None:
    await introduce(db, "alone")
    with pytest.raises(asyncpg.DataError, match="each caller for itself"):
        await db.fetch(query("submit_all"), ["alone"], [None], [1], ["{}"], None)


async def test_a_handler_is_not_debounced_for_settling_waits_for_nobody(db: Session) -> None:
    await introduce(db, "mend")
    await db.fetchval(query("introduce"), "mended", "default", 0, '{"on_failure": {"task": "mend", "parameter": "failed"}}', None)
    runs = await world.running(db, 2, task="mended")
    await world.send(db, *(world.outcome(run, Kind.FAILED, data="{}") for run in runs))
    await db.fetchval(query("settle"))
    assert await db.fetchval("select count(*) from howdah.job") == 2


async def test_permits_are_those_of_the_latest_input(db: Session) -> None:
    await introduce(db, "limited", PER_USER)
    (run,), _ = await submit(db, '{"user": 1}', task="limited")
    assert await submit(db, '{"user": 2}', task="limited") == ([run], [False])
    row = await db.fetchrow(
        "select t.line, r.demands, howdah.line_of(t.queue, t.task, r.demands) as right from howdah.timer t join howdah.run r using (id)"
    )
    assert row is not None
    assert (json.loads(row["demands"]), row["line"]) == ([["per-user", "2"]], row["right"])
    await world.shift(db, "31 seconds")
    await fire(db)
    assert await submit(db, '{"user": 2, "n": 3}', task="limited") == ([run], [False])
    assert await args(db, run) == {"user": 2, "n": 3}
    assert (await submit(db, '{"user": 1}', task="limited"))[1] == [True], "the gate may be admitting the first under the permit of user 2"
    assert await args(db, run) == {"user": 2, "n": 3}


async def test_a_run_that_is_put_off_for_another_parent_is_not_to_wait_for_what_that_one_keeps(db: Session) -> None:
    kept = [{"limit": "one", "kind": "limit", "terms": {"number": 1}, "hold": "run"}]
    await introduce(db, "nested", kept)
    await db.fetchval(query("introduce"), "outer", "default", 0, "{}", json.dumps(kept))
    (run,), _ = await submit(db, task="nested")
    (outer,) = await world.enqueue(db, task="outer")
    with pytest.raises(asyncpg.DataError, match="would wait for ever: run"):
        await submit(db, task="nested", parent=outer)
    assert await submit(db, task="nested") == ([run], [False])


async def test_a_first_that_has_not_committed_is_waited_for(db: Session, connect: Connect) -> None:
    other, watcher = await connect(), await connect()
    await db.execute("begin")
    (run,), _ = await ask(db, {"n": 1})
    answer = await world.while_held(other, ask(other, {"n": 2}), watcher)
    await db.execute("commit")
    assert await answer == ([run], [False])
    assert await args(db, run) == {"n": 2}


async def test_a_first_that_rolls_back_leaves_the_key_to_whoever_waits(db: Session, connect: Connect) -> None:
    other, watcher = await connect(), await connect()
    await db.execute("begin")
    (run,), _ = await ask(db, {"n": 1})
    answer = await world.while_held(other, ask(other, {"n": 2}), watcher)
    await db.execute("rollback")
    (second,), made = await answer  # type: ignore[misc] # what submit() answers
    assert (made, second == run, await args(db, second)) == ([True], False, {"n": 2})


async def test_timers_pass_over_one_that_is_being_put_off_and_look_again(db: Session, connect: Connect) -> None:
    other = await connect()
    (run,), _ = await ask(db)
    await world.shift(db, "29 seconds")
    await world.shift(other, "31 seconds")
    await db.execute("begin")
    assert await ask(db) == ([run], [False])
    assert await fire(other) == 0
    await db.execute("commit")
    assert await fire(other) == 0
    await world.shift(other, "61 seconds")
    assert await fire(other) == 1


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
async def test_under_stricter_isolation_it_is_right_or_a_serialization_failure(db: Session, connect: Connect, isolation: str) -> None:
    other = await connect()
    (run,), _ = await ask(db, {"n": 1})
    async with world.transaction(db, isolation):
        assert await ask(db, {"n": 2}) == ([run], [False])
    with pytest.raises(asyncpg.SerializationError):
        async with world.transaction(db, isolation):
            await db.execute("select 1 from howdah.task")
            await ask(other, {"n": 3})
            await ask(db, {"n": 4})
    assert await args(db, run) == {"n": 3}
