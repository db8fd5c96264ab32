"""Sessions stepped through one another: what two nodes, a client and a user's transaction do at the same moment."""

import asyncio

import asyncpg
import msgspec
import pytest
from howdah.core.states import Kind, State
from howdah.db.files import query

from . import world
from .world import Connect, Session

pytestmark = pytest.mark.anyio


async def test_two_claims_at_once_share_the_queue_and_never_a_run(db: Session, connect: Connect) -> None:
    ids = await world.enqueue(db, 10)
    other = await connect()
    one, two = await world.join(db), await world.join(db)
    await db.execute("begin")
    first = await world.claim(db, one, 6)
    second = await world.claim(other, two, 6)
    await db.execute("commit")
    assert [run.id for run in first] == ids[:6]
    assert [run.id for run in second] == ids[6:]
    assert {run.lease for run in first}.isdisjoint(run.lease for run in second)


async def test_a_claim_passes_over_a_run_that_somebody_begins_to_await_and_takes_it_the_next_time(db: Session, connect: Connect) -> None:
    first, second = await world.enqueue(db, 2)
    client = await connect()
    node = await world.join(db)
    await client.execute("begin")
    assert await world.watch(client, first) == {}
    assert [run.id for run in await world.claim(db, node)] == [second]
    await client.execute("commit")
    (run,) = await world.claim(db, node)
    assert run.id == first
    assert (await world.send(db, world.outcome(run))).unsettled, "the mark of the waiter was lost"


async def test_a_run_that_is_being_cancelled_is_not_claimed(db: Session, connect: Connect) -> None:
    (run,) = await world.enqueue(db)
    client = await connect()
    node = await world.join(db)
    await client.execute("begin")
    assert await world.cancel(client, run) == {run: "cancelled"}
    assert await world.claim(db, node) == []
    await client.execute("commit")
    assert await world.claim(db, node) == []
    assert await world.state(db, run) == State.CANCELLED


async def test_a_cancel_that_waits_for_a_claim_asks_the_node(db: Session, connect: Connect) -> None:
    (run,) = await world.enqueue(db)
    client, watcher, listener = await connect(), await connect(), await connect()
    told: list[str] = []
    await listener.add_listener("howdah_cancel", lambda *said: told.append(str(said[3])))
    node = await world.join(db)
    await db.execute("begin")
    (claimed,) = await world.claim(db, node)
    answer = await world.while_held(client, world.cancel(client, run), watcher)
    await db.execute("commit")
    assert await answer == {run: "requested"}
    await listener.execute("select 1")
    assert told == [f"{run} {claimed.lease}"]
    assert [tuple(row) for row in await db.fetch(query("asked"), [run], [claimed.lease])] == [(run, claimed.lease)]
    assert await db.fetch(query("asked"), [run], [claimed.lease + 1]) == []


async def test_a_watch_that_waits_for_a_claim_marks_the_running_run(db: Session, connect: Connect) -> None:
    (run,) = await world.enqueue(db)
    client, watcher = await connect(), await connect()
    await db.execute("begin")
    (claimed,) = await world.claim(db, await world.join(db))
    answer = await world.while_held(client, world.watch(client, run), watcher)
    await db.execute("commit")
    assert await answer == {}
    assert (await world.send(db, world.outcome(claimed))).unsettled


async def test_the_reaper_never_misses_a_claim_in_flight(db: Session, connect: Connect) -> None:
    """The claim holds its node's row, so whoever takes the node down either waits for it or comes back."""
    ids = await world.enqueue(db, 3)
    keeper, watcher = await connect(), await connect()
    node = await world.join(db)
    await db.execute("begin")
    assert len(await world.claim(db, node)) == 3
    await world.shift(keeper, "1 hour")
    assert await keeper.fetchval("select howdah.reap(3)") is None
    leaving = await world.while_held(watcher, watcher.fetchval(query("leave_node"), node), keeper)
    await db.execute("commit")
    await leaving
    assert [await world.state(db, run) for run in ids] == [State.QUEUED] * 3


async def test_a_node_that_was_reaped_during_its_claim_gets_nothing(db: Session, connect: Connect) -> None:
    await world.enqueue(db)
    keeper, watcher = await connect(), await connect()
    node = await world.join(db)
    await world.shift(keeper, "1 hour")
    await keeper.execute("begin")
    await keeper.fetchval("select howdah.reap(3)")
    claim = await world.while_held(db, world.claim(db, node), watcher)
    await keeper.execute("commit")
    with pytest.raises(asyncpg.PostgresError) as caught:
        await claim
    assert caught.value.sqlstate == "HW002"
    assert await db.fetchval("select count(*) from howdah.job where lease is not null") == 0


