"""The fence: an outcome counts only under the pair (lease, node) that the hot row holds, checked pairwise."""

import asyncpg
import msgspec
import pytest
from howdah.core.states import Kind, State
from howdah.db.files import query
from howdah.messages import Rejection

from . import world
from .world import Connect, Session

pytestmark = pytest.mark.anyio


async def held_apart(db: Session) -> tuple[world.Claimed, world.Claimed]:
    """Two runs that two nodes hold under two leases."""
    first = await world.running(db)
    second = await world.running(db)
    return first[0], second[0]


async def test_pairs_are_checked_as_pairs(db: Session) -> None:
    one, two = await held_apart(db)
    crossed = [
        msgspec.structs.replace(one, lease=two.lease),
        msgspec.structs.replace(two, lease=one.lease),
    ]
    heard = await world.send(db, *map(world.outcome, crossed))
    assert {(late.run, late.verdict) for late in heard.rejected} == {(one.id, "stale"), (two.id, "stale")}
    crossed = [msgspec.structs.replace(one, node=two.node), msgspec.structs.replace(two, node=one.node)]
    assert len((await world.send(db, *map(world.outcome, crossed))).rejected) == 2
    assert await world.state(db, one.id) == await world.state(db, two.id) == State.RUNNING


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind < 16])
async def test_a_wrong_pair_in_a_batch_hides_no_right_one(db: Session, kind: Kind) -> None:
    one, two = await held_apart(db)
    delay_s = 60 if kind in (Kind.RETRIED, Kind.SNOOZED) else None
    wrong = msgspec.structs.replace(two, lease=one.lease)
    heard = await world.send(db, world.outcome(wrong, kind, delay_s), world.outcome(one, kind, delay_s))
    assert heard.rejected == [Rejection(two.id, one.lease, "stale")]
    assert await world.state(db, one.id) != State.RUNNING
    assert await world.state(db, two.id) == State.RUNNING


async def test_a_lease_number_that_a_crash_hands_out_twice_belongs_to_one_node(db: Session) -> None:
    (old,) = await world.running(db)
    await db.execute("select setval('howdah.lease_number', $1, false)", old.lease)  # As after a crash of Postgres.
    await db.execute("update howdah.job set lease = null, node = null")
    (new,) = await world.claim(db, await world.join(db))
    assert (new.id, new.lease) == (old.id, old.lease)
    assert (await world.send(db, world.outcome(old))).rejected == [Rejection(old.id, old.lease, "stale")]
    assert await world.state(db, old.id) == State.RUNNING
    assert await world.send(db, world.outcome(new)) == world.Heard()
    assert await world.state(db, old.id) == State.SUCCEEDED


async def test_a_resend_is_a_duplicate_and_a_lost_lease_is_stale(db: Session) -> None:
    won, lost = await held_apart(db)
    await world.send(db, world.outcome(won, data='{"a": 1}'))
    await world.shift(db, "1 hour")
    assert await db.fetchval("select howdah.reap(3)") is not None
    heard = await world.send(db, world.outcome(won, data='{"a": 1}'), world.outcome(lost, data='{"b": 2}'))
    assert {(late.run, late.verdict) for late in heard.rejected} == {(won.id, "duplicate"), (lost.id, "stale")}
    kept = await db.fetch("select run, verdict, data from howdah.stale_event order by run")
    assert [tuple(row) for row in kept] == [(won.id, "duplicate", '{"a": 1}'), (lost.id, "stale", '{"b": 2}')]
    assert await world.kinds(db, won.id) == [Kind.SUCCEEDED]
    assert await world.kinds(db, lost.id) == [Kind.REAPED]


async def test_a_resend_of_a_whole_batch_leaves_each_event_once(db: Session) -> None:
    batch = [world.outcome(run, kind, 60) for run, kind in zip(await world.running(db, 7), Kind, strict=False)]
    assert not (await world.send(db, *batch)).rejected
    before = await db.fetchval("select json_agg(v order by v.run)::text from howdah.event v")
    heard = await world.send(db, *batch)
    assert [late.verdict for late in heard.rejected] == ["duplicate"] * 7
    assert await db.fetchval("select json_agg(v order by v.run)::text from howdah.event v") == before


async def test_the_second_attempt_of_a_run_is_not_taken_for_a_resend_of_the_first(db: Session) -> None:
    (first,) = await world.running(db)
    await world.send(db, world.outcome(first, Kind.RETRIED, 0))
    await db.fetchval("select howdah.fire(10)")
    (second,) = await world.claim(db, first.node)
    assert second.lease != first.lease
    assert second.attempt == 2
    assert await world.send(db, world.outcome(second)) == world.Heard()
    assert await world.kinds(db, first.id) == [Kind.RETRIED, Kind.SUCCEEDED]


