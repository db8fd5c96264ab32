"""1, 2, 4 and 8 nodes, each a process, on one Postgres: how fast they drain, and what a run costs nodes and server of CPU."""

import asyncio
import resource
import sys
import time
from typing import NamedTuple

import psutil
import uvloop
from howdah import App

from .drain import NOTE
from .floor import ABOUT
from .measure import ROOT, Figure, alone
from .server import Bed
from .sql import sections

SQL = sections("howdah")
RUNS = 200_000
BUSY_S = 20e-6
COUNTS = (1, 2, 4, 8)


class Drained(NamedTuple):
    """One drain by several nodes."""

    per_s: float
    node_us: float
    postgres_us: float


async def work(dsn: str, busy_s: float) -> None:
    """A node. Says `ready` when its lease holds, begins at a line on stdin, and says its CPU seconds at the next one."""
    jobs = App(dsn)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    @jobs.task(name="noop")
    async def _(user_id: int, email: str, note: str) -> None:  # noqa: ARG001 - arguments as of a real task
        if busy_s:
            until = time.perf_counter() + busy_s
            while time.perf_counter() < until:
                pass

    async with jobs:
        print("open", flush=True)
        await reader.readline()
        async with jobs.work():
            used = resource.getrusage(resource.RUSAGE_SELF)
            print("ready", flush=True)
            await reader.readline()
            now = resource.getrusage(resource.RUSAGE_SELF)
            print(now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, flush=True)


def server_cpu_s(postmaster: psutil.Process) -> float:
    """CPU seconds of the server: its own, and those of the backends that live and that have ended."""
    total = 0.0
    for process in (postmaster, *postmaster.children()):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # Ended just now: among its parent's children at the next look.
            continue
        total += times.user + times.system
    ended = postmaster.cpu_times()
    return total + ended.children_user + ended.children_system


class Node:
    """A node as a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def hear(self) -> str:
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    def say(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    async def end(self) -> None:
        assert await self._process.wait() == 0, "a node failed"


async def drain_once(bed: Bed, count: int, *, busy_s: float = 0.0, runs: int = RUNS) -> Drained:
    """From the moment at which every node's lease holds until no hot row is left."""
    database = await bed.fresh()
    jobs = App(bed.dsn(database))

    @jobs.task
    async def noop(user_id: int, email: str, note: str) -> None: ...

    async with jobs:
        await noop.enqueue_many(noop.call(123456, "someone@example.com", NOTE) for _ in range(runs))
    watcher = await bed.connect(database)
    await watcher.execute("vacuum analyze")
    await watcher.execute("checkpoint")
    command = [sys.executable, "-m", "bench.nodes", bed.dsn(database), str(busy_s)]
    pipe = asyncio.subprocess.PIPE
    nodes = [Node(await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)) for _ in range(count)]
    for node in nodes:
        assert await node.hear() == "open"
    for node in nodes:
        node.say()
    for node in nodes:
        assert await node.hear() == "ready"
    began, server = time.perf_counter(), server_cpu_s(bed.postmaster())
    early = await watcher.fetchval(SQL["ended"])
    while await watcher.fetchval(SQL["pending"]):
        await asyncio.sleep(0.005)
    took, server = time.perf_counter() - began, server_cpu_s(bed.postmaster()) - server
    used = 0.0
    for node in nodes:
        node.say()
        used += float(await node.hear())
    for node in nodes:
        await node.end()
    verdict = await watcher.fetchrow(SQL["verdict"], 0)
    assert verdict is not None
    assert tuple(verdict) == (0, runs, 0), f"the drain lost something: {verdict}"
    await watcher.close()
    counted = runs - early
    return Drained(counted / took, used / runs * 1e6, server / counted * 1e6)


async def measure(bed: Bed, runs: int) -> list[Figure]:
    idle: dict[int, list[Drained]] = {count: [] for count in COUNTS}
    busy: dict[int, list[Drained]] = {1: [], 2: []}
    for _ in range(runs):
        with alone():
            for count in COUNTS:
                idle[count].append(await drain_once(bed, count))
            for count, drained in busy.items():
                drained.append(await drain_once(bed, count, busy_s=BUSY_S))
    about = {"runs": RUNS, "node": "defaults", "server": ABOUT["server"], "in turns": list(COUNTS)}
    figures: list[Figure] = []
    for name, sets in (("nodes", idle), ("nodes.busy", busy)):
        said = about | ({"python_us_per_task": BUSY_S * 1e6} if name == "nodes.busy" else {})
        both = said | {"of": "nodes + Postgres"}
        for count, drained in sets.items():
            figures += [
                Figure(f"{name}.{count}", "runs/s", [one.per_s for one in drained], said),
                Figure(f"{name}.{count}.cpu", "us/run", [one.node_us + one.postgres_us for one in drained], both),
                Figure(f"{name}.{count}.cpu.nodes", "us/run", [one.node_us for one in drained], said),
                Figure(f"{name}.{count}.cpu.postgres", "us/run", [one.postgres_us for one in drained], said),
            ]
        figures.append(_ratio(f"{name}.2.ratio", [one.per_s for one in sets[2]], [one.per_s for one in sets[1]], "drain of 2 nodes / of 1"))
    figures.append(
        _ratio(
            "nodes.8.cpu.ratio",
            [one.node_us + one.postgres_us for one in idle[8]],
            [one.node_us + one.postgres_us for one in idle[1]],
            "CPU for each run at 8 nodes / at 1",
        )
    )
    return figures


def _ratio(name: str, some: list[float], others: list[float], of: str) -> Figure:
    return Figure(name, "ratio", [one / other for one, other in zip(some, others, strict=True)], {"of": f"{of}, pair by pair"})


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(sys.argv[1], float(sys.argv[2])))
