"""What the gate asks and writes of breakers: how attempts ended, what it knows, and that only the gate says so."""

from typing import Any

import asyncpg
import pytest
from howdah.core.states import Kind
from howdah.db.files import query
from howdah.messages import Claimed

from . import world
from .test_gate import admit, ask, define, enter
from .world import Session

pytestmark = pytest.mark.anyio

STRIPE: dict[str, Any] = {
    "limit": "stripe",
    "kind": "breaker",
    "terms": {"failures": 0.5, "of": 20, "open_s": 60},
    "path": ["user_id"],
}


@pytest.fixture(autouse=True)
async def alone(db: Session) -> None:
    await world.tidy(db)
    await db.execute("truncate howdah.breaker")
    await define(db, STRIPE, task="charge")


async def running(db: Session, count: int) -> list[Claimed]:
    runs = await ask(db, *({"user_id": 1} for _ in range(count)), task="charge")
    node = await world.join(db)
    return await admit(db, await enter(db, node), node, *runs)


async def verdicts(db: Session, *runs: Claimed) -> dict[int, bool]:
    rows = await db.fetch(query("gate_verdicts"), [run.id for run in runs], [run.lease for run in runs], [run.task for run in runs])
    return {row["run"]: row["failed"] for row in rows}


async def test_attempts_that_raised_failed_and_those_that_say_nothing_are_left_out(db: Session) -> None:
    kinds = [Kind.SUCCEEDED, Kind.FAILED, Kind.RETRIED, Kind.STOPPED, Kind.SNOOZED, Kind.RELEASED]
    runs = await running(db, 7)
    delays = {Kind.RETRIED: 5.0, Kind.SNOOZED: 5.0}
    await world.send(db, *(world.outcome(run, kind, delays.get(kind)) for run, kind in zip(runs, kinds, strict=False)))
    assert await verdicts(db, *runs) == {runs[0].id: False, runs[1].id: True, runs[2].id: True}


async def test_a_verdict_is_about_one_attempt(db: Session) -> None:
    (run,) = await running(db, 1)
    await world.send(db, world.outcome(run, Kind.RETRIED, 0.0))
    other = await db.fetch(query("gate_verdicts"), [run.id], [run.lease + 1], [run.task])
    assert (other, await verdicts(db, run)) == ([], {run.id: True})


async def test_what_a_run_of_the_users_own_transaction_ends_with_counts(db: Session) -> None:
    (run,) = await running(db, 1)
    await db.execute(query("complete"), run.id, run.lease, run.node, None, None, None)
    assert await verdicts(db, run) == {run.id: False}


async def known(db: Session) -> dict[str, tuple[Any, ...]]:
    return {row["key"]: tuple(row)[2:] for row in await db.fetch(query("gate_breakers"))}


async def test_what_the_gate_knows_is_written_and_read_as_it_is(db: Session) -> None:
    epoch = await enter(db, await world.join(db))
    names = ["stripe"] * 3
    await db.execute(query("gate_note_breakers"), epoch, names, ["a", "b", "c"], ["sf", "", "s"], [None, 1e9, None], [None, 1e9 + 60, None])
    assert await known(db) == {"a": ("sf", None, None), "b": ("", 1e9, 1e9 + 60)}, "what has no failure is forgotten"
    await db.execute(query("gate_note_breakers"), epoch, names[:2], ["a", "b"], ["", ""], [5.0, None], [65.0, None])
    assert await known(db) == {"a": ("", 5.0, 65.0)}


async def test_nobody_but_the_gate_writes_it(db: Session) -> None:
    node = await world.join(db)
    epoch = await enter(db, node)
    await enter(db, node)
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await db.execute(query("gate_note_breakers"), epoch, ["stripe"], ["a"], ["f"], [None], [None])
    assert refusal.value.sqlstate == "HW004"
    assert await known(db) == {}


async def test_its_terms_are_said_in_the_code_alone_and_a_reset_closes_it(db: Session) -> None:
    epoch = await enter(db, await world.join(db))
    await db.execute(query("gate_note_breakers"), epoch, ["stripe"] * 2, ["a", "b"], ["", ""], [1.0, 1.0], [9.0, 9.0])
    with pytest.raises(asyncpg.InvalidParameterValueError, match="stripe is a breaker: when it opens is said in the code alone"):
        await db.execute("""select howdah.set_limit('stripe', '{"number": 5}')""")
    assert set(await known(db)) == {"a", "b"}
    await db.execute("select howdah.set_limit('stripe', null, 'a')")
    assert set(await known(db)) == {"b"}
    await db.execute("select howdah.set_limit('stripe', null)")
    assert await known(db) == {}