async def test_verdicts_of_a_large_batch_are_all_told_before_copy_returns(db: Session) -> None:
    batch = [world.outcome(run) for run in await world.running(db, 1000)]
    await world.send(db, *batch)
    heard = await world.send(db, *batch)
    assert sorted(late.run for late in heard.rejected) == sorted(one.run for one in batch)


async def test_a_batch_that_names_a_run_twice_fails_as_a_whole(db: Session) -> None:
    run, other = await world.running(db, 2)
    with pytest.raises(asyncpg.PostgresError) as caught:
        await world.send(db, world.outcome(run), world.outcome(other), world.outcome(run))
    assert caught.value.sqlstate == "HW003"
    assert await world.state(db, run.id) == await world.state(db, other.id) == State.RUNNING
    assert await db.fetchval("select count(*) from howdah.event where run = any($1)", [run.id, other.id]) == 0


async def test_complete_refuses_a_zombie_and_its_effects_roll_back(db: Session) -> None:
    run, other = await held_apart(db)
    await db.execute("create table effect (note text)")
    for lease, node in ((other.lease, run.node), (run.lease, other.node), (other.lease, other.node)):
        with pytest.raises(asyncpg.PostgresError) as caught:
            async with world.transaction(db):
                await db.execute("insert into effect values ('twice')")
                await db.execute(query("complete"), run.id, lease, node, None, None, None)
        assert caught.value.sqlstate == "HW001"
    assert await db.fetchval("select count(*) from effect") == 0
    async with world.transaction(db):
        await db.execute("insert into effect values ('once')")
        await db.execute(query("complete"), run.id, run.lease, run.node, None, '"done"', None)
    assert await world.state(db, run.id) == State.SUCCEEDED
    with pytest.raises(asyncpg.PostgresError) as caught:
        await db.execute(query("complete"), run.id, run.lease, run.node, None, None, None)
    assert caught.value.sqlstate == "HW001"
    await db.execute("drop table effect")


async def test_the_writer_hears_that_somebody_waits_and_settle_tells_them_once(db: Session, connect: Connect) -> None:
    awaited, alone = await world.running(db, 2)
    assert await world.watch(db, awaited.id) == {}
    told: list[str] = []
    listener = await connect()
    await listener.add_listener("howdah_done", lambda *said: told.append(str(said[3])))
    assert await world.send(db, world.outcome(alone)) == world.Heard()
    assert await world.send(db, world.outcome(awaited)) == world.Heard(unsettled=True)
    assert [row[0] for row in await db.fetch("select run from howdah.inbox")] == [awaited.id]
    assert await db.fetchval(query("settle")) == 1
    assert await db.fetchval(query("settle")) == 0
    await listener.execute("select 1")  # Notifications come before the answer.
    assert told == [str(awaited.id)]


async def test_settle_tells_all_of_many_runs(db: Session, connect: Connect) -> None:
    runs = await world.running(db, 1500)
    await world.watch(db, *(run.id for run in runs))
    told: list[int] = []
    listener = await connect()
    await listener.add_listener("howdah_done", lambda *said: told.extend(map(int, str(said[3]).split())))
    assert (await world.send(db, *map(world.outcome, runs))).unsettled
    assert await db.fetchval(query("settle")) == 1500
    await listener.execute("select 1")
    assert sorted(told) == sorted(run.id for run in runs)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind < 16])
async def test_somebody_is_told_only_when_the_run_has_ended(db: Session, kind: Kind) -> None:
    (run,) = await world.running(db)
    await world.watch(db, run.id)
    heard = await world.send(db, world.outcome(run, kind, 60))
    assert heard.unsettled == (kind in (Kind.SUCCEEDED, Kind.FAILED, Kind.STOPPED))
    if not heard.unsettled:
        await world.cancel(db, run.id)  # The flag lives on in the queue, among the timers and the misfits.
    assert await db.fetchval("select count(*) from howdah.inbox where what = 'ended'") == 1


async def test_the_heart_hears_of_effects_that_a_crash_left_unsettled(db: Session) -> None:
    (run,) = await world.running(db)
    await world.watch(db, run.id)
    await world.send(db, world.outcome(run))
    assert not (await db.fetchrow(query("renew"), run.node, 60.0))["unsettled"]
    await world.shift(db, "2 seconds")
    assert (await db.fetchrow(query("renew"), run.node, 60.0))["unsettled"]
