"""The walk of CONTRACT 1.7: every event in every state, sent the way it is really sent, beside the table in the core."""

from typing import Any

import pytest
from howdah.core.states import ENDS, TRANSITIONS, Kind, State
from howdah.db.files import query

from . import world
from .world import Session

pytestmark = pytest.mark.anyio

LATER = (State.WAITING,)
"""What durable runs will bring."""

REACHABLE = [state for state in State if state not in LATER]
FENCED = [kind for kind in Kind if kind < 16]
LATE = "1 day"
LIMITED = '[{"limit": "one", "kind": "limit", "terms": {"number": 1}}]'


async def put(db: Session, state: State) -> world.Claimed:
    """A run in this state, with the pair (lease, node) that an attempt of it has or would have had."""
    if state in (State.SCHEDULED, State.QUEUED):
        delay: dict[str, Any] = {"delay": 3600} if state is State.SCHEDULED else {}
        (run,) = await world.enqueue(db, expires=60, **delay)
        node = await world.join(db)
        lease = await db.fetchval("select nextval('howdah.lease_number')")
        return world.Claimed(node, run, 0, 0, 0, 1, lease, "{}", None, None, None)
    if state in (State.GATED, State.REJECTED, State.SKIPPED):
        await db.fetchval(query("register"), "limited", "default", 0, "{}", None, None, "h", LIMITED)
        (run,) = await world.enqueue(db, expires=60, task="limited")
        node = await world.join(db)
        claimed = world.Claimed(
            node, run, 0, await db.fetchval("select id from howdah.task where name = 'limited'"), 0, 1, 10**9, "{}", None, None, None
        )
        if state is not State.GATED:
            await give(db, Kind.REJECTED if state is State.REJECTED else Kind.SKIPPED, claimed)
        return claimed
    if state in (State.LOST, State.QUARANTINED):
        (run,) = await world.running(db)
        await db.execute("update howdah.job set flags = $2, crashes = $3 where id = $1", run.id, 4 * (state is State.LOST), 4)
        await reap(db)
        return run
    if state is State.EXPIRED:
        queued = await put(db, State.QUEUED)
        await expire(db)
        return queued
    (claimed,) = await world.running(db, expires=60)
    way = {State.SUCCEEDED: Kind.SUCCEEDED, State.FAILED: Kind.FAILED, State.CANCELLED: Kind.STOPPED, State.RETRYING: Kind.RETRIED}
    if state in way:
        assert not (await world.send(db, world.outcome(claimed, way[state], 3600 if state is State.RETRYING else None))).rejected
    return claimed


async def expire(db: Session) -> None:
    await world.shift(db, LATE)
    await db.fetchval("select howdah.expire(1000)")
    await world.shift(db, "")


async def reap(db: Session) -> None:
    await world.shift(db, LATE)
    await db.fetchval("select howdah.reap(3)")
    await world.shift(db, "")


async def give(db: Session, kind: Kind, run: world.Claimed) -> world.Heard:
    """Sends the event in the only way in which it is ever sent."""
    match kind:
        case Kind.CANCEL_REQUESTED | Kind.CANCELLED:
            await world.cancel(db, run.id)
        case Kind.EXPIRED:
            await expire(db)
        case Kind.REAPED:
            await reap(db)
        case Kind.RETURNED:
            await db.fetchval("select howdah.return_unknown($1, '{}')", run.node)
        case Kind.LOST | Kind.QUARANTINED:
            await db.execute("update howdah.job set flags = $2, crashes = $3 where id = $1", run.id, 4 * (kind is Kind.LOST), 4)
            await reap(db)
        case Kind.REJECTED | Kind.SKIPPED:
            await db.fetch(query("refuse"), [run.id], [int(kind)], ["full"])
        case Kind.REOPENED:
            await db.fetch(query("retry"), [run.id])
        case _:
            return await world.send(db, world.outcome(run, kind, 3600 if kind in (Kind.RETRIED, Kind.SNOOZED) else None))
    return world.Heard()


async def test_the_list_of_kinds_in_sql_is_the_list_in_python(db: Session) -> None:
    rows = {row["id"]: (row["name"], row["sender"], row["state"], row["final"]) for row in await db.fetch("select * from howdah.kind")}
    targets = {kind: {target for (one, _), target in TRANSITIONS.items() if one is kind} for kind in Kind}
    assert rows == {
        int(kind): (kind.name.lower(), "node" if kind < 16 else "control", *targets[kind], next(iter(targets[kind])) in ENDS)
        for kind in Kind
    }


