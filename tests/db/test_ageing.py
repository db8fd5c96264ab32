"""Ageing: a run that has waited for k steps counts as k priorities higher, exactly, and is written only where that makes a difference."""

import asyncio
from typing import Any

import pytest
from howdah.core.states import Kind
from howdah.db.files import query

from . import world
from .world import Connect, Session

pytestmark = pytest.mark.anyio

STEP_S = 60.0


async def age(db: Session, limit: int = 1000, after: int = 0) -> tuple[int, bool, int | None]:
    (row,) = await db.fetch(query("age"), STEP_S, limit, after)
    return row["aged"], row["more"], row["reached"]


async def priorities(db: Session, *runs: int) -> list[int]:
    """As people say them: higher first."""
    found = {row[0]: -row[1] for row in await db.fetch("select id, priority from howdah.job where id = any($1)", list(runs))}
    return [found[run] for run in runs]


async def asked(db: Session, ago_s: float, count: int = 1, **options: Any) -> list[int]:
    await world.shift(db, f"-{ago_s} seconds")
    runs = await world.enqueue(db, count, **options)
    await world.shift(db, "")
    return runs


@pytest.mark.parametrize(("waited_s", "reaches"), [(179, 0), (181, 3)])
async def test_a_run_overtakes_others_when_its_age_reaches_their_priority_and_no_sooner(db: Session, waited_s: int, reaches: int) -> None:
    (low,) = await asked(db, waited_s, priority=0)
    (high,) = await asked(db, 0, priority=3)
    aged, _, _ = await age(db)
    assert (aged, await priorities(db, low, high)) == (int(reaches > 0), [reaches, 3])
    (first,) = await world.claim(db, await world.join(db), 1)
    assert first.id == (low if reaches else high)


async def test_it_is_raised_to_the_best_priority_that_its_age_reaches_and_at_which_others_wait(db: Session) -> None:
    (low,) = await asked(db, 7.5 * STEP_S, priority=0)
    await asked(db, 0, priority=2)
    await asked(db, 0, priority=5)
    await asked(db, 0, priority=9)
    assert (await age(db))[0] == 1
    assert await priorities(db, low) == [5]
    assert (await age(db))[0] == 0


async def test_where_nobody_better_waits_nothing_is_written(db: Session) -> None:
    await asked(db, 1000 * STEP_S, priority=0)
    assert await age(db) == (0, False, None)
    (high,) = await asked(db, 0, priority=5)
    await world.claim(db, await world.join(db), 1)
    assert await world.state(db, high) == "running"
    assert await age(db) == (0, False, None), "what is held does not wait"


async def test_it_counts_over_queues_and_tasks_since_a_node_takes_the_best_of_all(db: Session) -> None:
    (low,) = await asked(db, 4 * STEP_S, priority=0, queue="slow", task="one")
    await asked(db, 0, priority=3, queue="quick", task="other")
    assert (await age(db))[0] == 1
    assert await priorities(db, low) == [3]


async def test_of_two_that_have_waited_the_one_that_was_asked_for_first_goes_first(db: Session) -> None:
    (older,) = await asked(db, 10 * STEP_S, priority=0)
    (younger,) = await asked(db, 9 * STEP_S, priority=0)
    (high,) = await asked(db, 0, priority=3)
    assert (await age(db))[0] == 2
    taken = await world.claim(db, await world.join(db), 3)
    assert [run.id for run in taken] == [older, younger, high]


async def test_a_wait_begins_when_a_run_is_due_and_anew_after_each_attempt(db: Session) -> None:
    (delayed,) = await asked(db, 10 * STEP_S, priority=0, delay=9.5 * STEP_S)
    await db.fetchval("select howdah.fire(10)")
    await asked(db, 0, priority=3)
    assert (await age(db))[0] == 0, "it has waited for half a step"
    await world.shift(db, f"{2.6 * STEP_S} seconds")
    assert (await age(db))[0] == 1
    assert await priorities(db, delayed) == [3]
    (run,) = await world.claim(db, await world.join(db), 1)
    assert run.id == delayed
    await world.send(db, world.outcome(run, Kind.RETRIED, 0))
    assert await db.fetchval("select priority from howdah.timer where id = $1", delayed) == 0, "a wait that has ended counts no more"
    await db.fetchval("select howdah.fire(10)")
    assert await priorities(db, delayed) == [0]
    assert (await age(db))[0] == 0


async def test_what_goes_back_unstarted_keeps_what_it_has_won_and_a_misfit_does_not(db: Session) -> None:
    for kind, priority in ((Kind.RELEASED, 3), (Kind.MISFIT, 0)):
        await world.tidy(db)
        (low,) = await asked(db, 4 * STEP_S, priority=0)
        await asked(db, 0, priority=3)
        assert (await age(db))[0] == 1
        (run,) = await world.claim(db, await world.join(db), 1)
        assert run.id == low
        await world.send(db, world.outcome(run, kind, data='{"hash": "x"}' if kind == Kind.MISFIT else None))
        table = "misfit" if kind == Kind.MISFIT else "job"
        assert await db.fetchval(f"select -priority from howdah.{table} where id = $1", low) == priority


