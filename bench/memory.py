"""How much a draining node grows between its 100,000th and its 1,000,000th run. The node is a process of its own."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import uvloop
from howdah import App

from .drain import NOTE
from .measure import ROOT, Figure, alone
from .server import SETTINGS, Bed

EARLY = 100_000
LATE = 1_000_000
PART = 100_000


def rss_mb() -> float:
    """Resident memory of this process."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, text=True, check=True)
    return int(told.stdout) / 2**10


async def drain(dsn: str) -> None:
    """The node: prints its memory after the two runs."""
    jobs = App(dsn)
    ended = 0
    over = asyncio.Event()

    @jobs.task
    async def noop(user_id: int, email: str, note: str) -> None:  # noqa: ARG001 - arguments as of a real task
        nonlocal ended
        ended += 1
        if ended in {EARLY, LATE}:
            print(rss_mb(), flush=True)
        if ended == LATE:
            over.set()

    async with jobs.work():
        await over.wait()


async def _once(bed: Bed) -> list[float]:
    database = await bed.fresh()
    jobs = App(bed.dsn(database))

    @jobs.task
    async def noop(user_id: int, email: str, note: str) -> None: ...

    async with jobs:
        for _ in range(LATE // PART):
            await noop.enqueue_many(noop.call(123456, "someone@example.com", NOTE) for _ in range(PART))
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.memory", bed.dsn(database), cwd=ROOT, stdout=subprocess.PIPE)
    told, _ = await child.communicate()
    assert child.returncode == 0, "the node failed"
    return [float(text) for text in told.split()]


async def measure(bed: Bed, runs: int) -> list[Figure]:
    pairs: list[list[float]] = []
    for _ in range(runs):
        with alone():
            pairs.append(await _once(bed))
    about = {"early": EARLY, "late": LATE, "node": "defaults", "server": SETTINGS}
    return [
        Figure("memory.growth", "MB", [late - early for early, late in pairs], about),
        Figure("memory.rss", "MB", [late for _, late in pairs], about),
    ]


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(drain(sys.argv[1]))
