"""One enqueue each 50 ms on an idle node: from the call of enqueue to the first line of the function.

Beside it, in the same database and in turns, what asyncpg does bare: from the call that inserts and notifies to the claimed row.
"""

import asyncio
import time
from statistics import quantiles

import asyncpg
from howdah import App

from .measure import Figure, alone
from .server import SETTINGS, Bed
from .sql import sections

SAMPLES = 200
EACH_S = 0.05
SQL = sections("bare")


class Bare:
    """A producer, a listener and a claimer by hand."""

    def __init__(self, producer: asyncpg.Connection, claimer: asyncpg.Connection) -> None:
        self._producer = producer
        self._claimer = claimer
        self._heard = asyncio.Event()

    async def open(self, listener: asyncpg.Connection) -> None:
        await listener.add_listener("bare_work", self._hear)
        self._insert = await self._producer.prepare(SQL["insert_notify"])
        self._claim = await self._claimer.prepare(SQL["claim"])

    def _hear(self, *_: object) -> None:
        self._heard.set()

    async def once(self, number: int) -> float:
        """Seconds from the call to the claimed row."""
        self._heard.clear()
        began = time.perf_counter()
        insert = asyncio.ensure_future(self._insert.fetchval(f'{{"number":{number}}}'))
        await self._heard.wait()
        rows = await self._claim.fetch()
        took = time.perf_counter() - began
        assert len(rows) == 1
        await insert
        return took


async def _round(bed: Bed, samples: int) -> tuple[list[float], list[float], list[float]]:
    database = await bed.fresh()
    producer, claimer, listener = [await bed.connect(database) for _ in range(3)]
    await producer.execute(SQL["queue"])
    bare = Bare(producer, claimer)
    await bare.open(listener)
    jobs = App(bed.dsn(database))
    begun: asyncio.Queue[float] = asyncio.Queue()

    @jobs.task
    async def stamp(number: int) -> None:  # noqa: ARG001 - an argument as of a real task
        begun.put_nowait(time.perf_counter())

    ours: list[float] = []
    calls: list[float] = []
    theirs: list[float] = []
    async with jobs.work():
        await asyncio.sleep(0.5)
        for number in range(-5, samples):  # The first ones prepare statements and open connections.
            began = time.perf_counter()
            await stamp.enqueue(number)
            called = time.perf_counter()
            mine = await begun.get() - began
            await asyncio.sleep(EACH_S / 2)
            other = await bare.once(number)
            if number >= 0:
                ours.append(mine)
                calls.append(called - began)
                theirs.append(other)
            await asyncio.sleep(max(0.0, EACH_S - (time.perf_counter() - began)))
    for connection in (producer, claimer, listener):
        await connection.close()
    return ours, calls, theirs


def _percentile(seconds: list[float], percent: int) -> float:
    return quantiles(seconds, n=100, method="inclusive")[percent - 1] * 1000


async def measure(bed: Bed, runs: int) -> list[Figure]:
    rounds: list[tuple[list[float], list[float], list[float]]] = []
    for _ in range(runs):
        with alone():
            rounds.append(await _round(bed, SAMPLES))
    about = {"samples": SAMPLES, "each_ms": EACH_S * 1000, "node": "defaults, idle, in the enqueueing process", "server": SETTINGS}
    figures = [
        Figure(name, "ms", [_percentile(one[place], percent) for one in rounds], about)
        for name, place, percent in (
            ("latency.p50", 0, 50),
            ("latency.p99", 0, 99),
            ("latency.call.p50", 1, 50),
            ("latency.bare.p50", 2, 50),
            ("latency.bare.p99", 2, 99),
        )
    ]
    ratios = [_percentile(ours, 50) / _percentile(theirs, 50) for ours, _, theirs in rounds]
    return [*figures, Figure("latency.ratio", "ratio", ratios, {"of": "p50 of howdah / p50 of bare, round by round"})]
