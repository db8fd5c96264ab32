"""What surrounds an attempt: runs with a dependency of their own, one of the node, two middlewares and a captured log line,
in turns with bare ones."""

import asyncio
import gc
import logging
import time
from collections.abc import AsyncGenerator
from typing import Any

from howdah import App, use

from .floor import ABOUT
from .measure import Figure, Sample, alone, wal_lsn
from .server import Bed
from .sql import sections

SQL = sections("howdah")
RUNS = 50_000
NOTE = "payload filled up to a hundred bytes....."

log = logging.getLogger("bench.lane")


async def session() -> AsyncGenerator[object, None]:
    yield log


async def pool() -> AsyncGenerator[object, None]:
    yield log


def surround(jobs: App) -> None:
    """Two middlewares that do nothing."""

    @jobs.middleware
    async def outer() -> AsyncGenerator[None, Any]:
        yield

    @jobs.middleware
    async def inner() -> AsyncGenerator[None, Any]:
        yield


async def drain_once(bed: Bed, *, bare: bool, runs: int = RUNS) -> Sample:
    """From the moment that the node's lease holds until no hot row is left, so until the last outcome is durable."""
    database = await bed.fresh()
    watcher = await bed.connect(database)
    jobs = App(bed.dsn(database))
    started = 0
    all_started = asyncio.Event()

    def count() -> None:
        nonlocal started
        started += 1
        if started == runs:
            all_started.set()

    async def noop(user_id: int, email: str, note: str) -> None:  # noqa: ARG001 - arguments as of a real task
        count()

    async def surrounded(
        user_id: int,  # noqa: ARG001 - arguments as of a real task
        email: str,  # noqa: ARG001 - the same
        note: str,  # noqa: ARG001 - the same
        session: object = use(session),
        pool: object = use(pool, per="node"),
    ) -> None:
        assert session is pool
        count()
        log.info("one line of %s", "a run")

    if not bare:
        surround(jobs)
    task = jobs.task(noop) if bare else jobs.task(name="noop")(surrounded)
    async with jobs:
        await task.enqueue_many(task.call(123456, "someone@example.com", NOTE) for _ in range(runs))
    await watcher.execute("vacuum analyze")
    await watcher.execute("checkpoint")
    gc.collect()
    async with jobs.work():
        wal = await wal_lsn(watcher)
        early = started
        began, cpu = time.perf_counter(), time.process_time()
        await all_started.wait()
        while await watcher.fetchval(SQL["pending"]):
            await asyncio.sleep(0.002)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        wal = await wal_lsn(watcher) - wal
    verdict = await watcher.fetchrow(SQL["verdict"], 0)
    assert verdict is not None
    assert tuple(verdict) == (0, runs, 0), f"the drain lost something: {verdict}"
    logged = await watcher.fetchval("select count(logs) from howdah.event")
    assert logged == (0 if bare else runs), f"{logged} runs have logs"
    await watcher.close()
    counted = runs - early
    return Sample(counted / took, cpu / counted * 1e6, wal / counted)


async def measure(bed: Bed, runs: int) -> list[Figure]:
    log.setLevel(logging.INFO)
    log.propagate = True
    ours: list[Sample] = []
    bares: list[Sample] = []
    for _ in range(runs):
        with alone():
            bares.append(await drain_once(bed, bare=True))
            ours.append(await drain_once(bed, bare=False))
    about = {
        "runs": RUNS,
        "around": "1 async generator per run, 1 of the node, 2 middlewares, 1 line logged",
        "server": ABOUT["server"],
        "in turns with": "bare runs",
    }
    ratios = [mine.per_s / bare.per_s for mine, bare in zip(ours, bares, strict=True)]
    return [
        Figure("lane", "runs/s", [mine.per_s for mine in ours], about),
        Figure("lane.python", "us/run", [mine.python_us for mine in ours], about),
        Figure("lane.bare", "runs/s", [bare.per_s for bare in bares], {"runs": RUNS}),
        Figure("lane.bare.python", "us/run", [bare.python_us for bare in bares], {"runs": RUNS}),
        Figure("lane.ratio", "ratio", ratios, {"of": "surrounded / bare, pair by pair"}),
    ]
