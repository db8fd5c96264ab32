"""CONTRACT 1.8: what result() raises, and what it tells of an error that stays where it was raised."""

import pickle

import asyncpg
import howdah
import pytest
from howdah import App, LeaseLost, RunCancelled, RunEnded, RunFailed

from ..db import world

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


class Declined(ValueError):
    """An error of the user's, whose copy nobody may make."""

    def __reduce__(self) -> str:
        raise pickle.PicklingError("an exception was pickled")


class Withdrawn(Declined):
    """One that derives from it."""


@pytest.mark.parametrize(("state", "flags", "crashes"), [("lost", 4, 0), ("quarantined", 0, 4)])
async def test_quarantined_and_lost_raise_run_failed_whose_state_tells(
    jobs: App, db: Session, state: str, flags: int, crashes: int
) -> None:
    @jobs.task
    async def work() -> None: ...

    (claimed,) = await world.running(db)
    await db.execute("update howdah.job set flags = flags | $2, crashes = $3 where id = $1", claimed.id, flags, crashes)
    await world.shift(db, "1 day")
    await db.fetchval("select howdah.reap(3)")
    await world.shift(db, "")

    async with jobs:
        with pytest.raises(RunFailed) as caught:
            await work.attach(claimed.id).result("10s")
    error = caught.value
    assert (error.state, error.run_id, error.task, error.attempt) == (state, claimed.id, "work", 0), "a crash burns no attempt"
    assert error.error_type == "howdah.errors.LeaseLost"
    assert str(claimed.lease) in error.message
    assert error.is_a(LeaseLost)


async def test_is_a_compares_the_class_and_its_bases_by_name_and_nothing_is_pickled(jobs: App) -> None:
    @jobs.task(retry=1)
    async def charge() -> None:
        raise Withdrawn("the card is gone")

    async with jobs.work():
        run = await charge.enqueue()
        with pytest.raises(RunFailed, match="the card is gone") as caught:
            await run.result("10s")
    error = caught.value
    assert (error.run_id, error.task, error.state, error.attempt) == (run.id, "charge", "failed", 1)
    assert error.error_type == f"{__name__}.Withdrawn"
    assert error.message == "the card is gone"
    assert 'raise Withdrawn("the card is gone")' in error.traceback
    assert [kind for kind in (Withdrawn, Declined, ValueError, Exception, KeyError) if not error.is_a(kind)] == [KeyError]
    assert error.is_a(type("Declined", (Exception,), {"__module__": __name__, "__qualname__": "Declined"})), "a class of the same name"
    assert error.__cause__ is None


async def test_a_cancelled_run_raises_a_sibling_and_a_callers_own_limit_a_timeout_error(jobs: App) -> None:
    @jobs.task
    async def work() -> None: ...

    async with jobs:
        run = await work.enqueue()
        with pytest.raises(TimeoutError):
            await run.result(0.01)
        await run.cancel(reason="typo")
        with pytest.raises(RunCancelled) as caught:
            await run.result("10s")
    assert caught.value.reason == "typo"
    for name in ("RunFailed", "RunCancelled", "RunExpired", "RunRejected", "RunSkipped"):
        assert issubclass(getattr(howdah, name), RunEnded)
