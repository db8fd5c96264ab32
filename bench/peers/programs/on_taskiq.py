"""taskiq on Postgres, by taskiq-postgres over asyncpg."""

import asyncio
from typing import Any

import harness
from harness import DSN, SETTINGS
from taskiq.api import run_receiver_task
from taskiq_pg.asyncpg import AsyncpgBroker

broker = AsyncpgBroker(DSN, **SETTINGS.get("broker", {}))


@broker.task(task_name="noop")
async def noop(user_id: int, email: str, note: str) -> None:
    harness.started(user_id)


class OnTaskiq:
    async def install(self) -> None:
        await broker.startup()
        await broker.shutdown()

    async def produce(self) -> None:
        await broker.startup()

    async def one(self, given: dict[str, Any]) -> None:
        await noop.kiq(**given)

    async def many(self, given: list[dict[str, Any]]) -> None:
        await harness.several(self.one, given)

    async def work(self) -> None:
        broker.is_worker_process = True
        await broker.startup()
        await asyncio.to_thread(harness.await_go)
        await run_receiver_task(broker, **SETTINGS.get("receiver", {}))


harness.main(OnTaskiq())
