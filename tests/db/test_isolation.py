"""Users' sessions under stricter isolation: what they call is right, or raises 40001 and is repeated."""

import asyncpg
import pytest
from howdah.core.states import Kind, State
from howdah.db.files import query

from . import world
from .world import Connect, Session

pytestmark = pytest.mark.anyio

RIGHT_OR_40001 = ("repeatable read", "serializable")


@pytest.mark.parametrize("isolation", RIGHT_OR_40001)
async def test_a_completion_under_stricter_isolation_is_right_or_must_be_repeated(db: Session, connect: Connect, isolation: str) -> None:
    calm, raced = await world.running(db, 2)
    user = await connect()
    async with world.transaction(user, isolation):
        await user.execute("select count(*) from howdah.kind")  # The snapshot.
        await user.execute(query("complete"), calm.id, calm.lease, calm.node, None, None, None)
    assert await world.state(db, calm.id) == State.SUCCEEDED
    with pytest.raises(asyncpg.SerializationError):
        async with world.transaction(user, isolation):
            await user.execute("select count(*) from howdah.kind")
            await world.watch(db, raced.id)
            await user.execute(query("complete"), raced.id, raced.lease, raced.node, None, None, None)
    async with world.transaction(user, isolation):
        await user.execute(query("complete"), raced.id, raced.lease, raced.node, None, None, None)
    assert [row[0] for row in await db.fetch("select run from howdah.inbox")] == [raced.id]


@pytest.mark.parametrize("isolation", RIGHT_OR_40001)
async def test_a_zombie_under_stricter_isolation_never_completes(db: Session, connect: Connect, isolation: str) -> None:
    (run,) = await world.running(db)
    user = await connect()
    with pytest.raises(asyncpg.PostgresError) as caught:
        async with world.transaction(user, isolation):
            await user.execute("select count(*) from howdah.kind")  # The old snapshot still sees the lease.
            await world.shift(db, "1 hour")
            assert await db.fetchval("select howdah.reap(3)") is not None
            await user.execute(query("complete"), run.id, run.lease, run.node, None, None, None)
    assert caught.value.sqlstate == "40001"
    assert await world.kinds(db, run.id) == [Kind.REAPED]


@pytest.mark.parametrize("isolation", RIGHT_OR_40001)
async def test_an_enqueue_under_stricter_isolation_is_right(db: Session, connect: Connect, isolation: str) -> None:
    user = await connect()
    await world.enqueue(db, task="known")
    async with world.transaction(user, isolation):
        await user.execute("select count(*) from howdah.kind")
        await world.enqueue(db, task="known")
        run = await user.fetchval("select howdah.enqueue('known', '{}')")
        new = await user.fetchval("select howdah.enqueue($1, '{}', queue => $1)", f"new under {isolation}")
    assert await world.state(db, run) == await world.state(db, new) == State.QUEUED


@pytest.mark.parametrize("isolation", RIGHT_OR_40001)
@pytest.mark.parametrize("what", ["task", "queue"])
async def test_a_name_that_another_transaction_adds_meanwhile_is_right_or_must_be_repeated(
    db: Session, connect: Connect, isolation: str, what: str
) -> None:
    user = await connect()
    name = f"{what} raced under {isolation}"
    enqueue = "select howdah.enqueue($1, '{}')" if what == "task" else "select howdah.enqueue('known', '{}', queue => $1)"
    await db.fetchval("select howdah.enqueue('known', '{}')")
    with pytest.raises(asyncpg.SerializationError):
        async with world.transaction(user, isolation):
            await user.execute("select count(*) from howdah.kind")
            await db.fetchval(enqueue, name)
            await user.fetchval(enqueue, name)
    async with world.transaction(user, isolation):
        run = await user.fetchval(enqueue, name)
    assert await world.state(db, run) == State.QUEUED


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
async def test_a_retry_under_stricter_isolation_is_refused_since_it_could_not_see_what_happened(db: Session, isolation: str) -> None:
    (run,) = await world.running(db)
    await world.send(db, world.outcome(run, Kind.FAILED))
    with pytest.raises(asyncpg.PostgresError, match="needs read committed"):
        async with world.transaction(db, isolation):
            await db.fetch(query("retry"), [run.id])
