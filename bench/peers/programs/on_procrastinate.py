"""procrastinate: psycopg, one worker, as concurrent as the row says."""

import asyncio
from typing import Any

import harness
from harness import DSN, SETTINGS
from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector(conninfo=DSN, **SETTINGS.get("connector", {})))


@app.task(name="noop")
async def noop(user_id: int, email: str, note: str) -> None:
    harness.started(user_id)


class Procrastinate:
    async def install(self) -> None:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    async def produce(self) -> None:
        await app.open_async()

    async def one(self, given: dict[str, Any]) -> None:
        await noop.defer_async(**given)

    async def many(self, given: list[dict[str, Any]]) -> None:
        await noop.batch_defer_async(*given)

    async def work(self) -> None:
        async with app.open_async():
            await asyncio.to_thread(harness.await_go)
            await app.run_worker_async(install_signal_handlers=False, **SETTINGS.get("worker", {}))


harness.main(Procrastinate())