async def test_it_is_raised_again_from_where_it_is_and_goes_on_with_what_was_asked_for(db: Session) -> None:
    (low,) = await asked(db, 4 * STEP_S, priority=-2)
    await asked(db, 0, priority=2)
    assert (await age(db))[0] == 1
    await asked(db, 0, priority=4)
    await world.shift(db, f"{2 * STEP_S} seconds")
    assert (await age(db))[0] == 2
    assert await priorities(db, low) == [4]
    assert await db.fetchval("select priority from howdah.runs where id = $1", low) == -2
    (run,) = await world.claim(db, await world.join(db), 1)
    assert run.id == low
    await world.send(db, world.outcome(run, Kind.SNOOZED, 60))
    assert await db.fetchval("select -priority from howdah.timer where id = $1", low) == -2


async def test_the_widest_range_of_priorities(db: Session) -> None:
    (low,) = await asked(db, 70_000 * STEP_S, priority=-32767)
    await asked(db, 0, priority=32767)
    assert (await age(db))[0] == 1
    assert await priorities(db, low) == [32767]


async def test_each_round_takes_a_batch_the_oldest_first_and_each_line_its_share(db: Session) -> None:
    many = await asked(db, 9 * STEP_S, 20, priority=0)
    few = await asked(db, 9 * STEP_S, 2, priority=0, task="few")
    await asked(db, 0, priority=3)
    assert await age(db, limit=10) == (7, True, None)
    assert await priorities(db, *many[:6], *few) == [3] * 5 + [0] + [3] * 2
    rounds = 0
    while (await age(db, limit=10))[1]:
        rounds += 1
    assert rounds <= 3
    assert set(await priorities(db, *many, *few)) == {3}


async def test_what_somebody_holds_is_passed_over_and_taken_the_next_time(db: Session, connect: Connect) -> None:
    (locked,) = await asked(db, 9 * STEP_S, priority=0)
    (free,) = await asked(db, 9 * STEP_S, priority=0)
    await asked(db, 0, priority=3)
    other = await connect()
    await other.execute("begin")
    await other.fetchval("select id from howdah.job where id = $1 for update", locked)
    assert (await age(db))[0] == 1
    assert await priorities(db, locked, free) == [0, 3]
    await other.execute("rollback")
    assert (await age(db))[0] == 1
    assert await priorities(db, locked) == [3]


async def test_nodes_are_told_of_the_lowest_key_so_that_no_watermark_hides_it(db: Session, connect: Connect) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await connect()
    await listener.add_listener("howdah_work", lambda *said: heard.put_nowait(str(said[3])))
    first, _ = await asked(db, 9 * STEP_S, 2, priority=0)
    await asked(db, 0, priority=3)
    queue, task = await db.fetchrow("select queue, task from howdah.job where id = $1", first) or (0, 0)
    await age(db)
    async with asyncio.timeout(10):
        while await heard.get() != f"{queue} {task} -3 {first}":
            pass


async def test_suspects_stay_as_they_are(db: Session) -> None:
    (suspect,) = await asked(db, 9 * STEP_S, priority=0)
    await db.execute("update howdah.job set crashes = 2 where id = $1", suspect)
    await asked(db, 0, priority=3)
    assert await age(db) == (0, False, None)


async def test_runs_with_limits_age_as_well(db: Session) -> None:
    limits = '[{"limit": "one", "kind": "limit", "terms": {"number": 1}}]'
    await db.fetchval(query("register"), "limited", "default", 0, "{}", None, None, "limited", limits)
    (low,) = await asked(db, 9 * STEP_S, priority=0, task="limited")
    await asked(db, 0, priority=3, task="limited")
    assert (await age(db))[0] == 1
    (line,) = await db.fetch(query("gate_look"), None, 100, 1)
    assert list(line["runs"]) == [low]


async def test_the_gate_is_told_of_those_that_were_raised(db: Session, connect: Connect) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await connect()
    await listener.add_listener("howdah_gate", lambda *said: heard.put_nowait(str(said[3])))
    limits = '[{"limit": "one", "kind": "limit", "terms": {"number": 1}}]'
    await db.fetchval(query("register"), "limited", "default", 0, "{}", None, None, "limited", limits)
    low = await asked(db, 9 * STEP_S, 2, priority=0, task="limited")
    await asked(db, 0, priority=3, task="limited")

    await age(db)

    async with asyncio.timeout(10):
        while await heard.get() != f"runs {low[0]} {low[1]}":
            pass


async def test_of_more_lines_than_one_round_looks_at_the_next_round_goes_on(db: Session) -> None:
    function = await db.fetchval("select pg_get_functiondef('howdah.age'::regproc)")
    await db.execute(function.replace("v_lines_max int := 10000", "v_lines_max int := 3"))
    try:
        lows = []
        for queue in ("a", "b", "c"):
            lows += await asked(db, 9 * STEP_S, priority=0, queue=queue)
            await asked(db, 0, priority=3, queue=queue)
        after, rounds = 0, 0
        while rounds < 10:
            _, _, reached = await age(db, after=after)
            rounds += 1
            if reached is None:
                break
            assert reached > after
            after = reached
        assert await priorities(db, *lows) == [3, 3, 3]
        assert rounds < 10
    finally:
        await db.execute(function)
