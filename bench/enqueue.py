"""Enqueues: one after the other, 64 callers at once, and 100,000 in one call beside a bare COPY of the same rows into like tables."""

import time

import anyio
from howdah import App

from .drain import NOTE
from .floor import PAYLOAD
from .measure import Figure, alone
from .server import SETTINGS, Bed
from .sql import sections

SINGLE = 2_000
CALLERS = 64
COMBINED = 200 * CALLERS
BULK = 100_000
SQL = sections("bare")


class Rates(dict[str, float]):
    """Runs per second, by the way of enqueueing."""


async def _bare(bed: Bed, database: str) -> Rates:
    connection = await bed.connect(database)
    await connection.execute(SQL["like_tables"])
    for day in await connection.fetch(SQL["days"]):
        await connection.execute(f"create table bare.{day['name']} partition of bare.run for values from ({day['low']}) to ({day['high']})")
    base = await connection.fetchval("select howdah.day_base()")
    payload = PAYLOAD.decode()
    insert = await connection.prepare(SQL["insert_one"])
    await connection.fetchval(SQL["insert_one"], payload)
    await connection.execute("checkpoint")
    began = time.perf_counter()
    for _ in range(SINGLE):
        await insert.fetchval(payload)
    single = SINGLE / (time.perf_counter() - began)
    first = base + SINGLE + 2
    asked = [(first + number, 1, 1, 0, payload) for number in range(BULK)]
    ready = [(first + number, 1, 1, 0) for number in range(BULK)]
    await connection.execute("checkpoint")
    began = time.perf_counter()
    async with connection.transaction():
        await connection.copy_records_to_table(
            "run", schema_name="bare", records=asked, columns=["id", "task", "queue", "priority", "args"]
        )
        await connection.copy_records_to_table("job", schema_name="bare", records=ready, columns=["id", "queue", "task", "priority"])
    bulk = BULK / (time.perf_counter() - began)
    await connection.close()
    return Rates(single=single, bulk=bulk)


async def _ours(bed: Bed, database: str) -> Rates:
    jobs = App(bed.dsn(database))

    @jobs.task
    async def noop(user_id: int, email: str, note: str) -> None: ...

    watcher = await bed.connect(database)
    async with jobs:
        await noop.enqueue(123456, "someone@example.com", NOTE)  # Puts the task into the catalogue, opens a connection.
        await watcher.execute("checkpoint")
        began = time.perf_counter()
        for _ in range(SINGLE):
            await noop.enqueue(123456, "someone@example.com", NOTE)
        single = SINGLE / (time.perf_counter() - began)

        async def call() -> None:
            for _ in range(COMBINED // CALLERS):
                await noop.enqueue(123456, "someone@example.com", NOTE)

        await watcher.execute("checkpoint")
        began = time.perf_counter()
        async with anyio.create_task_group() as callers:
            for _ in range(CALLERS):
                callers.start_soon(call)
        combined = COMBINED / (time.perf_counter() - began)
        await watcher.execute("checkpoint")
        began = time.perf_counter()
        await noop.enqueue_many(noop.call(123456, "someone@example.com", NOTE) for _ in range(BULK))
        bulk = BULK / (time.perf_counter() - began)
    await watcher.close()
    return Rates(single=single, combined=combined, bulk=bulk)


async def measure(bed: Bed, runs: int) -> list[Figure]:
    ours: list[Rates] = []
    bare: list[Rates] = []
    for _ in range(runs):
        with alone():
            database = await bed.fresh()
            bare.append(await _bare(bed, database))
            ours.append(await _ours(bed, database))
    about = {"arguments_bytes": len(PAYLOAD), "server": SETTINGS}
    figures: list[Figure] = []
    for way, number in (("single", SINGLE), ("bulk", BULK)):
        figures += [
            Figure(f"enqueue.{way}", "runs/s", [rates[way] for rates in ours], {"runs": number, **about}),
            Figure(f"enqueue.{way}.bare", "runs/s", [rates[way] for rates in bare], {"runs": number, **about}),
            Figure(
                f"enqueue.{way}.ratio", "ratio", [mine[way] / other[way] for mine, other in zip(ours, bare, strict=True)],
                {"of": "howdah / bare, pair by pair"},
            ),
        ]  # fmt: skip
    figures += [
        Figure("enqueue.combined", "runs/s", [rates["combined"] for rates in ours], {"runs": COMBINED, "callers": CALLERS, **about}),
        Figure(
            "enqueue.combined.ratio", "ratio", [rates["combined"] / rates["single"] for rates in ours],
            {"of": f"{CALLERS} callers at once / one after another"},
        ),
    ]  # fmt: skip
    return figures
