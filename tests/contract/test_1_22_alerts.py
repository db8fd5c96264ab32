"""CONTRACT 1.22: handlers of failures and facts are called once per database, however many nodes there are."""

from contextlib import AsyncExitStack

import anyio
import asyncpg
import pytest
from howdah import Alert, App, FailedRun, RunFailed, Task

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


class Told:
    """What the handlers of all apps were called with."""

    def __init__(self) -> None:
        self.failed: list[FailedRun] = []
        self.alerts: list[Alert] = []
        self.both = anyio.Event()

    def look(self) -> None:
        if self.failed and self.alerts:
            self.both.set()


def shop(jobs: App, told: Told) -> Task[[int], None]:
    """The same program in each app."""

    @jobs.task
    async def refund(failed: FailedRun) -> None:
        told.failed.append(failed)
        told.look()

    @jobs.on("run.failed")
    async def alarm(alert: Alert) -> None:
        told.alerts.append(alert)
        told.look()

    @jobs.task(retry=1, on_failure=refund)
    async def charge(order_id: int) -> None:
        raise ValueError(f"no funds for {order_id}")

    return charge


async def idle(db: Session) -> None:
    """Returns when nothing waits or runs, and nothing is to be settled. Asks again and again: Postgres has no event for it."""
    while await db.fetchval("select exists (select from howdah.job) or exists (select from howdah.inbox)"):
        pass


async def test_handlers_of_a_failure_are_called_once_per_database_though_two_nodes_have_them(jobs: App, dsn: str, db: Session) -> None:
    told = Told()
    other = App(dsn, grace_s=2, hard_grace_s=2)
    charge = shop(jobs, told)
    shop(other, told)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(jobs.work())
        await stack.enter_async_context(other.work())
        run = await charge.enqueue(7)
        with anyio.fail_after(20):
            with pytest.raises(RunFailed, match="no funds for 7"):
                await run.result("10s")
            await told.both.wait()
            await idle(db)

    (failed,), (alert,) = told.failed, told.alerts
    assert (failed.run_id, failed.task, failed.state, failed.attempt) == (run.id, "charge", "failed", 1)
    assert (failed.error_type, failed.message, failed.args) == ("ValueError", "no funds for 7", {"order_id": 7})
    assert (alert.fact, alert.run_id, alert.task, alert.state, alert.attempt) == ("run.failed", run.id, "charge", "failed", 1)
    assert (alert.error_type, alert.message) == ("ValueError", "no funds for 7")
    runs = await db.fetch("select t.name, count(*) from howdah.run r join howdah.task t on t.id = r.task group by t.name order by t.name")
    assert [tuple(row) for row in runs] == [("alarm", 1), ("charge", 1), ("refund", 1)]


async def test_a_run_that_is_older_than_its_handler_fails_to_that_handler(jobs: App, dsn: str, db: Session) -> None:
    told = Told()
    before = App(dsn)

    @before.task(name="charge")
    async def without_handler(order_id: int) -> None: ...

    async with before:
        run = await without_handler.enqueue(7)
    shop(jobs, told)
    async with jobs.work():
        with anyio.fail_after(20):
            await told.both.wait()
            await idle(db)
    assert [failed.run_id for failed in told.failed] == [run.id]
