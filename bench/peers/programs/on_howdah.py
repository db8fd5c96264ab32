"""Howdah: nodes as they are, history and fence included."""

import asyncio
from typing import Any

import asyncpg
import harness
from harness import DSN, SETTINGS
from howdah import App
from howdah.config import configure
from howdah.db.migrate import migrate

jobs = App(DSN, **SETTINGS.get("app", {}))


@jobs.task(name="noop")
async def noop(user_id: int, email: str, note: str) -> None:
    harness.started(user_id)


class Howdah:
    async def install(self) -> None:
        connection = await asyncpg.connect(DSN)
        await migrate(connection, configure({}))
        await connection.close()

    async def produce(self) -> None:
        await jobs.__aenter__()  # Open until the process ends.

    async def one(self, given: dict[str, Any]) -> None:
        await noop.enqueue(**given)

    async def many(self, given: list[dict[str, Any]]) -> None:
        await noop.enqueue_many(noop.call(**each) for each in given)

    async def work(self) -> None:
        async with jobs:
            await asyncio.to_thread(harness.await_go)
            async with jobs.work():
                await asyncio.Event().wait()


harness.main(Howdah())
