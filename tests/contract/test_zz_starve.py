import anyio, pytest
from typing import Any
from howdah import App, Limit
import howdah
pytestmark = pytest.mark.anyio

@pytest.mark.parametrize("ms", [1000])
async def test_starve(dsn: str, db: Any, ms: int) -> None:
    jobs = App(dsn, labels={"gpu": True}, concurrency=8, grace_s=1, hard_grace_s=1)
    @jobs.task
    async def plain() -> None:
        if ms: await anyio.sleep(ms / 1000)
    @jobs.task(requires={"gpu": True})
    async def placed() -> None: ...
    @jobs.task(requires={"gpu": True}, slots=4)
    async def wide() -> None: ...
    async with jobs.work():
        await plain.enqueue_many(plain.call() for _ in range(60000 if not ms else 400))
        await anyio.sleep(0.3)
        for task in (placed, wide):
            t = anyio.current_time()
            run = await task.options(priority=0).enqueue()
            try:
                await run.result(timeout=20)
                how = "ok"
            except TimeoutError:
                how = "timeout"
            left = await db.fetchval("select count(*) from howdah.job where lease is null")
            print("RESULT", ms, task.name, how, round(anyio.current_time() - t, 2), "left", left)
