"""A node that was away for longer than its lease: refused, told, and without effect."""

import asyncio
import logging
import signal
from pathlib import Path
from typing import Any

import asyncpg
import howdah
import pytest
from howdah import App, LeaseLost
from howdah.context import CurrentRun

from .nodes import LONG, PATIENCE_S, SHORT, Fleet, Process, Session, drained, enqueue, happens, until

pytestmark = pytest.mark.anyio


OPEN = (
    "select exists (select from pg_stat_activity where datname = current_database() and state = 'idle in transaction'"
    " and query like 'insert into effect%')"
)


async def _freeze_beyond_the_lease(fleet: Fleet, effects: Session, task: str, at: str = "select true", **args: Any) -> tuple[Process, int]:
    """Freezes a node in an attempt, once a question has the answer true, until another has finished the run."""
    (zombie,) = await fleet.start(1, **SHORT)
    (run,) = await enqueue(effects, task, **args)
    await until(effects, "select true from effect where what = 'begin' and pid = $1", zombie.pid)
    await until(effects, at)
    zombie.send(signal.SIGSTOP)
    await fleet.start(1, **LONG)
    await until(effects, "select howdah.state($1) = 'succeeded'", run)
    return zombie, run


async def _said(effects: Session, pid: int) -> list[str]:
    return [row["what"] for row in await effects.fetch("select what from effect where pid = $1 order by at", pid)]


async def test_a_frozen_node_that_returns_is_cancelled_once_and_all_it_calls_is_refused(fleet: Fleet, effects: Session) -> None:
    zombie, run = await _freeze_beyond_the_lease(fleet, effects, "defy")
    zombie.send(signal.SIGCONT)
    await until(effects, "select true from effect where pid = $1 and what like 'enqueue%'", zombie.pid)
    refused = ["transaction refused", "cancelled refused", "set_result refused", "enqueue refused"]
    assert await _said(effects, zombie.pid) == ["begin", "cancelled", *refused]
    assert await effects.fetchval("select count(*) from howdah.run where id <> $1", run) == 0


async def test_a_frozen_node_cannot_commit_and_effects_in_transactions_happen_once(fleet: Fleet, effects: Session) -> None:
    zombie, run = await _freeze_beyond_the_lease(fleet, effects, "keep_open", at=OPEN)
    zombie.send(signal.SIGCONT)
    await until(effects, "select true from effect where pid = $1 and what = 'commit refused'", zombie.pid)
    assert await effects.fetchval("select count(*) from effect where run = $1 and what = 'stored'", run) == 1
    assert await _said(effects, zombie.pid) == ["begin", "cancelled", "commit refused"]
    await happens(lambda: f"WARNING howdah.node: run {run}: the transaction() of node" in zombie.log)


async def test_what_a_frozen_node_finished_too_late_is_kept_as_stale_and_it_is_warned(
    fleet: Fleet, effects: Session, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    zombie, run = await _freeze_beyond_the_lease(fleet, effects, "block_until", gate=str(gate))
    gate.touch()
    zombie.send(signal.SIGCONT)
    await until(effects, "select verdict = 'stale' from howdah.stale_event where run = $1", run)
    assert await effects.fetchval("select count(*) from howdah.event where run = $1 and kind = 1", run) == 1
    await happens(lambda: f"WARNING howdah.writer: run {run}: the outcome of node" in zombie.log)


async def test_a_node_that_lost_its_lease_takes_a_new_identity_and_works_on(fleet: Fleet, effects: Session) -> None:
    (zombie,) = await fleet.start(1, **SHORT)
    (run,) = await enqueue(effects, "hold", seconds=60)
    await until(effects, "select true from effect where what = 'begin'")
    before = await effects.fetchval("select id from howdah.node")
    zombie.send(signal.SIGSTOP)
    await until(effects, "select until < clock_timestamp() from howdah.node")
    zombie.send(signal.SIGCONT)
    await drained(effects)
    assert await effects.fetchval("select howdah.state($1)", run) == "succeeded"
    await until(effects, "select count(*) = 3 from effect")  # Nobody waits for the first attempt's last words.
    assert await effects.fetchval("select array_agg(what order by at) from effect") in (
        ["begin", "cancelled", "begin"],
        ["begin", "begin", "cancelled"],
    )
    await until(effects, "select count(*) = 1 and min(id) <> $1 from howdah.node", before)


async def _reap_everything(db: Session) -> None:
    """What another node does when a lease has run out, before this one can know."""
    await db.execute("select howdah.leave_node(id) from howdah.node")


async def test_an_attempt_that_does_not_know_yet_that_it_was_reaped_cannot_commit(dsn: str, effects: Session) -> None:
    jobs = App(dsn, heartbeat_s=5, grace_s=2)
    began, go = asyncio.Event(), asyncio.Event()
    seen: list[CurrentRun] = []
    raised: list[BaseException] = []

    @jobs.task
    async def late() -> None:
        run = howdah.current_run()
        try:
            async with howdah.transaction() as connection:
                await connection.execute("insert into effect (run, what) values ($1, 'stored')", run.id)
                seen.append(run)
                began.set()
                await go.wait()
        except LeaseLost as error:
            raised.append(error)
            raise

    async with jobs.work():
        run = await late.enqueue()
        await began.wait()
        await _reap_everything(effects)
        go.set()
        await happens(lambda: raised)
        assert str(seen[0].claimed.id) in str(raised[0])
        with pytest.raises(LeaseLost):
            howdah.CurrentRun.transaction(seen[0])
        assert await effects.fetchval("select count(*) from effect") == 0
        assert await effects.fetchval("select howdah.state($1)", run.id) == "queued"


async def test_an_outcome_of_an_attempt_that_was_reaped_meanwhile_is_stale_and_warned(
    dsn: str, effects: Session, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = App(dsn, heartbeat_s=5, grace_s=2)
    began, go = asyncio.Event(), asyncio.Event()

    @jobs.task
    async def late() -> int:
        began.set()
        await go.wait()
        return 1

    async with jobs.work():
        run = await late.enqueue()
        await began.wait()
        await _reap_everything(effects)
        with caplog.at_level(logging.WARNING):
            go.set()
            await until(effects, "select verdict = 'stale' and kind = 1 from howdah.stale_event where run = $1", run.id)
            await happens(lambda: any(f"run {run.id}: the outcome of node" in record.getMessage() for record in caplog.records))
        assert await effects.fetchval("select howdah.state($1)", run.id) == "queued"
        assert await effects.fetchval("select count(*) from howdah.event where run = $1 and kind = 1", run.id) == 0


async def test_a_node_that_was_frozen_in_a_transaction_does_not_keep_its_locks(fleet: Fleet, effects: Session, dsn: str) -> None:
    (zombie,) = await fleet.start(1, **SHORT)
    await enqueue(effects, "keep_open")
    await until(effects, OPEN)  # Between the two halves of a statement no session counts as idle.
    zombie.send(signal.SIGSTOP)
    other = await asyncpg.connect(dsn)
    try:
        async with other.transaction():
            await asyncio.wait_for(other.execute("lock table effect in access exclusive mode"), PATIENCE_S)
    finally:
        other.terminate()
