"""chancy: one queue, declared as the row says."""

import asyncio
import logging
from typing import Any

import harness
from chancy import Chancy, Queue, Worker
from chancy_job import noop
from harness import DSN, SETTINGS


def app() -> Chancy:
    return Chancy(DSN, log=logging.getLogger("quiet")) if SETTINGS.get("quiet") else Chancy(DSN)


class OnChancy:
    async def install(self) -> None:
        async with app() as chancy:
            await chancy.migrate()
            await chancy.declare(Queue("default", **SETTINGS.get("queue", {})))

    async def produce(self) -> None:
        self.chancy = app()
        await self.chancy.__aenter__()

    async def one(self, given: dict[str, Any]) -> None:
        await self.chancy.push(noop.job.with_kwargs(**given))

    async def many(self, given: list[dict[str, Any]]) -> None:
        async for _ in self.chancy.push_many([noop.job.with_kwargs(**each) for each in given]):
            pass

    async def work(self) -> None:
        async with app() as chancy:
            await asyncio.to_thread(harness.await_go)
            async with Worker(chancy) as worker:
                await worker.wait_for_shutdown()


if __name__ == "__main__":
    harness.main(OnChancy())
