"""Latencies from the call that enqueues to the first line of the function, with the producer in a process of its own."""

import asyncio
import time
from statistics import quantiles
from typing import NamedTuple

from ..server import Bed
from .drain import Figures, workers
from .place import store
from .programs import PeerFailedError, Program, Starts, program
from .row import Row

IDLE = [[25.0, 4.0]]
STEADY = [[500.0, 4.0]]
FIRST = [[20.0, 0.05]]
WARM = [[20.0, 0.5]]
REST_S = 0.5
LATE_S = 5.0
"""How long the last starts of a measurement are waited for; what has not started by then counts as if it started then."""
FIRST_S, WARM_S = 20.0, 1.0


class Paced(NamedTuple):
    """Latencies by the moment of the enqueue, both in seconds."""

    starts: list[tuple[float, float]]
    achieved: float
    """Enqueued, as a part of what was asked for in the time given."""
    missing: int

    def ms(self, percent: int) -> float:
        return percentile([late for _, late in self.starts], percent)


def percentile(seconds: list[float], percent: int) -> float:
    return quantiles(seconds, n=100, method="inclusive")[percent - 1] * 1000 if len(seconds) > 1 else seconds[0] * 1000


async def pace(
    producer: Program, worker: Program, starts: Starts, rates: list[list[float]], *, bulk: bool = False, late_s: float = LATE_S
) -> Paced:
    """Enqueues at these rates, and waits for the starts."""
    del starts.pairs[:]
    began = time.monotonic()
    seconds = sum(seconds for _, seconds in rates)
    sent = await producer.ask(seconds * 3 + 30, do="pace", rates=rates, bulk=bulk)
    until = time.monotonic() + late_s
    while len(starts.pairs) < sent["n"] and time.monotonic() < until:
        if not worker.row.direct:
            worker.say("flush")
            await worker.hear()
        await asyncio.sleep(0.01)
    now = time.monotonic()
    came = [(stamp / 1e9 - began, (at - stamp) / 1e9) for stamp, at in starts.pairs if stamp / 1e9 >= began]
    if not came and late_s >= FIRST_S:
        raise PeerFailedError(f"{worker.row.name} started nothing in {late_s:.0f} s")
    missing = max(0, sent["n"] - len(came))
    came += [(seconds, now - began - seconds)] * missing  # Enqueued at the end at the latest: a lower bound.
    return Paced(came, min(1.0, seconds / sent["s"]), missing)


async def warm(producer: Program, worker: Program, starts: Starts) -> None:
    """Lets a worker go, waits for its first job, and gives it and the producer some more."""
    worker.say("go")
    await pace(producer, worker, starts, FIRST, late_s=FIRST_S)
    await pace(producer, worker, starts, WARM, late_s=WARM_S)


async def latency(bed: Bed, row: Row) -> Figures:
    """An enqueue each 40 ms on an idle worker, then 500 each second, one by one."""
    starts = Starts()
    async with (
        store(bed, row) as place,
        workers(place, 1, starts, stamps=True) as [worker],
        program(row, "produce", place.place) as producer,
    ):
        await warm(producer, worker, starts)
        await asyncio.sleep(REST_S)
        idle = await pace(producer, worker, starts, IDLE)
        await asyncio.sleep(REST_S)
        steady = await pace(producer, worker, starts, STEADY)
    return {
        "idle.p50": idle.ms(50),
        "idle.p99": idle.ms(99),
        "steady.p50": steady.ms(50),
        "steady.p99": steady.ms(99),
        "steady.achieved": steady.achieved,
        "steady.missing": steady.missing,
    }
