"""200,000 pre-queued runs of a task that does nothing, through the public API with everything on, in turns with the floor."""

import asyncio
import base64
import gc
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from howdah import App

from .floor import ABOUT, PAYLOAD, RUNS, floor_figures, floor_once
from .measure import Figure, Sample, alone, wal_lsn
from .server import Bed
from .sql import sections

SQL = sections("howdah")
NOTE = "payload filled up to a hundred bytes....."


class Shape(NamedTuple):
    """What the runs are like: bytes of arguments, and how long each waits for something elsewhere. queued: how many there are."""

    payload_bytes: int = len(PAYLOAD)
    task_s: float = 0.0
    queued: int = RUNS

    def note(self) -> str:
        """Fills the arguments up. What is longer than the usual cannot be compressed, as real arguments hardly can."""
        more = max(0, self.payload_bytes - len(PAYLOAD))
        return NOTE + base64.b64encode(random.Random(more).randbytes(more)).decode()[:more]


USUAL = Shape()


class Drained(NamedTuple):
    """One drain, and how long its node took to start."""

    sample: Sample
    start_s: float


async def drain_once(
    bed: Bed,
    runs: int = RUNS,
    database: str | None = None,
    shape: Shape = USUAL,
    *,
    tracing: bool = True,
    around: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Drained:
    """From the moment that the node's lease holds until no hot row is left, so until the last outcome is durable.
    In a fresh database, or in one that has a history. around: the node's life, not that of the enqueue before it."""
    database = database or await bed.fresh()
    watcher = await bed.connect(database)
    first = await watcher.fetchval(SQL["newest"]) + 1
    jobs = App(bed.dsn(database), tracing=tracing)
    started, note = 0, shape.note()
    all_started = asyncio.Event()

    @jobs.task
    async def noop(user_id: int, email: str, note: str) -> None:  # noqa: ARG001 - arguments as of a real task
        nonlocal started
        started += 1
        if started == runs:
            all_started.set()
        if shape.task_s:
            await asyncio.sleep(shape.task_s)

    async with jobs:
        await noop.enqueue_many(noop.call(123456, "someone@example.com", note) for _ in range(runs))
    await watcher.execute("vacuum analyze")
    await watcher.execute("checkpoint")
    gc.collect()
    entered = time.perf_counter()
    with around():
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


async def measure_shape(bed: Bed, runs: int, shape: Shape) -> list[Figure]:
    """Drains of other runs than the usual ones, alone: what `howdah estimate` is compared with."""
    done: list[Drained] = []
    for _ in range(runs):
        with alone():
            done.append(await drain_once(bed, shape.queued, shape=shape))
    about = {**shape._asdict(), "node": "defaults", "server": ABOUT["server"], "start-up": "apart"}
    return [Figure("drain.shape", "runs/s", [one.sample.per_s for one in done], about)]


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
