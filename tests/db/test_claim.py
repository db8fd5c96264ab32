"""Who is claimed next: exact priorities, fair shares of lines, and nobody hidden behind a million others (CONTRACT 1.30)."""

import asyncio
import json
from collections.abc import AsyncIterator
from time import perf_counter

import asyncpg
import pytest
from howdah.config import configure
from howdah.core.states import Kind, State
from howdah.db.files import query
from howdah.db.stores import Claims
from howdah.tracing import Tracing

from . import world
from .test_plans import best_of, fill
from .world import Connect, Session

pytestmark = pytest.mark.anyio

MILLION = 1_000_000
START_S = 0.1
"""A look that passes over a million takes more than this, and the best of some tries is the database's, whatever else the machine does."""
TRIES = 5


@pytest.fixture(scope="module")
async def crowded(dsn: str) -> AsyncIterator[Session]:
    """A million queued runs of the task `crowd`."""
    db = await asyncpg.connect(dsn)
    await world.tidy(db)
    await fill(db, MILLION, "crowd")
    yield db
    await world.tidy(db)
    await db.close()


async def start(db: Session, node: int, wanted: int, room: int) -> float:
    """Seconds from a look to the claim that brings the wanted run; claims go on as a dispatcher's do."""
    began = perf_counter()
    for _ in range(TRIES):
        if wanted in [run.id for run in await world.claim(db, node, room)]:
            return perf_counter() - began
    raise AssertionError("it is still waiting")


async def test_a_run_behind_a_million_of_another_task_starts_at_once(crowded: Session) -> None:
    node = await world.join(crowded)
    await world.claim(crowded, node, 10)
    for room in (64, 1000):
        took: list[float] = []
        for _ in range(TRIES):
            (run,) = await world.enqueue(crowded, task="lonely")
            took.append(await start(crowded, node, run, room))
        assert min(took) < START_S


async def test_a_higher_priority_goes_first_even_behind_a_million(crowded: Session) -> None:
    node = await world.join(crowded)
    urgent = await world.enqueue(crowded, 3, task="crowd", priority=5)
    assert [run.id for run in await world.claim(crowded, node, 3)] == urgent
    (run,) = await world.claim(crowded, node, 1)
    assert run.priority == 0


async def test_a_million_of_a_task_that_nobody_here_implements_hide_nothing_and_are_listed(crowded: Session) -> None:
    await world.shift(crowded, "1 hour")
    await crowded.fetchval("select howdah.reap(3)")
    await world.shift(crowded, "")
    await crowded.execute("delete from howdah.job where task <> (select id from howdah.task where name = 'crowd')")
    node = await world.join(crowded)
    runs = await world.enqueue(crowded, TRIES, task="known here", priority=-100)
    claimed: list[int] = []

    async def claim_one() -> None:
        claimed.extend(run.id for run in await world.claim(crowded, node, 1, tasks=["known here"]))

    assert await best_of(TRIES, claim_one) < START_S
    assert claimed == runs
    number = await crowded.fetchval("select id from howdah.task where name = 'known here'")
    await crowded.execute("update howdah.node set tasks = array[$1::int] where id = $2", number, node)
    listed = "select task, queue, first_run from howdah.unimplemented"
    assert await best_of(TRIES, lambda: crowded.fetch(listed)) < START_S, "monitoring never reads a hot table in full"
    rows = await crowded.fetch(listed)
    assert [(row["task"], row["queue"]) for row in rows] == [("crowd", "default")]
    assert await world.state(crowded, rows[0]["first_run"]) == State.QUEUED


async def test_the_tail_of_a_line_is_claimed_by_its_watermark(crowded: Session) -> None:
    """Entries before the watermark may be dead and many: they are not read again."""
    ((queue, task, number),) = await crowded.fetch(
        "select queue, task, max(id) from howdah.job where priority = 0 group by 1, 2 order by 3 limit 1"
    )
    node = await world.join(crowded)
    rows = await crowded.fetch(query("claim"), node, 10, [queue], [task], [0], [number - 5], False, False)
    assert [row["id"] for row in rows] == list(range(number - 4, number + 1))


async def test_lines_of_equal_priority_share_a_claim_equally(db: Session) -> None:
    tasks = ["a", "b", "c"]
    for task in tasks:
        await world.enqueue(db, 100, task=task)
    claimed = await world.claim(db, await world.join(db), 30)
    assert [run.id for run in claimed] == sorted(run.id for run in claimed)
    assert sorted([run.task for run in claimed].count(task) for task in {run.task for run in claimed}) == [10, 10, 10]


