"""CONTRACT 1.15: a key for outside effects that is stable over all attempts."""

from uuid import UUID

import anyio
import asyncpg
import pytest
from howdah import App, Retry, Snooze, current_run

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


async def test_the_idempotency_key_is_stable_over_all_attempts_and_no_other_run_has_it(jobs: App) -> None:
    keys: dict[int, list[str]] = {}

    @jobs.task(retry=Retry(4, base="1ms"))
    async def pay() -> None:
        run = current_run()
        keys.setdefault(run.id, []).append(run.idempotency_key)
        if run.attempt == 1:
            raise ConnectionError("try again")

    @jobs.task
    def thread() -> str:
        return current_run().idempotency_key

    async with jobs.work():
        for run in [await pay.enqueue(), await pay.enqueue()]:
            await run.result("10s")
        other = await (await thread.enqueue()).result("10s")
    assert [len(said) for said in keys.values()] == [2, 2]
    assert [len(set(said)) for said in keys.values()] == [1, 1]
    assert len({*(said[0] for said in keys.values()), other}) == 3
    assert str(UUID(other)) == other


async def test_the_idempotency_key_is_the_same_on_another_node_and_another_one_in_another_installation(jobs: App, db: Session) -> None:
    keys: list[str] = []

    @jobs.task
    async def pay() -> None:
        keys.append(current_run().idempotency_key)
        raise Snooze("1h")

    async with jobs:
        run = await pay.enqueue()
    for attempt in (1, 2, 3):
        async with jobs.work():
            while len(keys) < attempt:
                await anyio.sleep(0.005)
        assert await db.fetchval("select howdah.state($1)", run.id) == "scheduled"
        await db.execute("update howdah.timer set due = howdah.clock()")
        if attempt == 2:
            await db.execute("update howdah.installation set id = gen_random_uuid()")
    assert keys[0] == keys[1] != keys[2]
