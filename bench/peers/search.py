"""The highest steady rate, and how long a burst is felt."""

import time
from contextlib import AsyncExitStack

from ..server import Bed
from .drain import Figures, workers
from .pace import Paced, pace, percentile, warm
from .place import store
from .programs import Program, Starts, program
from .row import Row

GOOD_MS = 100.0
ACHIEVED = 0.97
WARM_S, TRIAL_S = 0.5, 2.0
NEAR = 1.12
"""A rate that holds and one that does not are this near to each other at the end of the search."""
SEARCH_S = 45.0
LOWEST = 25.0

QUIET_S, BURST_S, AFTER_S = 1.0, 5.0, 8.0
CALM, STORM = 500.0, 5000.0
WINDOW_S = 0.25


class Running:
    """A worker and a producer in a place of their own."""

    def __init__(self, bed: Bed, row: Row) -> None:
        self._bed = bed
        self._row = row
        self._stack = AsyncExitStack()
        self._starts = Starts()
        self._ends: tuple[Program, Program] | None = None

    async def pace(self, rates: list[list[float]], late_s: float) -> Paced:
        if self._ends is None:
            place = await self._stack.enter_async_context(store(self._bed, self._row))
            [worker] = await self._stack.enter_async_context(workers(place, 1, self._starts, stamps=True))
            producer = await self._stack.enter_async_context(program(self._row, "produce", place.place))
            self._ends = producer, worker
            await warm(producer, worker, self._starts)
        producer, worker = self._ends
        return await pace(producer, worker, self._starts, rates, bulk=self._row.bulk, late_s=late_s)

    async def close(self) -> None:
        """Leaves what is still queued behind; the next pace() begins afresh."""
        self._ends = None
        await self._stack.aclose()


def holds(paced: Paced) -> bool:
    """Whether a trial, without its first half second, kept its rate and its latency."""
    counted = [late for at, late in paced.starts if at >= WARM_S]
    return paced.achieved >= ACHIEVED and not paced.missing and bool(counted) and percentile(counted, 99) < GOOD_MS


def following(rate: float, *, held: bool, best: float, failed: float) -> float:
    """The next rate to try: doubled or halved until there is one of each kind, then the middle."""
    if best and failed < float("inf"):
        return (best + failed) / 2
    return rate * 2 if held else rate / 2


async def highest(bed: Bed, row: Row) -> Figures:
    """The highest rate of enqueues at which p99 of enqueue to start stays below 100 ms, enqueued and run at once."""
    running = Running(bed, row)
    best, failed, rate, tried = 0.0, float("inf"), row.first_rate, 0
    until = time.monotonic() + SEARCH_S
    try:
        while time.monotonic() < until and rate >= LOWEST and (not best or failed / best > NEAR):
            paced = await running.pace([[rate, WARM_S + TRIAL_S]], 1.0)
            tried += 1
            held = holds(paced)
            best, failed = (rate, failed) if held else (best, rate)
            if paced.missing:
                await running.close()
            rate = following(rate, held=held, best=best, failed=failed)
    finally:
        await running.close()
    return {"highest": best, "highest.tried": tried}


def felt_s(starts: list[tuple[float, float]]) -> float:
    """Seconds from the end of the burst to the last enqueue whose window had a p99 of 100 ms or more; 0 when none had."""
    windows: dict[int, list[float]] = {}
    for at, late in starts:
        windows.setdefault(int(at / WINDOW_S), []).append(late)
    slow = [window for window, lates in windows.items() if percentile(lates, 99) >= GOOD_MS]
    return max(0.0, (max(slow) + 1) * WINDOW_S - QUIET_S - BURST_S) if slow else 0.0


async def burst(bed: Bed, row: Row) -> Figures:
    """500 each second, for five seconds 5,000, then 500 again."""
    running = Running(bed, row)
    try:
        paced = await running.pace([[CALM, QUIET_S], [STORM, BURST_S], [CALM, AFTER_S]], 5.0)
    finally:
        await running.close()
    return {"burst": felt_s(paced.starts), "burst.p99": paced.ms(99), "burst.achieved": paced.achieved, "burst.missing": paced.missing}
