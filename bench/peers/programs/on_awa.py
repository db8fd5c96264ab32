"""awa: the Rust runtime with Python handlers."""

import asyncio
from dataclasses import dataclass
from typing import Any

import awa
import harness
from harness import SETTINGS

DSN = harness.DSN.replace("@/", "@localhost/")
"""Its driver wants a host in its place, too."""


@dataclass
class Noop:
    user_id: int
    email: str
    note: str


class OnAwa:
    async def install(self) -> None:
        await awa.migrate(DSN)
        if SETTINGS.get("queue_storage"):
            await awa.AsyncClient(DSN).install_queue_storage(**SETTINGS["queue_storage"])

    async def produce(self) -> None:
        self.client = awa.AsyncClient(DSN, max_connections=harness.CALLERS)

    async def one(self, given: dict[str, Any]) -> None:
        await self.client.insert(Noop(**given), queue="peers")

    async def many(self, given: list[dict[str, Any]]) -> None:
        enqueue = self.client.enqueue_many_copy if SETTINGS.get("queue_storage") else self.client.insert_many_copy
        await enqueue([Noop(**each) for each in given], queue="peers")

    async def work(self) -> None:
        client = awa.AsyncClient(DSN, **SETTINGS.get("client", {}))

        @client.worker(Noop, queue="peers")
        async def noop(job: Any) -> None:
            harness.started(job.args.user_id)

        await asyncio.to_thread(harness.await_go)
        await client.start([("peers", SETTINGS["workers"])], **SETTINGS.get("start", {}))
        await asyncio.Event().wait()


harness.main(OnAwa())
