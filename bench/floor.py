"""The floor: a bare pipeline, in this file, over the SQL of floor.sql. What a framework costs is measured against it.

It claims with the payload joined, runs 64 long-lived slots, and writes outcomes with COPY under a fence, with history and
synchronous commits: the same promises for one task. It has no retries, timeouts, limits, heartbeats, several tasks or errors.
"""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import msgspec

from .measure import Figure, Sample, alone, wal_lsn
from .server import SETTINGS, Bed
from .sql import sections

RUNS = 200_000
SLOTS = 64
CLAIM = 2000
WRITE_MAX = 4000
HELD_MAX = 8000
NODE = 7
SUCCEEDED = 2
PAYLOAD = b'{"user_id":123456,"email":"someone@example.com","note":"payload filled up to a hundred bytes....."}'
COLUMNS = ["run", "lease", "node", "kind", "data"]

SQL = sections("floor")

ABOUT = {
    "runs": RUNS,
    "slots": SLOTS,
    "claim": CLAIM,
    "copy": WRITE_MAX,
    "held": HELD_MAX,
    "arguments_bytes": len(PAYLOAD),
    "server": SETTINGS,
}


class Arguments(msgspec.Struct):
    user_id: int
    email: str
    note: str


async def noop(arguments: Arguments) -> None:
    """What the runs do: nothing, with decoded arguments."""


class Pipeline:
    """Claims on one connection, copies on another, in parallel; slots in between."""

    def __init__(self, claims: asyncpg.Connection, outcomes: asyncpg.Connection, handler: Callable[[Arguments], Awaitable[None]]) -> None:
        self._claims = claims
        self._outcomes = outcomes
        self._handler = handler
        self._decode = msgspec.json.Decoder(Arguments).decode
        self._inbox: deque[Any] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._ended: list[tuple[Any, ...]] = []
        self._some_ended = asyncio.Event()
        self._room = asyncio.Event()
        self._held = 0
        self._empty = False
        self.done = 0

    async def run(self) -> None:
        """Until nothing can be claimed and every outcome is durable."""
        slots = [asyncio.ensure_future(self._slot()) for _ in range(SLOTS)]
        await asyncio.sleep(0)
        writer = asyncio.ensure_future(self._write())
        await self._claim()
        self._empty = True
        self._some_ended.set()
        await writer
        for idle in self._idle:
            idle.set_result(None)
        await asyncio.gather(*slots)

    async def _claim(self) -> None:
        claim = await self._claims.prepare(SQL["claim"])
        after = 0
        while True:
            while self._held > HELD_MAX - CLAIM:
                self._room.clear()
                await self._room.wait()
            rows = await claim.fetch(CLAIM, after, NODE)
            if not rows:
                return
            after = max(row[0] for row in rows)
            self._held += len(rows)
            self._inbox.extend(rows)
            while self._idle:
                self._idle.pop().set_result(None)

    async def _slot(self) -> None:
        loop = asyncio.get_running_loop()
        inbox, decode, handler = self._inbox, self._decode, self._handler
        while True:
            while not inbox:
                idle = loop.create_future()
                self._idle.append(idle)
                await idle
                if self._empty and not inbox:
                    return
            row = inbox.popleft()
            await handler(decode(row[4]))
            self._ended.append((row[0], row[2], NODE, SUCCEEDED, None))
            if not self._some_ended.is_set():
                self._some_ended.set()

    async def _write(self) -> None:
        while not (self._empty and self._held == 0):
            await self._some_ended.wait()
            self._some_ended.clear()
            while self._ended:
                batch, self._ended = self._ended[:WRITE_MAX], self._ended[WRITE_MAX:]
                await self._outcomes.copy_records_to_table("event", schema_name="floor", records=batch, columns=COLUMNS)
                self._held -= len(batch)
                self.done += len(batch)
                self._room.set()


async def floor_once(bed: Bed, runs: int = RUNS) -> Sample:
    """One drain of `runs` pre-queued runs in a fresh database."""
    database = await bed.fresh(migrated=False)
    claims, outcomes, watcher = [await bed.connect(database) for _ in range(3)]
    await watcher.execute(SQL["schema"])
    await watcher.execute(SQL["seed_runs"], runs, PAYLOAD.decode())
    await watcher.execute(SQL["seed_jobs"])
    await watcher.execute("vacuum analyze")
    await watcher.execute("checkpoint")
    # A lost claim runs again, so it need not wait for the disk; an outcome must.
    await claims.execute("set synchronous_commit = off; set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off")
    pipeline = Pipeline(claims, outcomes, noop)
    wal = await wal_lsn(watcher)
    gc.collect()
    began, cpu = time.perf_counter(), time.process_time()
    await pipeline.run()
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    wal = await wal_lsn(watcher) - wal
    verdict = await watcher.fetchrow(SQL["verdict"])
    assert verdict is not None
    assert tuple(verdict) == (0, runs, 0), f"the floor lost something: {verdict}"
    for connection in (claims, outcomes, watcher):
        await connection.close()
    return Sample(per_s=runs / took, python_us=cpu / runs * 1e6, wal_bytes=wal / runs)


def floor_figures(samples: Sequence[Sample]) -> list[Figure]:
    return [
        Figure("floor", "runs/s", [sample.per_s for sample in samples], ABOUT),
        Figure("floor.python", "us/run", [sample.python_us for sample in samples], ABOUT),
        Figure(
            "floor.wal", "B/run", [sample.wal_bytes for sample in samples], {**ABOUT, "counts": "claim to done, full-page images included"}
        ),
    ]


async def measure(bed: Bed, runs: int) -> list[Figure]:
    samples: list[Sample] = []
    for _ in range(runs):
        with alone():
            samples.append(await floor_once(bed))
    return floor_figures(samples)