async def test_batches_in_opposite_orders_do_not_deadlock(db: Session, connect: Connect) -> None:
    """Zombies and their successors write about the same runs: rows are driven in id order, whatever the batch says."""
    other = await connect()
    for _ in range(15):
        runs = await world.running(db, 300)
        forth = [world.outcome(run) for run in runs]
        back = [world.outcome(run, Kind.RETRIED, 60) for run in reversed(runs)]
        one, two = await asyncio.gather(world.send(db, *forth), world.send(other, *back))
        assert len(one.rejected) + len(two.rejected) == 300
        assert await db.fetchval("select count(*) from howdah.job") == 0
        await world.tidy(db)


async def test_batches_of_moves_in_opposite_orders_do_not_deadlock(db: Session, connect: Connect) -> None:
    other = await connect()
    for _ in range(15):
        runs = await world.running(db, 300)
        forth = [world.outcome(run, Kind.RELEASED) for run in runs]
        back = [world.outcome(run, Kind.SNOOZED, 60) for run in reversed(runs)]
        one, two = await asyncio.gather(world.send(db, *forth), world.send(other, *back))
        assert len(one.rejected) + len(two.rejected) == 300
        await world.tidy(db)


async def test_cancels_and_outcomes_in_opposite_orders_do_not_deadlock(db: Session, connect: Connect) -> None:
    other = await connect()
    for _ in range(15):
        runs = await world.running(db, 300)
        batch = [world.outcome(run, Kind.RETRIED, 60) for run in reversed(runs)]
        _, answers = await asyncio.gather(world.send(db, *batch), world.cancel(other, *(run.id for run in reversed(runs))))
        states = await db.fetch("select id, howdah.state(id) as state from unnest($1::bigint[]) id", [run.id for run in runs])
        assert {row["state"] for row in states} == {"cancelled"}
        assert set(answers.values()) <= {"requested", "cancelled"}
        await world.tidy(db)


async def test_an_outcome_that_waits_for_a_cancel_ends_its_run_and_the_cancel_finds_nothing_to_do(db: Session, connect: Connect) -> None:
    (run,) = await world.running(db)
    client, watcher = await connect(), await connect()
    await client.execute("begin")
    assert await world.cancel(client, run.id) == {run.id: "requested"}
    sending = await world.while_held(db, world.send(db, world.outcome(run)), watcher)
    await client.execute("commit")
    assert await sending == world.Heard()
    assert await world.state(db, run.id) == State.SUCCEEDED
    assert await world.cancel(client, run.id) == {run.id: "ended"}


async def test_a_retry_that_waits_for_a_cancel_ends_as_cancelled(db: Session, connect: Connect) -> None:
    (run,) = await world.running(db)
    client, watcher = await connect(), await connect()
    await client.execute("begin")
    await world.cancel(client, run.id)
    sending = await world.while_held(db, world.send(db, world.outcome(run, Kind.RETRIED, 60)), watcher)
    await client.execute("commit")
    await sending
    assert await db.fetchval("select count(*) from howdah.stale_event") == 0
    assert await world.state(db, run.id) == State.CANCELLED


@pytest.mark.parametrize("kind", [Kind.RETRIED, Kind.SNOOZED])
async def test_a_cancel_that_waits_for_a_run_on_its_way_to_the_timers_follows_it(db: Session, connect: Connect, kind: Kind) -> None:
    (run,) = await world.running(db)
    client, watcher = await connect(), await connect()
    await db.execute("begin")
    await world.send(db, world.outcome(run, kind, 60))
    answer = await world.while_held(client, world.cancel(client, run.id), watcher)
    await db.execute("commit")
    assert await answer == {run.id: "cancelled"}
    assert await world.state(db, run.id) == State.CANCELLED


async def test_a_cancel_that_waits_for_a_timer_on_its_way_to_the_queue_follows_it(db: Session, connect: Connect) -> None:
    (run,) = await world.enqueue(db, delay=60)
    client, watcher = await connect(), await connect()
    await world.shift(db, "1 hour")
    await db.execute("begin")
    assert await db.fetchval("select howdah.fire(10)") == 1
    answer = await world.while_held(client, world.cancel(client, run), watcher)
    await db.execute("commit")
    assert await answer == {run: "cancelled"}
    assert await db.fetchval("select count(*) from howdah.job") == 0


