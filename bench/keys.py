"""Limits: drains with few and many keys on one node and on four beside a drain without limits, one hot key, several limits on each run,
the hand-over under a key, one free run behind a million that cannot go, and what keys that were used once leave in memory.
"""

import asyncio
import gc
import sys
import time
from statistics import median
from typing import NamedTuple

import uvloop
from howdah import App, Limit, Rate, Task

from .drain import NOTE
from .floor import ABOUT
from .measure import ROOT, Figure, alone
from .memory import rss_mb
from .nodes import Node
from .server import Bed
from .sql import sections

SQL = sections("howdah")
FREE_RUNS = 200_000
KEYED = {1: 2_000, 100: 20_000, 10_000: 200_000, 100_000: 1_000_000}
"""Distinct keys, and how many runs share them."""
COUNTS = (1, 4)
HOT_RUNS = 100_000
SEVERAL_RUNS = 100_000
BEHIND = 1_000_000
TURNS = 200
WARM = 10_000
USED_ONCE = 100_000

Noop = Task[[int, str, str], None]


class Tasks(NamedTuple):
    """Tasks that do nothing, under limits of different kinds."""

    free: Noop
    keyed: Noop
    hot: Noop
    several: Noop


def tasks_of(jobs: App) -> Tasks:
    """The same on every node and for whoever enqueues."""

    async def noop(user_id: int, email: str, note: str) -> None: ...

    pair = [Limit("account", 2, key="user_id"), Limit("everybody", 1_000), Rate("calls", 1_000_000, per="1s", key="email")]
    return Tasks(
        jobs.task(name="free")(noop),
        jobs.task(name="keyed", limits=[Limit("per-user", 2, key="user_id")])(noop),
        jobs.task(name="hot", limits=[Limit("hot", 100)])(noop),
        jobs.task(name="several", limits=pair)(noop),
    )


async def work(dsn: str) -> None:
    """A node. Says `ready` when its lease holds, and begins and ends at a line on stdin."""
    jobs = App(dsn)
    tasks_of(jobs)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with jobs:
        print("open", flush=True)
        await reader.readline()
        async with jobs.work():
            print("ready", flush=True)
            await reader.readline()


async def drain_once(bed: Bed, name: str, keys: int, runs: int, count: int) -> float:
    """Runs per second by so many nodes, from the moment at which every node's lease holds until no hot row is left."""
    database = await bed.fresh()
    jobs = App(bed.dsn(database))
    task: Noop = getattr(tasks_of(jobs), name)
    async with jobs:
        await task.enqueue_many(task.call(number % keys, "someone@example.com", NOTE) for number in range(runs))
    watcher = await bed.connect(database)
    await watcher.execute("vacuum analyze")
    await watcher.execute("checkpoint")
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "bench.keys", bed.dsn(database)]
    nodes = [Node(await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)) for _ in range(count)]
    for node in nodes:
        assert await node.hear() == "open"
    for node in nodes:
        node.say()
    for node in nodes:
        assert await node.hear() == "ready"
    began, early = time.perf_counter(), await watcher.fetchval(SQL["ended"])
    while await watcher.fetchval(SQL["pending"]):
        await asyncio.sleep(0.02)  # Each look walks past what has been deleted since the last one: often, it is a tenth of the load.
    took = time.perf_counter() - began
    for node in nodes:
        node.say()
    for node in nodes:
        await node.end()
    verdict = await watcher.fetchrow(SQL["verdict"], 0)
    assert verdict is not None
    assert verdict["left_over"] == 0, f"the drain left something: {verdict}"
    await watcher.close()
    return (runs - early) / took


async def hand_over_once(bed: Bed) -> float:
    """Median milliseconds from the end of a function to the start of the next one under the same key, which waits."""
    jobs = App(bed.dsn(await bed.fresh()))
    began: list[float] = []
    ended: list[float] = []

    @jobs.task(limits=[Limit("one", 1, key="user_id")])
    async def turn(user_id: int) -> None:  # noqa: ARG001 - the key
        began.append(time.perf_counter())
        await asyncio.sleep(0.01)
        ended.append(time.perf_counter())

    async with jobs.work():
        runs = await turn.enqueue_many(turn.call(7) for _ in range(TURNS))
        await runs[-1].result(timeout="60s")
    return median(start - end for start, end in zip(began[1:], ended, strict=False)) * 1e3