async def test_more_lines_than_room_are_served_in_part_and_never_beyond_the_room(db: Session) -> None:
    for number in range(10):
        await world.enqueue(db, 2, task=f"task {number}")
    node = await world.join(db)
    assert len(await world.claim(db, node, 4)) == 4
    assert len({run.id for _ in range(10) for run in await world.claim(db, node, 4)}) == 16


async def test_priorities_are_exact_over_all_lines(db: Session) -> None:
    wanted = []
    for place, priority in enumerate((5, -3, 0, 7, 0, 32767, -32767)):
        wanted += [(-priority, run) for run in await world.enqueue(db, 3, task=f"task {place % 3}", priority=priority)]
    node = await world.join(db)
    got = []
    while batch := await world.claim(db, node, 2):
        got += [(run.priority, run.id) for run in batch]
    assert [priority for priority, _ in got] == sorted(priority for priority, _ in wanted)
    assert sorted(got) == sorted(wanted)


async def test_a_claim_makes_an_attempt_under_one_new_lease(db: Session) -> None:
    await world.enqueue(db, 3)
    node = await world.join(db)
    first = await world.claim(db, node, 2)
    (second,) = await world.claim(db, node, 2)
    assert [run.attempt for run in [*first, second]] == [1, 1, 1]
    assert len({run.lease for run in first}) == 1
    assert second.lease > first[0].lease


async def test_only_a_living_node_gets_something(db: Session) -> None:
    await world.enqueue(db)
    with pytest.raises(asyncpg.PostgresError) as caught:
        await world.claim(db, 999_999)
    assert caught.value.sqlstate == "HW002"


async def test_claims_do_not_wait_for_the_disk_and_outcomes_do(db: Session) -> None:
    await world.enqueue(db)
    node = await world.join(db)
    await db.execute("begin")
    (run,) = await world.claim(db, node)
    assert await db.fetchval("show synchronous_commit") == "off"
    await db.execute("commit")
    await db.execute("begin")
    await world.send(db, world.outcome(run))
    assert await db.fetchval("show synchronous_commit") == "on"
    await db.execute("commit")


async def test_a_run_past_its_expiry_is_not_claimed_but_one_that_has_started_before_is(db: Session) -> None:
    fresh, tried = await world.enqueue(db, 2, expires=60)
    await db.execute("update howdah.job set attempt = 1 where id = $1", tried)
    await world.shift(db, "1 hour")
    assert [run.id for run in await world.claim(db, await world.join(db))] == [tried]
    assert await db.fetchval("select howdah.expire(10)") == 1
    assert await world.state(db, fresh) == State.EXPIRED


async def test_what_a_dead_node_held_comes_back_at_once_without_a_burnt_attempt(db: Session, connect: Connect) -> None:
    runs = await world.running(db, 3)
    listener = await connect()
    told: list[str] = []
    await listener.add_listener("howdah_work", lambda *said: told.append(str(said[3])))
    await world.shift(db, "1 hour")
    row = await db.fetchrow(query("keep"), 100, 30.0, 3)
    assert [fact["fact"] for fact in json.loads(row["facts"])] == ["node.lost"]
    await listener.execute("select 1")
    assert told == [f"{runs[0].queue} {runs[0].task} 0 {runs[0].id}"]
    again = await world.claim(db, await world.join(db))
    assert [(run.id, run.attempt) for run in again] == [(run.id, 1) for run in runs]


async def test_a_node_that_renews_in_time_is_not_reaped(db: Session) -> None:
    (run,) = await world.running(db)
    await world.shift(db, "50 seconds")
    await db.fetchrow(query("renew"), run.node, 60.0)
    await world.shift(db, "100 seconds")
    assert await db.fetchval("select howdah.reap(3)") is None
    await world.shift(db, "111 seconds")
    assert await db.fetchval("select howdah.reap(3)") is not None
    assert await db.fetchrow(query("renew"), run.node, 60.0) is None


async def test_after_a_lost_answer_what_the_node_does_not_know_goes_back(db: Session) -> None:
    known = await world.running(db, 2)
    await world.enqueue(db, 3)
    lost = await world.claim(db, known[0].node)
    assert await db.fetchval(query("recover"), known[0].node, [known[0].lease], "nobody") == 3
    assert [await world.state(db, run.id) for run in lost] == [State.QUEUED] * 3
    assert [await world.state(db, run.id) for run in known] == [State.RUNNING] * 2
    assert await db.fetchval(query("recover"), known[0].node, [], "nobody") == 2, "with no lease known, all of them"


