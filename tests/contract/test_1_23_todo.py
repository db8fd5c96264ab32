"""CONTRACT 1.23: `howdah todo` is the manifesto's list. How it is printed: tests/cli/test_runs.py."""

from collections.abc import Awaitable, Callable

import anyio
import asyncpg
import pytest
from howdah import App, State
from howdah.management import catalogue

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


class Shop:
    def __init__(self, jobs: App) -> None:
        self.jobs = jobs

        @jobs.task(retry=1)
        async def charge(customer: int) -> None:
            if customer < 10:
                raise ValueError(f"no such customer: {customer}")
            if customer < 20:
                raise KeyError(customer)

        @jobs.task(retry=1)
        async def ship(order: int) -> None:
            raise TimeoutError("the carrier does not answer")

        self.charge, self.ship = charge, ship

    async def run(self, *enqueues: Awaitable[object]) -> None:
        async with self.jobs.work():
            for enqueue in enqueues:
                await enqueue
            while await self.jobs.runs.count(state=["queued", "running"]):
                await anyio.sleep(0.005)


@pytest.fixture
def shop(jobs: App) -> Shop:
    return Shop(jobs)


async def test_failed_runs_are_grouped_by_task_and_error_newest_first(shop: Shop) -> None:
    async with shop.jobs:
        await shop.run(shop.charge.enqueue(1), shop.charge.enqueue(12), shop.charge.enqueue(2), shop.ship.enqueue(1))
        groups = (await shop.jobs.tasks.todo()).trouble
        assert {(group.task, group.error_type, group.runs) for group in groups} == {
            ("ship", "TimeoutError", 1), ("charge", "ValueError", 2), ("charge", "KeyError", 1),
        }  # fmt: skip
        assert [group.newest_at for group in groups] == sorted((group.newest_at for group in groups), reverse=True)
        assert {group.state for group in groups} == {State.FAILED}


async def test_the_command_of_a_group_retries_exactly_this_group(shop: Shop) -> None:
    async with shop.jobs:
        await shop.run(shop.charge.enqueue(1), shop.charge.enqueue(12), shop.charge.enqueue(2))
        groups = {group.error_type: group for group in (await shop.jobs.tasks.todo()).trouble}
        assert await shop.jobs.runs.retry(task="charge", error=groups["ValueError"].fingerprint) == {"reopened": 2}
        assert [group.error_type for group in (await shop.jobs.tasks.todo()).trouble] == ["KeyError"]


async def test_tasks_that_nobody_implements_are_listed(shop: Shop, db: Db) -> None:
    run = await db.fetchval("select howdah.enqueue('orphan')")
    async with shop.jobs.work():
        (one,) = (await shop.jobs.tasks.todo()).unimplemented
    assert (one.task, one.queue, one.first_run) == ("orphan", "default", run)


async def test_runs_that_fit_no_node_are_listed_with_the_mismatch(shop: Shop, db: Db) -> None:
    async with shop.jobs.work():
        run = await db.fetchval("select howdah.enqueue('charge', '{\"customer\": \"seven\"}')")
        while not (misfits := (await shop.jobs.tasks.todo()).misfits):
            await anyio.sleep(0.005)
    assert [(one.run, one.task) for one in misfits] == [(run, "charge")]
    assert "Expected `int`, got `str` - at `$.customer`" in (misfits[0].mismatch or "")


@pytest.mark.parametrize(("kind", "state"), [(21, State.LOST), (22, State.QUARANTINED), (18, State.EXPIRED)])
async def test_quarantined_lost_and_expired_runs_are_listed_and_cancelled_ones_are_not(jobs: App, db: Db, kind: int, state: State) -> None:
    run = await db.fetchval("select howdah.enqueue('charge')")
    other = await db.fetchval("select howdah.enqueue('charge')")
    await db.execute("insert into howdah.event (run, task, kind) select id, task, $2 from howdah.run where id = $1", run, kind)
    async with jobs:
        await jobs.runs.cancel(other)
        assert [(group.state, group.newest) for group in (await jobs.tasks.todo()).trouble] == [(state, run)]
        assert await jobs.runs.retry(task="charge", state=state) == {"reopened": 1}
        assert (await jobs.tasks.todo()).trouble == []


async def test_it_looks_at_a_bounded_number_and_says_so(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "TROUBLE_MAX", 20)
    retry: Callable[..., Awaitable[dict[str, int]]] = shop.jobs.runs.retry
    async with shop.jobs:
        await shop.run(*(shop.ship.enqueue(n) for n in range(25)))
        (group,) = (await shop.jobs.tasks.todo()).trouble
        assert (group.runs, group.truncated) == (20, True)
        assert await retry(task="ship", error=group.fingerprint) == {"reopened": 25}
