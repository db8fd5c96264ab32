"""Processes that tell, and one that hears what they tell."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def process(*words: str, **settings: Any) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A program of Python, killed at the end of the block."""
    made = await asyncio.create_subprocess_exec(sys.executable, *words, **settings)
    try:
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            made.kill()
        await made.communicate()


@asynccontextmanager
async def receiving() -> AsyncGenerator[tuple[str, asyncio.subprocess.Process]]:
    """The receiver's address, and the receiver."""
    async with process("-m", "tests.telemetry.receiver", stdout=subprocess.PIPE) as receiver:
        assert receiver.stdout is not None
        yield (await receiver.stdout.readline()).decode().strip(), receiver


async def received(receiver: asyncio.subprocess.Process) -> list[dict[str, Any]]:
    """Everything that it got. Whoever sends has ended, so all of it is there."""
    receiver.terminate()
    out, _ = await receiver.communicate()
    return [json.loads(line) for line in out.decode().splitlines()]