async def test_a_timer_that_is_being_cancelled_does_not_fire(db: Session, connect: Connect) -> None:
    (run,) = await world.enqueue(db, delay=60)
    client = await connect()
    await client.execute("begin")
    assert await world.cancel(client, run) == {run: "cancelled"}
    await world.shift(db, "1 hour")
    assert await db.fetchval("select howdah.fire(10)") == 0
    await client.execute("commit")
    assert await db.fetchval("select howdah.fire(10)") == 0
    assert await world.state(db, run) == State.CANCELLED


async def test_a_run_that_is_being_claimed_does_not_expire(db: Session, connect: Connect) -> None:
    await world.enqueue(db, expires=60)
    keeper = await connect()
    await db.execute("begin")
    (run,) = await world.claim(db, await world.join(db))
    await world.shift(keeper, "1 hour")
    assert await keeper.fetchval("select howdah.expire(10)") == 0
    await db.execute("commit")
    assert await keeper.fetchval("select howdah.expire(10)") == 0
    assert await world.state(db, run.id) == State.RUNNING


async def test_two_keepers_at_once_fire_each_timer_once(db: Session, connect: Connect) -> None:
    await world.enqueue(db, 10, delay=60)
    other = await connect()
    await world.shift(db, "1 hour")
    await world.shift(other, "1 hour")
    await db.execute("begin")
    assert await db.fetchval("select howdah.fire(6)") == 6
    assert await other.fetchval("select howdah.fire(6)") == 4
    await db.execute("commit")
    assert await other.fetchval("select howdah.fire(6)") == 0
    assert await db.fetchval("select count(*) from howdah.job") == 10


async def test_two_settles_at_once_tell_each_waiter_exactly_once(db: Session, connect: Connect) -> None:
    runs = await world.running(db, 200)
    await world.watch(db, *(run.id for run in runs))
    listener = await connect()
    told: list[int] = []
    await listener.add_listener("howdah_done", lambda *said: told.extend(map(int, str(said[3]).split())))
    await world.send(db, *map(world.outcome, runs[:100]))
    one, two = await connect(), await connect()
    await one.execute("begin")
    assert await one.fetchval(query("settle")) == 100
    await world.send(db, *map(world.outcome, runs[100:]))
    assert await two.fetchval(query("settle")) == 100
    await one.execute("commit")
    assert await two.fetchval(query("settle")) == 0
    await listener.execute("select 1")
    assert sorted(told) == [run.id for run in runs]


async def test_effects_that_a_crashed_settle_took_are_settled_by_the_next(db: Session, connect: Connect) -> None:
    (run,) = await world.running(db)
    await world.watch(db, run.id)
    await world.send(db, world.outcome(run))
    crashing = await connect()
    await crashing.execute("begin")
    assert await crashing.fetchval(query("settle")) == 1
    assert await db.fetchval(query("settle")) == 0
    crashing.terminate()
    while not await db.fetchval(query("settle")):  # The server rolls back when it notices.
        pass


async def test_a_watch_beside_an_open_completion_waits_and_sees_the_end(db: Session, connect: Connect) -> None:
    (run,) = await world.running(db)
    user, client = await connect(), await connect()
    await user.execute("begin")
    await user.execute(query("complete"), run.id, run.lease, run.node, None, '"done"', None)
    answer = await world.while_held(client, world.watch(client, run.id), db)
    await user.execute("commit")
    assert await answer == {run.id: Kind.SUCCEEDED}


async def test_a_watch_beside_a_completion_that_rolls_back_marks_the_run(db: Session, connect: Connect) -> None:
    (run,) = await world.running(db)
    user, client = await connect(), await connect()
    await user.execute("begin")
    await user.execute(query("complete"), run.id, run.lease, run.node, None, None, None)
    answer = await world.while_held(client, world.watch(client, run.id), db)
    await user.execute("rollback")
    assert await answer == {}
    assert (await world.send(db, world.outcome(run))).unsettled


@pytest.mark.parametrize("kind", [Kind.RETRIED, Kind.SNOOZED])
async def test_a_watch_that_waits_for_a_run_on_its_way_to_the_timers_marks_it_there(db: Session, connect: Connect, kind: Kind) -> None:
    (run,) = await world.running(db)
    client, watcher = await connect(), await connect()
    await db.execute("begin")
    await world.send(db, world.outcome(run, kind, 60))
    answer = await world.while_held(client, world.watch(client, run.id), watcher)
    await db.execute("commit")
    assert await answer == {}
    await world.cancel(db, run.id)
    assert await db.fetchval("select run from howdah.inbox") == run.id, "the waiter would never have been told"


