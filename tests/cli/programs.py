"""`howdah` as a process of its own, as a person starts it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
from click.testing import CliRunner, Result
from howdah.cli import main

PATIENCE_S = 60.0
"""A process that says nothing for so long is stuck, however busy the machine is."""

_OURS = "HOWDAH_"


def environment(said: Mapping[str, str]) -> dict[str, str]:
    """This process's, without what it says about Howdah."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)} | dict(said)


def howdah(*words: str, cwd: Path | None = None, **said: str) -> "subprocess.CompletedProcess[str]":
    """Runs a command to its end."""
    command = [sys.executable, "-m", "howdah", *words]
    return subprocess.run(command, cwd=cwd, env=environment(said), capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def asked(*words: str, **said: str) -> Result:
    """Runs a command to its end in this process, which costs a fraction of a process of its own."""
    return CliRunner().invoke(main, words, env=said, prog_name="howdah")


async def beside(*words: str, **said: str) -> Result:
    """The same in a thread: commands have an event loop of their own."""
    return await anyio.to_thread.run_sync(lambda: asked(*words, **said))


class Program:
    """A command under way."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> str:
        """The next line on stdout."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            return (await self._process.stdout.readline()).decode().rstrip("\n")

    async def told(self, word: str) -> str:
        """The next line on stderr that holds this word."""
        assert self._process.stderr is not None
        seen: list[str] = []
        async with asyncio.timeout(PATIENCE_S):
            while raw := await self._process.stderr.readline():
                seen.append(raw.decode())
                if word in seen[-1]:
                    return seen[-1].rstrip("\n")
        raise AssertionError(f"{word!r} was not said, but {seen}")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def insist(self, number: signal.Signals) -> None:
        """Sends the signal until the process ends: signals of one number that are pending at once count as one."""
        async with asyncio.timeout(PATIENCE_S):
            while self._process.returncode is None:
                self._process.send_signal(number)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), 0.05)

    async def end(self) -> tuple[int, str, str]:
        """Its exit code, and what was left on stdout and stderr."""
        async with asyncio.timeout(PATIENCE_S):
            out, said = await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode, out.decode(), said.decode()


@asynccontextmanager
async def begin(*words: str, cwd: Path | None = None, **said: str) -> AsyncGenerator[Program]:
    """Starts a command; at the end of the block it is killed if it still runs."""
    pipe = subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "howdah", *words, cwd=cwd, env=environment(said), stdout=pipe, stderr=pipe
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
