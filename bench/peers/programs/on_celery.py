"""Celery on Redis. Its functions are synchronous and run in processes that it forks."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import harness
from celery import Celery
from harness import REDIS, SETTINGS

app = Celery("peers", broker=REDIS.replace("unix://", "redis+socket://"))
app.conf.update(SETTINGS.get("conf", {}))


@app.task(name="noop")
def noop(user_id: int, email: str, note: str) -> None:
    harness.started(user_id)


class OnCelery:
    async def install(self) -> None:
        """Redis has no schema."""

    async def produce(self) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4))

    async def one(self, given: dict[str, Any]) -> None:
        await asyncio.to_thread(noop.delay, **given)

    async def many(self, given: list[dict[str, Any]]) -> None:
        def send() -> None:
            for each in given:
                noop.delay(**each)

        await asyncio.to_thread(send)

    async def work(self) -> None:
        harness.await_go()
        app.worker_main(["worker", "--loglevel=ERROR", *SETTINGS.get("options", [])])


harness.main(OnCelery())
