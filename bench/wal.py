"""Bytes of WAL for each run, from enqueue to done: 100 bytes of arguments, no result. Full-page images are told apart."""

import asyncio
from typing import NamedTuple

import asyncpg
from howdah import App

from .drain import NOTE
from .floor import PAYLOAD
from .measure import Figure, alone
from .server import SETTINGS, Bed
from .sql import sections

WARM = 20_000
BULK = 100_000
SINGLE = 2_000
SQL = sections("howdah")
HERE = "select pg_current_wal_insert_lsn()::text"
BYTES = "select ($2::text::pg_lsn - $1::text::pg_lsn)::bigint"


class Span(NamedTuple):
    """Bytes written between two points."""

    plain: int
    images: int


async def _span(connection: asyncpg.Connection, low: str, high: str) -> Span:
    images = await connection.fetchval(SQL["images"], low, high)
    return Span(await connection.fetchval(BYTES, low, high) - images, images)


async def _once(bed: Bed) -> dict[str, Span]:
    database = await bed.fresh()
    watcher = await bed.connect(database)
    await watcher.execute("create extension pg_walinspect")
    jobs = App(bed.dsn(database))

    @jobs.task
    async def noop(user_id: int, email: str, note: str) -> None: ...

    async def drain() -> None:
        while await watcher.fetchval(SQL["pending"]):
            await asyncio.sleep(0.01)

    async def bulk(number: int) -> None:
        await noop.enqueue_many(noop.call(123456, "someone@example.com", NOTE) for _ in range(number))

    async with jobs:
        async with jobs.work():
            await bulk(WARM)
            await drain()
        await watcher.execute("checkpoint")
        points = [await watcher.fetchval(HERE)]
        await bulk(BULK)
        points.append(await watcher.fetchval(HERE))
        async with jobs.work():
            await drain()
            points.append(await watcher.fetchval(HERE))
            for _ in range(SINGLE):
                await noop.enqueue(123456, "someone@example.com", NOTE)
            await drain()
            points.append(await watcher.fetchval(HERE))
    spans = {
        name: await _span(watcher, low, high)
        for name, low, high in zip(("enqueue", "execute", "single"), points[:-1], points[1:], strict=True)
    }
    await watcher.close()
    return spans


async def measure(bed: Bed, runs: int) -> list[Figure]:
    rounds: list[dict[str, Span]] = []
    for _ in range(runs):
        with alone():
            rounds.append(await _once(bed))
    about = {"runs": BULK, "arguments_bytes": len(PAYLOAD), "result": "none", "full_page_images": "apart", "server": SETTINGS}

    def each(part: str, place: int, number: int) -> list[float]:
        return [one[part][place] / number for one in rounds]

    totals = [sum(pair) for pair in zip(each("enqueue", 0, BULK), each("execute", 0, BULK), strict=True)]
    images = [sum(pair) for pair in zip(each("enqueue", 1, BULK), each("execute", 1, BULK), strict=True)]
    return [
        Figure("wal", "B/run", totals, {**about, "counts": "enqueue_many to done"}),
        Figure("wal.enqueue", "B/run", each("enqueue", 0, BULK), about),
        Figure("wal.execute", "B/run", each("execute", 0, BULK), about),
        Figure("wal.images", "B/run", images, {**about, "counts": "full-page images alone, right after a checkpoint"}),
        Figure(
            "wal.single", "B/run", each("single", 0, SINGLE), {**about, "runs": SINGLE, "counts": "one enqueue after the other, to done"}
        ),
    ]
