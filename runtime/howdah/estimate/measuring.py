"""The measurement: a backlog that nodes drain as fast as they can, then half of that rate, enqueued while they work."""

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import anyio
import asyncpg
import msgspec

from ..app import App
from ..config import Config
from ..db.link import is_lost
from ..errors import ConfigurationError, DatabaseAway
from ..tasks import Task
from .fleet import Nodes, started
from .scratch import scratch
from .shape import TASK, Shape, Told, Used
from .verdict import Limit, Measured, first, shares
from .watch import LOOK_S, Busy, Session, commit_s, server_cpu_s, sql, trip_s

SECONDS = 20.0
"""How long it takes in all, beside what starting and ending take."""

_LOAD, _FULL, _HALF = 0.2, 0.35, 0.35
"""Parts of that time: to enqueue a backlog, and for the two levels."""
_AGAIN = 0.3
"""No larger backlog is begun after this part of it."""
_FIRST_RUNS = 1_000
"""The first backlog. One that is over in less than half of the time was mostly a node's start, and a larger one is made."""
_CHUNK, _CHUNK_BYTES = 2_000, 2**20
"""Runs, and bytes of arguments, that are enqueued in one transaction: nodes see them when it commits."""
_BYTES_MAX = 512 * 2**20
"""Arguments of all runs of a backlog together: the scratch database is on somebody's disk."""
_TICK_S = 0.02
"""How often the second level enqueues."""
_LATE_S = 2.0
"""How long what was enqueued last may take to end before it counts as left."""
_WAVES = 4
"""A level is at least so many times as long as a run: slots that begin together end together, and the last of them count for nothing."""


class Level(msgspec.Struct, frozen=True):
    """What one level of load showed. left: runs that had not ended. offered_per_s: what was enqueued meanwhile; None: a backlog.

    postgres_us: None where the server's processes cannot be seen from here. Waits are from enqueue to start.
    """

    per_s: float
    runs: int
    took_s: float
    left: int
    python_us: float
    postgres_us: float | None
    wal_bytes: float
    offered_per_s: float | None = None
    wait_p50_s: float | None = None
    wait_p99_s: float | None = None


class Estimate(msgspec.Struct, frozen=True):
    """What was measured, and what it means. per_s: what will hold. shares: how full each limit was then, from 0 to 1."""

    shape: Shape
    nodes: int
    slots: int
    connections: int
    per_s: float
    first: Limit
    shares: dict[Limit, float]
    full: Level
    half: Level
    commit_s: float
    trip_s: float


async def estimate(config: Config, shape: Shape, *, nodes: int = 1, seconds: float = SECONDS) -> Estimate:
    """Measures in a database of its own, which is gone afterwards. ConfigurationError: the role may not make one, or runs take so long
    that the time shows nothing. DatabaseAway: Postgres does not answer."""
    needed_s = shape.task_s * _WAVES / _FULL
    if seconds < needed_s:
        raise ConfigurationError(
            f"in {seconds:g} s too few runs of {shape.task_s:g} s end to measure anything: say --seconds {math.ceil(needed_s)}, or more"
        )
    async with (
        scratch(config) as inside,
        _watcher(inside) as watcher,
        App(inside.dsn, direct_dsn=inside.dsn, pooler=False) as jobs,
        started(shape, nodes, inside) as fleet,
    ):
        return await _Stage(jobs, watcher, fleet, shape).measure(seconds)


@asynccontextmanager
async def _watcher(config: Config) -> AsyncGenerator[Session, None]:
    try:
        connection = await asyncpg.connect(
            config.dsn, timeout=config.connect_timeout_s, server_settings={"application_name": "howdah estimate"}
        )
    except Exception as error:
        if is_lost(error):
            raise DatabaseAway(f"Postgres does not answer: {error}. Check HOWDAH_DSN and that the server is up.") from error
        raise
    try:
        yield connection
    finally:
        connection.terminate()


class _Marks(msgspec.Struct):
    """How things stood when a level began."""

    at: float
    told: list[Told]
    wal: int
    server_s: float | None


