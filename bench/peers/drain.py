"""Drains of pre-queued jobs that do nothing: from the first function that starts until the last acknowledgement is in the store.

Enqueues are measured on the way: some hundreds one after the other, the rest in bulk.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from ..server import Bed
from .place import POLL_S, Store, store
from .programs import PeerFailedError, Program, Starts, program
from .row import Row

CAP_S = 5.0
"""A drain that takes longer is stopped: what was acknowledged until then counts."""
LAST = 512
"""So many starts before the end the driver begins to ask whether anything is left."""
SINGLES = 500
SINGLES_CAP_S = 1.0
FILL_CAP_S = 20.0
BACKLOG_FILL_CAP_S = 30.0
BACKLOG_CAP_S = 4.0
FIRST_S = 30.0
BACKLOG = 1_000_000

Figures = dict[str, float]


class Filled(NamedTuple):
    """What was enqueued, and how fast."""

    jobs: int
    single_per_s: float
    bulk_per_s: float
    wal_bytes: float


class Drained(NamedTuple):
    """One drain."""

    done: int
    per_s: float
    worker_us: float
    server_us: float
    wal_bytes: float
    image_bytes: float
    transactions: float


async def fill(place: Store, jobs: int, *, singles: bool, cap_s: float = FILL_CAP_S) -> Filled:
    row = place.row
    wal = await place.wal()
    async with program(row, "produce", place.place) as producer:
        if singles:
            one = await producer.ask(do="single", n=SINGLES, cap_s=SINGLES_CAP_S)
        else:
            one = {"n": 0, "s": 1.0}
        rest = await producer.ask(cap_s * 3, do="bulk", n=jobs - one["n"], chunk=row.chunk, cap_s=cap_s)
    total = one["n"] + rest["n"]
    return Filled(total, one["n"] / one["s"], rest["n"] / rest["s"] if rest["n"] else 0.0, (await place.wal() - wal) / total)


@asynccontextmanager
async def workers(place: Store, count: int, starts: Starts, *, stamps: bool = False) -> AsyncGenerator[list[Program]]:
    """Worker processes, each ready to go."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(program(place.row, "work", place.place, starts, stamps=stamps)) for _ in range(count)]


async def empty(place: Store, jobs: int, count: int, *, cap_s: float = CAP_S) -> Drained:
    """Drains what is there with so many workers, or until the time is over."""
    starts = Starts()
    await place.settled()
    transactions = await place.transactions()
    async with workers(place, count, starts) as programs:
        wal = await place.wal()
        idle = sum(one.cpu_s() for one in programs)
        for one in programs:
            one.say("go")
        server = place.server_cpu_s()
        try:
            async with asyncio.timeout(FIRST_S):
                await starts.first.wait()
        except TimeoutError:
            raise PeerFailedError(f"{place.row.name} started nothing in {FIRST_S} s") from None
        began = min(pair[1] for pair in starts.pairs) / 1e9
        while starts.total < jobs - LAST and time.monotonic() < began + cap_s:
            await asyncio.sleep(POLL_S)
        while await place.any_left() and time.monotonic() < began + cap_s:
            await asyncio.sleep(POLL_S)
        ended = time.monotonic()
        done = jobs - await place.left()
        server = place.server_cpu_s() - server
        used = sum(one.cpu_s() for one in programs) - idle
        images = await place.images(wal)
        wal = await place.wal() - wal
    if not done:
        raise PeerFailedError(f"{place.row.name} acknowledged nothing in {cap_s} s")
    transactions = await place.transactions() - transactions
    assert done < jobs or starts.total >= jobs - 128 * count * 4, f"{place.row.name}: {starts.total} starts of {jobs} jobs"
    took = ended - began
    return Drained(done, done / took, used / done * 1e6, server / done * 1e6, (wal - images) / done, images / done, transactions / done)


async def drain_one(bed: Bed, row: Row) -> Figures:
    async with store(bed, row) as place:
        filled = await fill(place, row.jobs, singles=True)
        drained = await empty(place, filled.jobs, 1)
    figures = {
        "drain.1": drained.per_s,
        "enqueue.single": filled.single_per_s,
        "cpu.worker": drained.worker_us,
        "cpu.server": drained.server_us,
        "jobs": drained.done,
    }
    if row.bulk:
        figures["enqueue.bulk"] = filled.bulk_per_s
    if row.store == "postgres":
        figures["wal.enqueue"] = filled.wal_bytes
        figures["wal.drain"] = drained.wal_bytes
        figures["wal.images"] = drained.image_bytes
        figures["transactions"] = drained.transactions
    return figures


async def drain_two(bed: Bed, row: Row) -> Figures:
    async with store(bed, row) as place:
        filled = await fill(place, row.jobs, singles=False)
        return {"drain.2": (await empty(place, filled.jobs, 2)).per_s}


async def drain_beside_snapshot(bed: Bed, row: Row) -> Figures:
    """The same with one snapshot held from before the first enqueue until after the last acknowledgement; and right before, without."""
    before = await _plain(bed, row)
    async with store(bed, row) as place:
        holder = await place.observer()
        async with holder.transaction(isolation="repeatable_read", readonly=True):
            await holder.fetchval("select count(*) from pg_class")
            filled = await fill(place, row.jobs, singles=False)
            drained = await empty(place, filled.jobs, 1)
        await holder.close()
    return {"drain.snapshot": drained.per_s, "snapshot.without": before}


async def drain_of_backlog(bed: Bed, row: Row) -> Figures:
    """A part of a million, or of what the peer can enqueue in half a minute: how many that were is among the figures. And, right
    before, as many as it drains elsewhere."""
    before = await _plain(bed, row)
    async with store(bed, row) as place:
        filled = await fill(place, BACKLOG, singles=False, cap_s=BACKLOG_FILL_CAP_S)
        drained = await empty(place, filled.jobs, 1, cap_s=BACKLOG_CAP_S)
    return {"drain.backlog": drained.per_s, "backlog": filled.jobs, "backlog.without": before}


async def _plain(bed: Bed, row: Row) -> float:
    """What a ratio is taken of belongs to the same minute: a shared machine is not the same an hour later."""
    async with store(bed, row) as place:
        filled = await fill(place, row.jobs, singles=False)
        return (await empty(place, filled.jobs, 1)).per_s
