"""SAQ, on Postgres or on Redis."""

import asyncio
from typing import Any

import harness
from harness import DSN, REDIS, SETTINGS
from saq import Queue, Worker
from saq.queue.redis import RedisQueue


async def noop(_ctx: Any, *, user_id: int, email: str, note: str) -> None:
    harness.started(user_id)


def queue() -> Queue:
    return RedisQueue.from_url(REDIS) if REDIS else Queue.from_url(DSN, **SETTINGS.get("queue", {}))


class OnSAQ:
    async def install(self) -> None:
        made = queue()
        await made.connect()
        await made.disconnect()

    async def produce(self) -> None:
        self.queue = queue()
        await self.queue.connect()

    async def one(self, given: dict[str, Any]) -> None:
        await self.queue.enqueue("noop", **given)

    async def many(self, given: list[dict[str, Any]]) -> None:
        await harness.several(self.one, given)

    async def work(self) -> None:
        made = queue()
        await made.connect()
        await asyncio.to_thread(harness.await_go)
        worker = Worker(made, functions=[("noop", noop)], **SETTINGS.get("worker", {}))
        worker.SIGNALS = []
        await worker.start()


harness.main(OnSAQ())
