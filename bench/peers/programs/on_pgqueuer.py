"""pgqueuer: asyncpg, one connection for the queue manager and a pool for the producer, as its documentation says."""

import asyncio
import json
from typing import Any

import asyncpg
import harness
from harness import DSN, SETTINGS
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries


def packed(given: dict[str, Any]) -> bytes:
    return json.dumps(given, separators=(",", ":")).encode()


class Pgqueuer:
    async def install(self) -> None:
        connection = await asyncpg.connect(DSN)
        queries = Queries(AsyncpgDriver(connection))
        await queries.install()
        if SETTINGS.get("autovacuum"):
            await queries.optimize_autovacuum()
        await connection.close()

    async def produce(self) -> None:
        pool = await asyncpg.create_pool(DSN, min_size=5, max_size=20)
        self.queries = Queries(AsyncpgPoolDriver(pool))

    async def one(self, given: dict[str, Any]) -> None:
        await self.queries.enqueue("noop", packed(given))

    async def many(self, given: list[dict[str, Any]]) -> None:
        await self.queries.enqueue(["noop"] * len(given), [packed(each) for each in given], [0] * len(given))

    async def work(self) -> None:
        queuer = PgQueuer(AsyncpgDriver(await asyncpg.connect(DSN)))

        @queuer.entrypoint("noop")
        async def noop(job: Job) -> None:
            harness.started(json.loads(job.payload or b"{}")["user_id"])

        await asyncio.to_thread(harness.await_go)
        await queuer.run(**SETTINGS.get("run", {}))


harness.main(Pgqueuer())