async def test_after_a_crash_a_node_never_gets_a_lease_number_that_it_works_under(db: Session) -> None:
    """The crash forgot claims, and the numbers of their leases with them."""
    await db.execute("select nextval('howdah.lease_number') from generate_series(1, 3)")
    first, second = await world.running(db), await world.enqueue(db)
    (held,) = first
    await db.execute("select setval('howdah.lease_number', $1, false)", held.lease - 3)
    assert await db.fetchval(query("recover"), held.node, [held.lease - 2, held.lease], "nobody") == 0
    (again,) = await world.claim(db, held.node)
    assert [again.id] == second
    assert again.lease > held.lease


async def test_a_cancel_that_is_heard_during_a_claim_is_looked_for_after_it(dsn: str, db: Session, connect: Connect) -> None:
    """It may be of a run in the answer that is on its way: nobody here knows of that yet."""
    heard: list[int] = []
    claims = Claims(configure({"dsn": dsn}), "overtaken", None, lambda: heard.append(1), Tracing(configure({})))
    node, other = await world.join(db), await connect()
    (run,) = await world.enqueue(db)
    claims.note_cancel()
    heads = (await claims.look(node, [await db.fetchval("select task from howdah.job")])).heads
    lines = [(line, (priority, number - 1)) for line, (priority, number) in heads]
    await other.execute("begin")
    await other.execute("select from howdah.node where id = $1 for update", node)
    claiming = asyncio.ensure_future(claims.claim(node, 1, lines, [], aside=False, durable=False))
    waits = "select exists (select from pg_stat_activity where application_name = 'howdah claim overtaken' and wait_event_type = 'Lock')"
    while not await db.fetchval(waits):
        pass
    claims.note_cancel()
    await other.execute("commit")
    assert [one.id for one in await claiming] == [run]
    await asyncio.sleep(0)
    assert heard == [1]
    claims.note_cancel()
    await claims.claim(node, 1, lines, [], aside=False, durable=False)
    await asyncio.sleep(0)
    assert heard == [1], "nothing was under way"
    await claims.close()


async def test_recovering_ends_a_claim_that_is_still_at_work(db: Session, connect: Connect) -> None:
    await world.enqueue(db, 3)
    node = await world.join(db)
    frozen = await connect(application_name="howdah claim frozen")
    await frozen.execute("begin")
    assert len(await world.claim(frozen, node)) == 3
    assert await db.fetchval(query("recover"), node, [], "howdah claim frozen") == 0
    assert len(await world.claim(db, node)) == 3
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await frozen.execute("commit")


async def test_upkeep_says_when_the_next_thing_is_due(db: Session) -> None:
    async def keep() -> float:
        """Of the second of two rounds: after one that counted something the next comes within 5 s."""
        await db.fetchrow(query("keep"), 100, 30.0, 3)
        return (await db.fetchrow(query("keep"), 100, 30.0, 3))["next_s"]

    async def until(when: str) -> float:
        """Seconds from now: what is asked before says more, and less if it is asked afterwards."""
        return await db.fetchval(f"select extract(epoch from ({when}) - howdah.clock())::float")

    assert await keep() == 30
    await world.enqueue(db, delay=20)
    assert (await db.fetchrow(query("keep"), 100, 30.0, 3))["next_s"] == 5
    due = "select due from howdah.timer"
    assert await until(due) > await keep() > await until(due)
    await world.enqueue(db, expires=10)
    late = "select expires from howdah.job where expires is not null"
    assert await until(late) > await keep() > await until(late)
    await world.join(db, lease_s=5)
    end = "select until + interval '1 millisecond' from howdah.node"
    assert await until(end) > (await db.fetchrow(query("keep"), 100, 30.0, 3))["next_s"] > await until(end)
    await world.enqueue(db, 3, delay=0.001)
    await world.shift(db, "4 seconds")
    row = await db.fetchrow(query("keep"), 2, 30.0, 3)
    assert (row["fired"], row["next_s"]) == (2, 0)


async def test_a_snooze_and_a_release_burn_no_attempt_and_a_retry_does(db: Session) -> None:
    for kind, expected in ((Kind.SNOOZED, 1), (Kind.RELEASED, 1), (Kind.RETRIED, 2)):
        (run,) = await world.running(db)
        await world.send(db, world.outcome(run, kind, 0))
        await db.fetchval("select howdah.fire(10)")
        (again,) = await world.claim(db, run.node)
        assert again.attempt == expected, kind
        await world.tidy(db)


async def test_attempts_beyond_what_can_be_counted_stop_no_claim(db: Session) -> None:
    first, second = await world.enqueue(db, 2)
    await db.execute("update howdah.job set attempt = 32767 where id = $1", first)
    assert [(run.id, run.attempt) for run in await world.claim(db, await world.join(db))] == [(first, 32767), (second, 1)]
