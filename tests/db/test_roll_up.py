"""Counts come from tallies and their roll-up, never from a big table: whatever happens, they are what a count would say."""

import random
from collections.abc import Awaitable, Callable

import pytest
from howdah.core.states import Kind

from . import world
from .world import Connect, Session

pytestmark = pytest.mark.anyio

COUNTED = [kind for kind in Kind if kind != Kind.CANCEL_REQUESTED]
"""Kinds that are counted once for each event of them."""

HELD = """
  select q.name as queue, t.name as task, sum(x.ready) as ready, sum(x.running) as running, sum(x.later) as later
  from ({}) x join howdah.queue q on q.id = x.queue join howdah.task t on t.id = x.task
  group by 1, 2 having sum(x.ready) <> 0 or sum(x.running) <> 0 or sum(x.later) <> 0 order by 1, 2
"""
REAL = """
  select j.queue, j.task, (j.lease is null)::int as ready, (j.lease is not null)::int as running, 0 as later from howdah.job j
  union all select m.queue, m.task, 1, 0, 0 from howdah.misfit m
  union all select w.queue, w.task, 0, 0, 1 from howdah.timer w
"""


async def by_kind(db: Session, statement: str, kinds: list[int]) -> dict[int, int]:
    return {row["kind"]: row[1] for row in await db.fetch(statement, kinds)}


async def agree(db: Session) -> None:
    """The sums are the counts."""
    assert await db.fetch(HELD.format("select * from howdah.standing()")) == await db.fetch(HELD.format(REAL))
    told = await by_kind(db, "select kind, sum(n)::int from howdah.standing() where kind = any($1) group by kind", [0, *map(int, COUNTED)])
    real = await by_kind(db, "select kind, count(*)::int from howdah.event where kind = any($1) group by kind", [*map(int, COUNTED)])
    enqueued = await db.fetchval("select count(*) from howdah.run")
    assert {kind: n for kind, n in told.items() if n} == real | ({0: enqueued} if enqueued else {})


class Life:
    """Something happens to runs, at random."""

    def __init__(self, db: Session, seed: int) -> None:
        self.db = db
        self.random = random.Random(seed)
        self.ids: list[int] = []
        self.held: list[world.Claimed] = []
        self.named = 0

    async def step(self) -> None:
        acts: list[Callable[[], Awaitable[object]]] = [
            self.enqueue, self.enqueue, self.claim, self.claim, self.end, self.end, self.go_on, self.cancel, self.later, self.crash,
            self.retry, self.define, self.roll_up, self.return_,
        ]  # fmt: skip
        await self.random.choice(acts)()

    async def enqueue(self) -> None:
        options = self.random.choice([{}, {"delay": 60}, {"queue": "other"}, {"expires": 30}, {"priority": 3}])
        self.ids += await world.enqueue(self.db, self.random.randint(1, 4), task=self.random.choice(["work", "rest", "new"]), **options)

    async def claim(self) -> None:
        self.held += await world.claim(self.db, await world.join(self.db), self.random.randint(1, 5))

    def some(self) -> list[world.Claimed]:
        count = min(len(self.held), self.random.randint(1, 4))
        return [self.held.pop(self.random.randrange(len(self.held))) for _ in range(count)]

    async def end(self) -> None:
        kinds = [Kind.SUCCEEDED, Kind.FAILED, Kind.STOPPED]
        await world.send(self.db, *(world.outcome(run, self.random.choice(kinds)) for run in self.some()))

    async def go_on(self) -> None:
        kinds = [Kind.RETRIED, Kind.SNOOZED, Kind.RELEASED, Kind.MISFIT]
        await world.send(self.db, *(world.outcome(run, self.random.choice(kinds), 5) for run in self.some()))

    async def cancel(self) -> None:
        if self.ids:
            await world.cancel(self.db, *self.random.sample(self.ids, min(3, len(self.ids))))

    async def later(self) -> None:
        await world.shift(self.db, self.random.choice(["40 seconds", "2 minutes"]))
        await self.db.fetch("select howdah.fire(100), howdah.expire(100)")
        await world.shift(self.db, "")

    async def crash(self) -> None:
        await world.shift(self.db, "1 day")
        await self.db.fetch("select howdah.reap(1)")
        await world.shift(self.db, "")

    async def return_(self) -> None:
        for run in self.some():
            await self.db.fetchval("select howdah.return_unknown($1, '{}')", run.node)

    async def retry(self) -> None:
        if self.ids:
            await self.db.fetch("select howdah.retry($1)", self.random.sample(self.ids, min(3, len(self.ids))))

    async def define(self) -> None:
        """A task that SQL has used gets its definition, and its waiting runs another queue."""
        self.named += 1
        await self.db.execute("update howdah.task set implemented = false where name = 'new'")
        await self.db.fetchval(
            "select howdah.register('new', $1, 0::smallint, '{}', null, null, $2)", f"q{self.named % 3}", str(self.named)
        )

    async def roll_up(self) -> None:
        await self.db.fetchval("select howdah.roll_up()")