async def behind_once(bed: Bed) -> list[float]:
    """Milliseconds from the enqueue of a run whose key is free to its start, behind a million whose keys are full. Several tries."""
    jobs = App(bed.dsn(await bed.fresh()), concurrency=512, grace_s=0.1, hard_grace_s=5)
    full, started = asyncio.Event(), asyncio.Event()
    held = 0

    @jobs.task(limits=[Limit("per-user", 2, key="user_id")])
    async def keyed(user_id: int) -> None:
        nonlocal held
        if user_id < 0:
            started.set()
            return
        held += 1
        if held == 200:
            full.set()
        await asyncio.sleep(3600)

    async with jobs:
        await keyed.enqueue_many(keyed.call(number % 100) for number in range(BEHIND))
    took: list[float] = []
    async with jobs.work():
        await full.wait()
        await asyncio.sleep(2)
        for number in range(1, 11):
            started.clear()
            began = time.perf_counter()
            await keyed.enqueue(-number)
            await started.wait()
            took.append((time.perf_counter() - began) * 1e3)
            await asyncio.sleep(0.1)
    return took


async def weigh(dsn: str) -> None:
    """A node that says at each line on stdin how much memory it has, and ends with stdin."""
    jobs = App(dsn)
    tasks_of(jobs)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with jobs.work():
        while await reader.readline():
            gc.collect()
            print(rss_mb(), flush=True)


async def memory_once(bed: Bed) -> float:
    """Megabytes that a node has more after runs under each of many keys, once, than before them, both times idle."""
    dsn = bed.dsn(await bed.fresh())
    pipe = asyncio.subprocess.PIPE
    node = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.keys", dsn, "weigh", cwd=ROOT, stdin=pipe, stdout=pipe)
    assert node.stdin is not None
    assert node.stdout is not None
    jobs = App(dsn)
    keyed, weights = tasks_of(jobs).keyed, list[float]()

    async with jobs:
        # First what each node has after a while: statements, plans, connections, and what so many runs at a time take for themselves.
        for first, keys in ((-USED_ONCE, WARM), (0, USED_ONCE)):
            for part in range(first, first + keys, 10_000):
                runs = await keyed.enqueue_many(keyed.call(number, "someone@example.com", NOTE) for number in range(part, part + 10_000))
                await runs[-1].result(timeout="60s")
            await asyncio.sleep(25)
            node.stdin.write(b"\n")
            weights.append(float(await node.stdout.readline()))
    node.stdin.close()
    assert await node.wait() == 0, "the node failed"
    return weights[1] - weights[0]


async def measure(bed: Bed, runs: int) -> list[Figure]:
    free: dict[int, list[float]] = {count: [] for count in COUNTS}
    keyed: dict[tuple[int, int], list[float]] = {(keys, count): [] for keys in KEYED for count in COUNTS}
    hot: list[float] = []
    several: list[float] = []
    turns: list[float] = []
    behind: list[float] = []
    memory: list[float] = []
    for _ in range(runs):
        with alone():
            for count in COUNTS:
                free[count].append(await drain_once(bed, "free", 1, FREE_RUNS, count))
                for keys, total in KEYED.items():
                    keyed[keys, count].append(await drain_once(bed, "keyed", keys, total, count))
            hot.append(await drain_once(bed, "hot", 1, HOT_RUNS, 4))
            several.append(await drain_once(bed, "several", 10_000, SEVERAL_RUNS, 1))
            turns.append(await hand_over_once(bed))
            behind += await behind_once(bed)
            memory.append(await memory_once(bed))
    about = {"node": "defaults", "server": ABOUT["server"], "arguments_bytes": ABOUT["arguments_bytes"], "limit": "2 for each key"}
    figures = [Figure(f"keys.free.{count}", "runs/s", free[count], {**about, "limit": None, "nodes": count}) for count in COUNTS]
    for (keys, count), rates in keyed.items():
        said = {**about, "keys": keys, "runs": KEYED[keys], "nodes": count}
        figures.append(Figure(f"keys.{keys}.{count}", "runs/s", rates, said))
        ratios = [mine / bare for mine, bare in zip(rates, free[count], strict=True)]
        figures.append(Figure(f"keys.{keys}.{count}.ratio", "ratio", ratios, {**said, "of": "drain / drain without limits, pair by pair"}))
    return [
        *figures,
        Figure("keys.hot.4", "runs/s", hot, {**about, "limit": 100, "keys": 1, "nodes": 4}),
        Figure("keys.several.1", "runs/s", several, {**about, "limit": "two limits and a rate on each run", "keys": 10_000, "nodes": 1}),
        Figure("keys.hand_over", "ms", turns, {**about, "limit": 1, "of": f"medians of {TURNS} turns: an end to the next start"}),
        Figure("keys.behind", "ms", behind, {**about, "of": f"enqueue to start of a free run behind {BEHIND:,} that cannot go"}),
        Figure("keys.memory", "MB", memory, {**about, "of": f"growth of an idle node after {USED_ONCE:,} keys that were used once"}),
    ]


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(weigh(sys.argv[1]) if sys.argv[2:] else work(sys.argv[1]))