@pytest.mark.parametrize("state", REACHABLE)
@pytest.mark.parametrize("kind", FENCED)
async def test_an_outcome_moves_its_run_as_the_table_says_or_is_refused(db: Session, kind: Kind, state: State) -> None:
    run = await put(db, state)
    assert await world.state(db, run.id) == state, "the run could not be put into the state that the cell begins with"
    before = await world.kinds(db, run.id)
    heard = await give(db, kind, run)
    target = TRANSITIONS.get((kind, state))
    late = await db.fetch("select run, lease, node, kind from howdah.stale_event")
    if target is not None:
        assert await world.state(db, run.id) == target
        assert await world.kinds(db, run.id) == [*before, kind]
        assert not heard.rejected
        assert not late
    else:
        assert await world.state(db, run.id) == state
        assert await world.kinds(db, run.id) == before
        assert [(one.run, one.lease) for one in heard.rejected] == [(run.id, run.lease)]
        assert [tuple(row) for row in late] == [(run.id, run.lease, run.node, kind)]


@pytest.mark.parametrize("state", REACHABLE)
async def test_a_control_event_is_written_exactly_where_the_table_has_its_cell(db: Session, state: State) -> None:
    for kind in [kind for kind in Kind if kind >= 16]:
        run = await put(db, state)
        before = await world.kinds(db, run.id)
        await give(db, kind, run)
        after = await world.kinds(db, run.id)
        assert after[: len(before)] == before
        written = [Kind(one) for one in after[len(before) :]]
        # cancel() says one of two kinds. That it may say cancelled of a running run is a case of its own, below.
        said = [one for one in (Kind.CANCEL_REQUESTED, Kind.CANCELLED) if (one, state) in TRANSITIONS][:1]
        allowed = said if kind in (Kind.CANCEL_REQUESTED, Kind.CANCELLED) else [kind] if (kind, state) in TRANSITIONS else []
        assert written == allowed, f"{kind.name} in {state}"
        target = TRANSITIONS[written[0], state] if written else state
        if target is State.QUEUED and state in (State.REJECTED, State.SKIPPED):
            target = State.GATED  # It has limits still.
        assert await world.state(db, run.id) == target, f"{kind.name} in {state}"
        await world.tidy(db)


@pytest.mark.parametrize("kind", [Kind.RETRIED, Kind.SNOOZED, Kind.RELEASED, Kind.MISFIT, Kind.REAPED])
async def test_a_run_whose_cancel_was_asked_for_ends_as_cancelled_where_it_would_have_gone_on(db: Session, kind: Kind) -> None:
    run = await put(db, State.RUNNING)
    assert await world.cancel(db, run.id, reason="enough") == {run.id: "requested"}
    await world.watch(db, run.id)
    heard = await give(db, kind, run)
    assert await world.state(db, run.id) == TRANSITIONS[Kind.CANCELLED, State.RUNNING] == State.CANCELLED
    assert not heard.rejected
    assert Kind.CANCELLED in await world.kinds(db, run.id)
    assert await db.fetchval("select count(*) from howdah.timer") == 0
    assert await db.fetchval("select run from howdah.inbox where what = 'ended'") == run.id


@pytest.mark.parametrize("kind", [Kind.SUCCEEDED, Kind.FAILED, Kind.STOPPED])
async def test_an_attempt_that_ends_by_itself_before_its_cancel_is_heard_keeps_its_own_end(db: Session, kind: Kind) -> None:
    run = await put(db, State.RUNNING)
    await world.cancel(db, run.id)
    await give(db, kind, run)
    assert await world.state(db, run.id) == TRANSITIONS[kind, State.RUNNING]


@pytest.mark.parametrize("state", LATER)
async def test_no_event_leads_into_or_out_of_a_state_of_later_capabilities(db: Session, state: State) -> None:
    assert not [cell for cell, target in TRANSITIONS.items() if state in (cell[1], target)]
    assert not await db.fetchval("select exists (select from howdah.kind where state = $1)", state)


@pytest.mark.parametrize("kind", [-1, 0, *range(8, 16), 26, 100])
async def test_a_kind_that_nobody_has_defined_is_refused_and_changes_nothing(db: Session, kind: int) -> None:
    (run,) = await world.running(db)
    with pytest.raises(world.asyncpg.CheckViolationError):
        await db.execute(
            "insert into howdah.event (run, lease, node, task, kind) values ($1, $2, $3, $4, $5)",
            run.id,
            run.lease,
            run.node,
            run.task,
            kind,
        )
    assert await world.state(db, run.id) == State.RUNNING


async def test_a_timer_that_fires_makes_its_run_queued(db: Session) -> None:
    for state in (State.SCHEDULED, State.RETRYING):
        run = await put(db, state)
        await world.shift(db, LATE)
        assert await db.fetchval("select howdah.fire(10)") == 1
        await world.shift(db, "")
        assert await world.state(db, run.id) == State.QUEUED
        await world.tidy(db)
