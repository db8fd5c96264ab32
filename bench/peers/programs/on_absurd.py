"""absurd: one connection for each client, so the producer has several of them."""

import asyncio
from typing import Any

import absurdctl
import harness
import psycopg
from absurd_sdk import AsyncAbsurd
from harness import DSN, SETTINGS


class OnAbsurd:
    async def install(self) -> None:
        async with await psycopg.AsyncConnection.connect(DSN, autocommit=True) as connection:
            await connection.execute(absurdctl.BUNDLED_SCHEMA_SQL.encode())
            await connection.execute("select absurd.create_queue('default')")

    async def produce(self) -> None:
        self.clients: asyncio.Queue[AsyncAbsurd] = asyncio.Queue()
        for _ in range(harness.CALLERS):
            self.clients.put_nowait(AsyncAbsurd(DSN))

    async def one(self, given: dict[str, Any]) -> None:
        client = await self.clients.get()
        try:
            await client.spawn("noop", given, queue="default")
        finally:
            self.clients.put_nowait(client)

    async def many(self, given: list[dict[str, Any]]) -> None:
        await harness.several(self.one, given)

    async def work(self) -> None:
        app = AsyncAbsurd(DSN)

        @app.register_task("noop")
        async def noop(params: dict[str, Any], ctx: object) -> None:
            harness.started(params["user_id"])

        await asyncio.to_thread(harness.await_go)
        await app.start_worker(**SETTINGS.get("worker", {}))


harness.main(OnAbsurd())
