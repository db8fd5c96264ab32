"""200,000 pre-queued runs of a task that does nothing, through the public API with everything on, in turns with the floor."""

import asyncio
import gc
import time
from typing import NamedTuple

from howdah import App

from .floor import ABOUT, RUNS, floor_figures, floor_once
from .measure import Figure, Sample, alone, wal_lsn
from .server import Bed
from .sql import sections

SQL = sections("howdah")
NOTE = "payload filled up to a hundred bytes....."


class Drained(NamedTuple):
    """One drain, and how long its node took to start."""

    sample: Sample
    start_s: float


async def drain_once(bed: Bed, runs: int = RUNS, database: str | None = None) -> Drained:
    """From the moment that the node's lease holds until no hot row is left, so until the last outcome is durable.
    In a fresh database, or in one that has a history."""
    database = database or await bed.fresh()
    watcher = await bed.connect(database)
    first = await watcher.fetchval(SQL["newest"]) + 1
    jobs = App(bed.dsn(database))
    started = 0
    all_started = asyncio.Event()

    @jobs.task
    async def noop(user_id: int, email: str, note: str) -> None:  # noqa: ARG001 - arguments as of a real task
        nonlocal started
        started += 1
        if started == runs:
            all_started.set()

    async with jobs:
        await noop.enqueue_many(noop.call(123456, "someone@example.com", NOTE) for _ in range(runs))
    await watcher.execute("vacuum analyze")
    await watcher.execute("checkpoint")
    gc.collect()
    entered = time.perf_counter()
    async with jobs.work():
        wal = await wal_lsn(watcher)
        early = started
        began, cpu = time.perf_counter(), time.process_time()
        await all_started.wait()
        while await watcher.fetchval(SQL["pending"]):
            await asyncio.sleep(0.002)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        wal = await wal_lsn(watcher) - wal
    verdict = await watcher.fetchrow(SQL["verdict"], first)
    assert verdict is not None
    assert tuple(verdict) == (0, runs, 0), f"the drain lost something: {verdict}"
    await watcher.close()
    counted = runs - early
    return Drained(Sample(counted / took, cpu / counted * 1e6, wal / counted), began - entered)


async def measure(bed: Bed, runs: int) -> list[Figure]:
    ours: list[Drained] = []
    floors: list[Sample] = []
    for _ in range(runs):
        with alone():
            floors.append(await floor_once(bed))
            ours.append(await drain_once(bed))
    about = {
        "runs": RUNS,
        "node": "defaults",
        "arguments_bytes": ABOUT["arguments_bytes"],
        "server": ABOUT["server"],
        "start-up": "apart",
        "in turns with": "floor",
    }
    ratios = [mine.sample.per_s / bare.per_s for mine, bare in zip(ours, floors, strict=True)]
    return [
        Figure("drain", "runs/s", [mine.sample.per_s for mine in ours], about),
        Figure("drain.python", "us/run", [mine.sample.python_us for mine in ours], about),
        Figure("drain.start", "s", [mine.start_s for mine in ours], {"counts": "entering work() until the node's lease holds"}),
        *floor_figures(floors),
        Figure("drain.ratio", "ratio", ratios, {"of": "drain / floor, pair by pair"}),
    ]
