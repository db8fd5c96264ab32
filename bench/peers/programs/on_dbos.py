"""DBOS: an empty workflow on a queue, enqueued by DBOSClient, whose calls are synchronous and go to threads."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import harness
from dbos import DBOS, DBOSClient
from harness import DSN, SETTINGS

QUEUE = "peers"
logging.disable(logging.WARNING)


@DBOS.workflow(name="noop")
async def noop(user_id: int, email: str, note: str) -> None:
    harness.started(user_id)


def launch() -> None:
    about = {"name": "peers", "system_database_url": DSN, "log_level": "ERROR", "application_version": "1"}
    DBOS(config={**about, **SETTINGS.get("config", {})})
    DBOS.launch()
    DBOS.register_queue(QUEUE, **SETTINGS.get("queue", {}))


class OnDBOS:
    async def install(self) -> None:
        await asyncio.to_thread(launch)
        await asyncio.to_thread(DBOS.destroy)

    async def produce(self) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(harness.CALLERS))
        self.client = DBOSClient(system_database_url=DSN, system_database_pool_size=harness.CALLERS, application_name="peers")

    async def one(self, given: dict[str, Any]) -> None:
        await self.client.enqueue_async({"queue_name": QUEUE, "workflow_name": "noop", "app_version": "1"}, **given)

    async def many(self, given: list[dict[str, Any]]) -> None:
        await harness.several(self.one, given)

    async def work(self) -> None:
        await asyncio.to_thread(harness.await_go)
        await asyncio.to_thread(launch)
        await asyncio.Event().wait()


harness.main(OnDBOS())
