"""The workload: what nodes run and producers enqueue. Settings come from HOWDAH_* variables, as a user's would."""

import asyncio
import ctypes
import os
import signal
import time
from pathlib import Path

import howdah
from howdah import App, Limit, Rate, Retry, Sequence, Snooze

from .diary import Diary

jobs = App()
diary = Diary(os.environ["CHAOS_DIARY"])

WIDE = os.environ.get("CHAOS_LIMITS") == "wide"
"""Limits are plain and have room for many: what the gate admits is large, and goes ahead of the answer to what is out."""

EFFECT = "insert into chaos.effect (run, lease, node, attempt) values ($1, $2, $3, $4)"
STUBBORN = Retry(500, base=0.05, cap=0.5)
"""What speaks to Postgres itself fails as long as that is away."""


@jobs.task
async def plain(mark: str) -> None:
    """Its only effect is outside: the line in the diary."""
    with diary.attempt():
        pass


@jobs.task(retry=STUBBORN)
async def stored(mark: str, seconds: float = 0.0) -> None:
    """One row in the transaction that ends the run."""
    with diary.attempt() as run:
        async with howdah.transaction() as connection:
            await connection.execute(EFFECT, run.id, run.claimed.lease, run.claimed.node, run.attempt)
            if seconds:
                await asyncio.sleep(seconds)


@jobs.task(delivery="at_most_once", retry=1)
async def once(mark: str) -> None:
    with diary.attempt():
        await asyncio.sleep(0.002)


@jobs.task(retry=Retry(10, base=0.05, cap=0.5))
async def flaky(mark: str, fails: int) -> None:
    """Fails so many times."""
    with diary.attempt() as run:
        await asyncio.sleep(0)
        if run.attempt <= fails:
            raise ValueError("not yet")


@jobs.task
async def patient(mark: str, seconds: float) -> None:
    """What is cancelled."""
    with diary.attempt():
        await asyncio.sleep(seconds)


@jobs.task
async def child(mark: str) -> int:
    with diary.attempt():
        return len(mark)


@jobs.task(retry=STUBBORN)
async def parent(mark: str, children: int, waits: bool) -> None:
    """So many children, once each however often this is tried; one that waits sees their results."""
    with diary.attempt():
        runs = [await child.options(child=str(number)).enqueue(f"{mark}/{number}") for number in range(children)]
        if waits:
            for run in runs:
                await run.result(timeout="20s")


@jobs.task
def threaded(mark: str) -> None:
    with diary.attempt():
        time.sleep(0.001)


@jobs.task(isolation="process", retry=Retry(20, base=0.05, cap=0.5))
def apart(mark: str, dies: int = 0) -> None:
    """Its process dies of a segmentation fault so many times."""
    with diary.attempt() as run:
        if run.attempt <= dies:
            ctypes.string_at(0)


@jobs.task(retry=Retry(10, base=0.05, cap=0.5), limits=[Limit("chaos-key", 3, key="key"), Limit("chaos-all", 10)])
async def narrow(mark: str, key: str, seconds: float, fails: int = 0, rests: bool = False) -> None:
    """What waits for two limits at once. It fails so many times, and is put off once where it rests."""
    await _narrowly(seconds, fails, rests)


@jobs.task(retry=Retry(3, base=0.05, cap=0.5), limits=[Sequence(key="key", name="chaos-line")])
async def ordered(mark: str, key: str, seconds: float, fails: int = 0, rests: bool = False) -> None:
    """One after the other; one that fails three times holds its key up."""
    await _narrowly(seconds, fails, rests)


@jobs.task(retry=Retry(10, base=0.05, cap=0.5), limits=[Limit("chaos-held", 2, key="key", hold="run")])
async def held(mark: str, key: str, seconds: float, fails: int = 0, rests: bool = False) -> None:
    """What keeps its place over its retries, and while it is put off."""
    await _narrowly(seconds, fails, rests)


@jobs.task(retry=Retry(10, base=0.05, cap=0.5), limits=[Limit("chaos-fair", 6, fair_by="key", weights={"k0": 3})])
async def shared(mark: str, key: str, seconds: float, fails: int = 0, rests: bool = False) -> None:
    """What takes turns."""
    await _narrowly(seconds, fails, rests)


@jobs.task(retry=Retry(10, base=0.05, cap=0.5), limits=[Limit("chaos-newest", 2, key="key", when_full="wait" if WIDE else "cancel_oldest")])
async def newest(mark: str, key: str, seconds: float, fails: int = 0, rests: bool = False) -> None:
    """What is cancelled when others come."""
    await _narrowly(seconds, fails, rests)


@jobs.task(retry=Retry(10, base=0.05, cap=0.5), limits=[Limit("chaos-wide", 60)])
async def wide(mark: str, key: str, seconds: float, fails: int = 0, rests: bool = False) -> None:
    """What many do at once."""
    await _narrowly(seconds, fails, rests)


LIMITED = {narrow: 1.0, wide: 4.0} if WIDE else {narrow: 4.0, ordered: 2.0, held: 2.0, shared: 1.0, newest: 0.5, wide: 1.0}
"""Tasks that wait for limits, which take the same arguments, and how often there are runs of each."""


async def _narrowly(seconds: float, fails: int, rests: bool) -> None:
    with diary.attempt() as run:
        await asyncio.sleep(seconds)
        if rests and _first(run.id, "rest"):
            raise Snooze(0.1)
        if run.attempt <= fails:
            raise ValueError("not yet")


@jobs.task(limits=[Rate("chaos-rate", 40, per="1s", burst=20)])
async def paced(mark: str) -> None:
    with diary.attempt():
        pass


@jobs.task
async def block(mark: str, seconds: float) -> None:
    """Its first attempt holds the loop, and with it everything but the heart."""
    with diary.attempt() as run:
        if _first(run.id, "block"):
            time.sleep(seconds)


@jobs.task
async def murder(mark: str, deaths: int) -> None:
    """Takes down the node that runs it, so many times."""
    with diary.attempt() as run:
        if _count(run.id, "murder") < deaths:
            os.kill(os.getpid(), signal.SIGSEGV if run.id % 2 else signal.SIGKILL)
            await asyncio.sleep(5)


def _first(run: int, what: str) -> bool:
    return _count(run, what) == 0


def _count(run: int, what: str) -> int:
    """How often this was asked before, over all processes."""
    path = Path(os.environ["CHAOS_FOLDER"]) / f"{what}-{run}"
    with path.open("ab") as file:
        file.write(b".")
        return file.tell() - 1
