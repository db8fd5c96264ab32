"""Retention by queue: shorter ones are deleted run by run inside of days that others keep, the longest drops days."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import asyncpg
import pytest
from howdah.config import configure
from howdah.db.files import query
from howdah.db.stores import Upkeep

from . import world
from .test_days import days, old_run, today
from .world import Connect, Session

pytestmark = pytest.mark.anyio

AGO = 10
"""Days: beyond the week that the queue `mail` keeps its runs."""


@pytest.fixture
async def dsn(fresh_dsn: Callable[..., Awaitable[str]]) -> AsyncIterator[str]:
    """A database for each test: days are made and dropped here."""
    yield await fresh_dsn()


async def mail_keeps(db: Session, days: int | None) -> int:
    await db.execute(query("set_retention"), "mail", days)
    return await db.fetchval(query("queue_id"), "mail")


async def past(db: Session, ago: int = AGO, mail: int = 4, default: int = 3) -> tuple[list[int], list[int]]:
    """Ended runs of a day, of the queue mail and of the default one, in turns."""
    day = await today(db) - ago
    await db.fetchval("select howdah.add_day($1, 4)", day)
    queue = await db.fetchval(query("queue_id"), "mail")
    runs = [await old_run(db, n + 1, days_ago=ago) for n in range(mail + default)]
    ours = runs[::2][:mail]
    ours += [run for run in runs if run not in ours][: mail - len(ours)]
    await db.execute("update howdah.run set queue = $1 where id = any($2)", queue, ours)
    for kind in (4, 1):  # Into the day itself: the trigger would take them for outcomes that came too late.
        await db.execute(f"insert into howdah.event_d{day} (run, task, kind) select id, task, $1 from howdah.run_d{day}", kind)
    return sorted(ours), sorted(set(runs) - set(ours))


async def left(db: Session) -> tuple[list[int], list[int]]:
    """The runs that are still there, by their rows and by their events."""
    runs = await db.fetch("select id from howdah.run order by id")
    events = await db.fetch("select distinct run from howdah.event order by run")
    return [row[0] for row in runs], [row[0] for row in events]


async def one(db: Session, keep: int = 30, batch: int = 1000) -> tuple[int, int]:
    """A batch: how many were looked at, and deleted."""
    row = await db.fetchrow(query("trim"), keep, batch)
    assert row is not None
    return row["examined"], row["deleted"]


async def trim(db: Session, keep: int = 30, batch: int = 1000) -> list[tuple[int, int]]:
    """Batches until there is nothing to do."""
    done: list[tuple[int, int]] = []
    while (batch_done := await one(db, keep, batch))[0]:
        done.append(batch_done)
    return done


async def test_runs_of_a_queue_go_with_their_events_when_its_own_retention_is_over(db: Session) -> None:
    await mail_keeps(db, 7)
    _, kept = await past(db)
    young, _ = await past(db, ago=6)
    assert [row["day"] for row in await db.fetch(query("old_days"), 30)] == []
    assert await trim(db) == [(7, 4)]
    runs, events = await left(db)
    assert runs == events
    assert set(runs) >= {*kept, *young}
    assert len(runs) == 3 + 7
    assert await trim(db) == [], "the day is done"


async def test_without_a_shorter_retention_nothing_is_looked_at(db: Session) -> None:
    await mail_keeps(db, None)
    await past(db)
    assert await trim(db) == []


async def test_batches_go_on_where_the_last_one_ended_and_never_look_twice(db: Session) -> None:
    queue = await mail_keeps(db, 7)
    await past(db, mail=5, default=5)
    batches = await trim(db, batch=3)
    assert [examined for examined, _ in batches] == [3, 3, 3, 1]
    assert sum(deleted for _, deleted in batches) == 5
    assert await db.fetchval("select after >> 40 from howdah.trim where queue = $1", queue) == await today(db) - AGO


async def test_a_batch_that_is_rolled_back_is_done_again(db: Session) -> None:
    await mail_keeps(db, 7)
    await past(db)
    await db.execute("begin")
    await db.fetchrow(query("trim"), 30, 2)
    await db.execute("rollback")
    assert sum(deleted for _, deleted in await trim(db, batch=2)) == 4


@pytest.mark.parametrize("where", ["job", "timer", "misfit"])
async def test_a_living_run_is_never_deleted(db: Session, where: str) -> None:
    await mail_keeps(db, 7)
    (first, *_), _ = await past(db)
    if where == "misfit":
        columns = "id, queue, task, priority, attempt, flags, crashes, hashes"
        await db.execute(f"insert into howdah.misfit ({columns}) values ($1, 1, 1, 0, 0, 0, 0, '{{}}')", first)
    else:
        columns = "queue, task, priority" if where == "job" else "due, retrying, attempt, flags, queue, task, priority"
        values = "1, 1, 0" if where == "job" else "howdah.clock() + interval '1 day', true, 1, 0, 1, 1, 0"
        await db.execute(f"insert into howdah.{where} (id, {columns}) values ($1, {values})", first)
    assert await trim(db) == [(7, 3)]
    assert first in (await left(db))[0]


async def test_a_run_that_is_being_opened_again_is_left_alone(db: Session, connect: Connect) -> None:
    await mail_keeps(db, 7)
    (first, *_), _ = await past(db)
    await db.execute("update howdah.event set kind = 2 where run = $1 and kind = 1", first)
    other = await connect()
    async with world.transaction(other):
        assert await other.fetchval("select answer from howdah.retry(array[$1::bigint])", first) == "reopened"
        assert await trim(db) == [(7, 3)]
    assert await world.state(db, first) == "queued"


async def test_what_was_deleted_cannot_be_opened_again(db: Session, connect: Connect) -> None:
    await mail_keeps(db, 7)
    (first, *_), _ = await past(db)
    await db.execute("update howdah.event set kind = 2 where run = $1 and kind = 1", first)
    other = await connect()
    await db.execute("begin")
    await db.fetchrow(query("trim"), 30, 100)
    retried = await world.while_held(other, other.fetchval("select answer from howdah.retry(array[$1::bigint])", first), db)
    await db.execute("commit")
    assert await retried == "unknown"
    assert await db.fetchval("select count(*) from howdah.job") == 0


async def test_two_that_trim_at_once_do_the_work_once(db: Session, connect: Connect) -> None:
    await mail_keeps(db, 7)
    await past(db)
    other = await connect()
    async with world.transaction(db):
        assert await one(db) == (7, 4)
        assert await one(other) == (0, 0)


async def test_a_longer_retention_keeps_the_days_and_the_other_queues_are_trimmed_in_them(db: Session) -> None:
    await mail_keeps(db, 90)
    mail, default = await past(db, ago=40)
    assert [row["day"] for row in await db.fetch(query("old_days"), 30)] == []
    assert await trim(db) == [(7, 3)]
    runs, events = await left(db)
    assert (runs, events) == (mail, mail)
    assert not set(runs) & set(default)
    await mail_keeps(db, 30)
    assert [row["day"] for row in await db.fetch(query("old_days"), 30)] == [await today(db) - 40]


async def test_keys_and_progress_go_with_their_run(db: Session) -> None:
    await mail_keeps(db, 7)
    (gone, *_), (kept, *_) = await past(db)
    for run in (gone, kept):
        await db.execute("insert into howdah.progress (run, value) values ($1, '1')", run)
        await db.execute("insert into howdah.held_key (task, key, run, owner) values (1, $2, $1, $1)", run, str(run))
    await trim(db)
    for table, column in (("progress", "run"), ("held_key", "owner")):
        assert [row[0] for row in await db.fetch(f"select {column} from howdah.{table}")] == [kept]


async def test_what_runs_of_dropped_days_have_left_behind_is_swept(db: Session) -> None:
    gone = (await today(db) - 50 << 40) + 1
    living = await old_run(db, 2, living="job", days_ago=50)
    (young,) = await world.enqueue(db)
    for run in (gone, living, young):
        await db.execute("insert into howdah.progress (run, value) values ($1, '1')", run)
        await db.execute("insert into howdah.held_key (task, key, run, owner) values (1, $2, $1, $1)", run, str(run))
    await db.execute("insert into howdah.held_key (task, key, run, owner, until) values (1, 'over', $1, $1, howdah.clock())", young)
    await db.execute("insert into howdah.trim (queue, day, after) values (1, $1, 0)", gone >> 40)
    assert await db.fetchval(query("sweep"), 100) == 4
    assert {row[0] for row in await db.fetch("select run from howdah.progress")} == {living, young}
    assert {row[0] for row in await db.fetch("select key from howdah.held_key")} == {str(living), str(young)}
    assert await db.fetchval(query("sweep"), 100) == 0


async def test_a_day_that_somebody_holds_keeps_neither_new_days_nor_other_old_ones(db: Session, connect: Connect, dsn: str) -> None:
    now = await today(db)
    for ago in (50, 45, 40):
        await db.fetchval("select howdah.add_day($1, 4)", now - ago)
    await old_run(db, 1, days_ago=45)
    reader = await connect()
    await reader.execute("begin")
    await reader.fetch(f"select * from howdah.run_d{now - 45}")
    await db.execute("alter function howdah.drop_day set lock_timeout = '50ms'")
    upkeep = Upkeep(configure({"dsn": dsn, "ahead_days": 9}), "test")
    assert await upkeep.tend() is False
    there = await days(db)
    assert {f"d{now + 9}", f"d{now - 45}"} <= there
    assert not {f"d{now - 50}", f"d{now - 40}"} & there
    await reader.execute("commit")
    assert await upkeep.tend() is True
    assert f"d{now - 45}" not in await days(db)
    await upkeep.close()


async def test_upkeep_trims_until_there_is_no_more(db: Session, dsn: str) -> None:
    await mail_keeps(db, 7)
    await past(db, mail=5, default=5)
    upkeep = Upkeep(configure({"dsn": dsn, "trim_batch": 4}), "test")
    assert [await upkeep.trim() for _ in range(4)] == [True, True, True, False]
    assert len((await left(db))[0]) == 5
    await upkeep.close()


async def test_a_retention_is_at_least_a_day(db: Session) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await mail_keeps(db, 0)


async def test_a_key_that_is_held_for_a_time_outlives_the_history_of_its_run(db: Session) -> None:
    await mail_keeps(db, 7)
    (first, second, *_), _ = await past(db)
    held = "insert into howdah.held_key (task, key, run, owner, until) values (1, $1, $2, $2, $3::timestamptz)"
    await db.execute(held, "for a time", first, (await db.fetchval("select howdah.clock()")) + timedelta(days=30))
    await db.execute(held, "until its end", second, None)
    await db.fetchrow(query("trim"), 30, 100)
    assert [row[0] for row in await db.fetch("select key from howdah.held_key")] == ["for a time"]