@pytest.fixture
async def alone(db: Session) -> Session:
    """Without the history of other tests."""
    await db.execute("truncate howdah.run, howdah.event")
    return db


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_the_sums_are_the_counts(alone: Session, seed: int) -> None:
    life = Life(alone, seed)
    for _ in range(60):
        await life.step()
        await agree(alone)
    assert await alone.fetchval("select howdah.recount()") == 0
    await life.roll_up()
    assert await alone.fetchval("select count(*) from howdah.tally") == 0
    await agree(alone)


async def test_two_that_roll_up_at_once_do_the_work_once(alone: Session, connect: Connect) -> None:
    other = await connect()
    await world.enqueue(alone, 5)
    async with world.transaction(alone):
        assert await alone.fetchval("select howdah.roll_up()") == 1
        assert await other.fetchval("select howdah.roll_up()") == 0
        await agree(other)
    assert await other.fetchval("select howdah.roll_up()") == 0
    await agree(alone)


async def test_a_transaction_that_has_not_committed_is_left_for_the_next_time(alone: Session, connect: Connect) -> None:
    other = await connect()
    async with world.transaction(other):
        await world.enqueue(other, 2)
        await world.enqueue(alone, 3)
        assert await alone.fetchval("select howdah.roll_up()") == 1
        await agree(alone)
    await agree(alone)
    assert await alone.fetchval("select howdah.roll_up()") == 1


async def test_many_tallies_are_folded_in_batches_and_the_rest_waits(alone: Session) -> None:
    await alone.execute(
        """insert into howdah.tally (queue, task, kind, n, ready, running, later)
           select 1, howdah.introduce('work'), 0, 1, 0, 0, 0 from generate_series(1, 12000)"""
    )
    assert await alone.fetchval("select howdah.roll_up(1)") == 5000
    assert await alone.fetchval("select howdah.roll_up()") == 7000
    assert await alone.fetchval("select n from howdah.total") == 12000


async def test_rates_are_minutes_for_a_day_and_hours_afterwards(alone: Session) -> None:
    task = await alone.fetchval("select howdah.introduce('work')")
    at = "select date_trunc('hour', howdah.clock() - $1::text::interval) + $2 * interval '1 minute'"
    for ago, minute in (("2 hours", 1), ("2 hours", 2), ("30 hours", 0), ("30 hours", 1), ("30 hours", 59), ("40 days", 5)):
        await alone.execute(
            f"insert into howdah.tally (at, queue, task, kind, n, ready, running, later) values (({at}), 1, $3, 1, 10, 0, 0, 0)",
            ago,
            minute,
            task,
        )
    await alone.fetchval("select howdah.roll_up()")
    assert await alone.fetchval("select count(*) from howdah.rate") == 6

    for _ in range(2):
        await alone.fetchval("select howdah.thin_rates(30)")
        rows = await alone.fetch("select n, extract(minute from at)::int as minute from howdah.rate order by at")
        assert [tuple(row) for row in rows] == [(30, 0), (10, 1), (10, 2)]


async def test_recount_finds_what_was_changed_by_hand(alone: Session) -> None:
    await world.enqueue(alone, 7)
    await alone.execute("delete from howdah.job where id in (select id from howdah.job limit 3)")
    await alone.execute(
        "insert into howdah.tally (queue, task, n, ready, running, later) select 1, id, 0, 0, 2, 0 from howdah.task where name = 'work'"
    )
    assert await alone.fetchval("select howdah.recount()") == 1
    assert await alone.fetch(HELD.format("select * from howdah.standing()")) == await alone.fetch(HELD.format(REAL))
    assert await alone.fetchval("select howdah.recount()") == 0


async def test_upkeep_rolls_up_and_comes_again_soon_only_while_something_moves(alone: Session) -> None:
    await world.enqueue(alone, 1)
    first = await alone.fetchrow("select * from howdah.keep(100, 30, 3)")
    again = await alone.fetchrow("select * from howdah.keep(100, 30, 3)")
    assert await alone.fetchval("select count(*) from howdah.tally") == 0
    assert (first["next_s"], again["next_s"]) == (5, 30)


@pytest.mark.parametrize("kind", [Kind.RETRIED, Kind.SNOOZED, Kind.RELEASED, Kind.MISFIT])
async def test_what_would_go_on_and_ends_since_its_cancel_was_asked_for_is_counted_as_both(alone: Session, kind: Kind) -> None:
    db = alone
    (run,) = await world.running(db)
    await world.cancel(db, run.id)
    await world.send(db, world.outcome(run, kind, 60))
    assert await world.state(db, run.id) == "cancelled"
    await agree(db)
