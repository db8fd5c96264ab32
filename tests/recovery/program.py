"""A worker in a process of its own, for tests that kill, freeze and block it.

Its settings come as json in its argument, with `keyed` where it is to have a task with a limit, too, and `batched` where one that
takes many runs at once. Its tasks leave rows in the table `effect`, through connections of their own unless they say otherwise.
It says `ready` when it works; SIGTERM drains it, a second one hurries it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

import asyncpg
import howdah
import uvloop
from howdah import App, LeaseLost, Limit, Retry
from howdah.context import UserConnection

SETTINGS = json.loads(sys.argv[1])
KEYED = SETTINGS.pop("keyed", False)
"""Whether it has tasks with limits, and so may be the gate."""

BATCHED = SETTINGS.pop("batched", False)
"""Whether it has a task that takes many runs at once."""

jobs = App(**SETTINGS)

NOTE = "insert into effect (run, attempt, pid, what) values ($1, $2, $3, $4)"
BEFORE = "select count(*) from effect where run = $1 and what = 'begin'"

_own: asyncpg.Pool


async def note(what: str, connection: asyncpg.Connection | UserConnection | None = None) -> None:
    run = howdah.current_run()
    await (connection or _own).execute(NOTE, run.id, run.attempt, os.getpid(), what)


async def begin() -> bool:
    """Notes the start of an attempt; True for the first of its run."""
    first = not await _own.fetchval(BEFORE, howdah.current_run().id)
    await note("begin")
    return first


@jobs.task(isolation="process")
def apart(file: str) -> None:
    """Says which process it is in, and stays there; the second attempt does not."""
    if not Path(file).exists():
        Path(file).write_text(str(os.getpid()))
        time.sleep(60)


@jobs.task
async def nothing() -> None: ...


@jobs.task
async def mark(seconds: float = 0.0) -> None:
    """One row, once: whoever runs it twice leaves two."""
    await asyncio.sleep(seconds)
    await note("mark")


@jobs.task(retry=Retry(100, base=0.05, cap=0.2))
async def stored(seconds: float = 0.0) -> None:
    """One row in the transaction that ends the run."""
    async with howdah.transaction() as connection:
        await connection.execute(NOTE, howdah.current_run().id, howdah.current_run().attempt, os.getpid(), "stored")
        await asyncio.sleep(seconds)


if BATCHED:

    @jobs.batch_task(size=5, within=0.1)
    async def together(items: list[int]) -> list[int]:
        """The first attempt takes long, later ones end at once."""
        runs = howdah.current_batch().runs
        first = not await _own.fetchval(BEFORE, runs[0].id)
        await _own.executemany(NOTE, [(run.id, run.attempt, os.getpid(), "begin") for run in runs])
        if first:
            await asyncio.sleep(60)
        return items


@jobs.task
async def hold(seconds: float = 60.0) -> None:
    """Its first attempt takes long, later ones end at once."""
    if not await begin():
        return
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        await note("cancelled")
        raise


@jobs.task
async def linger(seconds: float) -> None:
    """Every attempt takes so long; says how often it was interrupted."""
    await note("begin")
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        await note("cancelled")
        raise
    await note("end")


@jobs.task
async def gated(gate: str) -> None:
    """Every attempt ends when a file is there."""
    await note("begin")
    while not Path(gate).exists():
        await asyncio.sleep(0.01)
    await note("end")


@jobs.task
async def defy() -> None:
    """Its first attempt swallows its cancellation and goes on as if it still held the run."""
    try:
        if not await begin():  # Within the block: a node may be frozen before it hears that its row is written.
            await note("end")
            return
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await note("cancelled")
    try:
        await asyncio.sleep(0.3)
    except asyncio.CancelledError:
        await note("cancelled again")
    run = howdah.current_run()
    for name, call in {
        "transaction": howdah.transaction,
        "cancelled": lambda: run.cancelled,
        "set_result": lambda: run.set_result(1),
    }.items():
        await note(f"{name} {_answer(call)}")
    try:
        await nothing.enqueue()
    except LeaseLost:
        await note("enqueue refused")


def _answer(call: object) -> str:
    try:
        call()  # type: ignore[operator]
    except LeaseLost:
        return "refused"
    return "allowed"


@jobs.task
async def keep_open() -> None:
    """Its first attempt sits in its transaction until it is interrupted, and then tries to commit all the same."""
    first = await begin()
    try:
        async with howdah.transaction() as connection:
            await note("stored", connection)
            if first:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    await note("cancelled")
    except LeaseLost:
        await note("commit refused")
        raise


@jobs.task
async def block_until(gate: str) -> None:
    """Its first attempt blocks the event loop until a file appears; it returns before the loop runs again."""
    if await begin():
        while not Path(gate).exists():
            time.sleep(0.01)  # The line that the log must show.


@jobs.task
async def block(seconds: float) -> None:
    await note("begin")
    time.sleep(seconds)  # This is the line that blocks.
    await note("end")


@jobs.task
async def kill_the_node() -> None:
    """Takes down whoever runs it."""
    os.kill(os.getpid(), signal.SIGKILL)


@jobs.task(delivery="at_most_once")
async def once(seconds: float) -> None:
    await note("begin")
    await asyncio.sleep(seconds)
    await note("end")


@jobs.task
def sit(seconds: float) -> None:
    """A thread that looks whether it should end."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not howdah.current_run().cancelled:
        time.sleep(0.01)


async def keyed(key: str, seconds: float = 0.0) -> None:
    """One row at its start and one at its end, which tell who was under way at once."""
    await note("begin")
    await asyncio.sleep(seconds)
    await note("end")


if KEYED:
    jobs.task(limits=[Limit("narrow", 2, key="key")])(keyed)


async def main() -> None:
    global _own
    # Without a cache of statements: it may go through a pooler.
    _own = await asyncpg.create_pool(
        jobs.config.dsn, min_size=1, max_size=4, statement_cache_size=0, server_settings={"application_name": "effects"}
    )
    async with jobs.work() as node:
        asked = iter((node.stop,))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: next(asked, node.hurry)())
        print("ready", flush=True)
        await node.stopped.wait()
    _own.terminate()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(levelname)s %(name)s: %(message)s")
    uvloop.run(main())