class _Stage:
    """Who enqueues, who works, and who looks on."""

    def __init__(self, jobs: App, watcher: Session, fleet: Nodes, shape: Shape) -> None:
        self._watcher = watcher
        self._fleet = fleet
        self._shape = shape
        self._data = shape.data()
        self._chunk = max(1, min(_CHUNK, _CHUNK_BYTES // shape.payload_bytes))

        @jobs.stub(name=TASK)
        async def stub(data: str) -> None: ...

        self._task: Task[Any, None] = stub

    async def measure(self, seconds: float) -> Estimate:
        """Both levels."""
        disk_s, way_s = await commit_s(self._watcher), await trip_s(self._watcher)
        mark, full, used, told, busy = await self._saturate(seconds)
        if not full.runs:
            raise ConfigurationError(
                f"no run ended within {full.took_s:.1f} s: say more --seconds than {seconds:g}, or look what keeps the server busy"
            )
        measured = Measured(
            took_s=full.took_s,
            runs=full.runs,
            nodes=len(self._fleet),
            slots=told.slots,
            connections=told.connections,
            used=_sum(used),
            busiest_cpu_s=max(one.cpu_s for one in used),
            busy=busy.shares(),
            batch=await self._watcher.fetchval(sql("batch"), mark),
            commit_s=disk_s,
            trip_s=way_s,
            transaction=self._shape.transaction,
        )
        await self._clear(busy)
        half = await self._pace(full.per_s / 2, seconds * _HALF)
        full_shares = shares(measured)
        return Estimate(
            shape=self._shape,
            nodes=measured.nodes,
            slots=measured.slots,
            connections=measured.connections,
            per_s=full.per_s,
            first=first(full_shares),
            shares=full_shares,
            full=full,
            half=half,
            commit_s=disk_s,
            trip_s=way_s,
        )

    async def _saturate(self, seconds: float) -> tuple[int, Level, list[Used], Told, Busy]:
        """A backlog that the nodes drain for a good part of the time. They work on when it is over."""
        wanted, window_s = _FIRST_RUNS, seconds * _FULL
        again_until = perf_counter() + seconds * _AGAIN
        while True:
            mark, busy = await self._ask("newest"), Busy()
            loaded = await self._load(wanted, seconds * _LOAD)
            await self._fleet.ask("work")
            began = await self._begin(busy)
            await self._until_idle(window_s, busy)
            level, told, used = await self._level(began, busy)
            if level.left or level.took_s > window_s / 2 or loaded < wanted or perf_counter() > again_until:
                return mark, level, used, told[0], busy
            await self._fleet.ask("rest")
            bound = max(1, _BYTES_MAX // self._shape.payload_bytes)
            wanted = min(max(int(level.per_s * window_s), 4 * wanted), bound)

    async def _load(self, wanted: int, within_s: float) -> int:
        """Enqueues so many runs, or as many as the time allows; how many it was."""
        until, loaded = perf_counter() + within_s, 0
        while loaded < wanted and perf_counter() < until:
            number = min(self._chunk, wanted - loaded)
            await self._enqueue(number)
            loaded += number
        return loaded

    async def _enqueue(self, number: int) -> None:
        await self._task.enqueue_many(self._task.call(self._data) for _ in range(number))

    async def _pace(self, per_s: float, for_s: float) -> Level:
        """Enqueues at this rate while the nodes work, and looks how long runs wait for their start."""
        mark = await self._ask("newest")
        busy = Busy()
        began = await self._begin(busy)
        sent, now = 0, perf_counter()
        while (since := (now := perf_counter()) - began.at) < for_s:
            due = min(int(per_s * since) - sent, self._chunk)
            if due > 0:
                await self._enqueue(due)
                sent += due
            if due < self._chunk:  # Else it is late: the next ones are due already.
                await anyio.sleep(_TICK_S)
        offered = sent / (now - began.at)
        await self._until_idle(_LATE_S, busy)
        level, _, _ = await self._level(began, busy)
        waits = await self._watcher.fetchrow(sql("waits"), mark)
        assert waits is not None
        return msgspec.structs.replace(level, offered_per_s=offered, wait_p50_s=waits["p50_s"], wait_p99_s=waits["p99_s"])

    async def _begin(self, busy: Busy) -> _Marks:
        await busy.look(self._watcher)
        wal, server_s = await self._ask("wal"), server_cpu_s(busy.backends)
        told = await self._fleet.ask("tell")
        return _Marks(perf_counter(), told, wal, server_s)

    async def _level(self, began: _Marks, busy: Busy) -> tuple[Level, list[Told], list[Used]]:
        """What was done since then."""
        told = await self._fleet.ask("tell")
        took_s = perf_counter() - began.at
        wal, server_s = await self._ask("wal"), server_cpu_s(busy.backends)
        used = [now.used.since(before.used) for now, before in zip(told, began.told, strict=True)]
        together = _sum(used)
        ended = max(1, together.ended)
        level = Level(
            per_s=together.ended / took_s,
            runs=together.ended,
            took_s=took_s,
            left=await self._ask("left"),
            python_us=together.cpu_s / ended * 1e6,
            postgres_us=(server_s - began.server_s) / ended * 1e6 if server_s is not None and began.server_s is not None else None,
            wal_bytes=(wal - began.wal) / ended,
        )
        return level, told, used

    async def _until_idle(self, within_s: float, busy: Busy) -> None:
        """Looks on until no run is left, or the time is over."""
        until = perf_counter() + within_s
        while perf_counter() < until and await self._watcher.fetchval(sql("pending")):
            await busy.look(self._watcher)
            await anyio.sleep(LOOK_S)

    async def _clear(self, busy: Busy) -> None:
        """Lets the backlog end, or forgets what is left of it, so that the next level begins with nothing."""
        await self._until_idle(_LATE_S, busy)
        if await self._ask("left"):
            await self._fleet.ask("rest")
            await self._watcher.execute(sql("forget"))
            await self._fleet.ask("work")

    async def _ask(self, name: str) -> int:
        answer = await self._watcher.fetchval(sql(name))
        assert isinstance(answer, int)
        return answer


def _sum(used: list[Used]) -> Used:
    return Used(**{name: sum(getattr(one, name) for one in used) for name in Used.__struct_fields__})