async def test_outcomes_and_watches_in_any_order_leave_no_waiter_untold(db: Session, connect: Connect) -> None:
    """Write, commit, then look: whichever comes first, the waiter sees the end or settle() tells it."""
    client = await connect()
    for _ in range(20):
        runs = await world.running(db, 20)
        ids = [run.id for run in runs]
        (seen, *_) = await asyncio.gather(world.watch(client, *reversed(ids)), *[_send_in_halves(db, runs)])
        told = {row[0] for row in await db.fetch("select run from howdah.inbox")}
        assert seen is not None
        assert set(seen) | told == set(ids)
        await world.tidy(db)


async def _send_in_halves(db: Session, runs: list[world.Claimed]) -> None:
    for run in runs:
        await world.send(db, world.outcome(run))


async def test_two_that_use_a_new_name_at_once_share_one_row(db: Session, connect: Connect) -> None:
    user, other = await connect(), await connect()
    await user.execute("begin")
    one = await user.fetchval("select howdah.enqueue('brand new', '{}', queue => 'also new')")
    second = await world.while_held(other, other.fetchval("select howdah.enqueue('brand new', '{}', queue => 'also new')"), db)
    await user.execute("commit")
    rows = await db.fetch("select distinct task, queue from howdah.job where id = any($1)", [one, await second])
    assert len(rows) == 1


async def test_a_completion_that_waits_for_a_cancel_still_wins(db: Session, connect: Connect) -> None:
    (run,) = await world.running(db)
    client, user = await connect(), await connect()
    await client.execute("begin")
    await world.cancel(client, run.id)
    completing = await world.while_held(user, user.execute(query("complete"), run.id, run.lease, run.node, None, None, None), db)
    await client.execute("commit")
    await completing
    assert await world.state(db, run.id) == State.SUCCEEDED


async def test_a_zombie_and_its_successor_at_once_have_one_winner(db: Session, connect: Connect) -> None:
    (old,) = await world.running(db)
    await world.shift(db, "1 hour")
    await db.fetchval("select howdah.reap(3)")
    await world.shift(db, "")
    (new,) = await world.claim(db, await world.join(db))
    other = await connect()
    zombie, winner = await asyncio.gather(world.send(other, world.outcome(old)), world.send(db, world.outcome(new, Kind.FAILED)))
    assert [late.verdict for late in zombie.rejected] == ["stale"]
    assert winner == world.Heard()
    assert sorted(await world.kinds(db, old.id)) == [Kind.FAILED, Kind.REAPED]
    assert msgspec.structs.replace(new, node=old.node, lease=old.lease) == old


async def test_a_watch_that_waits_for_a_timer_on_its_way_to_the_queue_marks_it_there(db: Session, connect: Connect) -> None:
    (run,) = await world.enqueue(db, delay=60)
    client, watcher = await connect(), await connect()
    await world.shift(db, "1 hour")
    await db.execute("begin")
    assert await db.fetchval("select howdah.fire(10)") == 1
    answer = await world.while_held(client, world.watch(client, run), watcher)
    await db.execute("commit")
    assert await answer == {}
    await world.cancel(db, run)
    assert await db.fetchval("select run from howdah.inbox") == run


async def test_a_waiter_is_still_known_after_its_timer_has_fired(db: Session) -> None:
    (run,) = await world.enqueue(db, delay=60)
    assert await world.watch(db, run) == {}
    await world.shift(db, "1 hour")
    await db.fetchval("select howdah.fire(10)")
    (claimed,) = await world.claim(db, await world.join(db))
    assert (await world.send(db, world.outcome(claimed))).unsettled


async def test_a_cancel_that_waited_while_its_run_was_reopened_is_the_newest_word(db: Session, connect: Connect) -> None:
    """Its statement began before the reopening: written with that time, the end would count as undone, and the run as nowhere."""
    (held, failed) = await world.running(db, 2)
    await world.send(db, world.outcome(failed, Kind.FAILED))
    user, client, watcher = await connect(), await connect(), await connect()
    await user.execute("begin")
    await world.watch(user, held.id)
    answer = await world.while_held(client, world.cancel(client, held.id, failed.id), watcher)
    await db.fetch(query("retry"), [failed.id])
    await user.execute("commit")
    assert await answer == {held.id: "requested", failed.id: "cancelled"}
    assert await world.watch(db, failed.id) == {failed.id: Kind.CANCELLED}
