"""The nodes of an estimate, each a process of its own, and what they are told."""

import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from subprocess import PIPE

import anyio
import anyio.abc
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from ..config import Config
from ..errors import HowdahError
from .shape import Shape, Told

_LINE_MAX = 10_000
_OURS = ("HOWDAH_DSN", "HOWDAH_DIRECT_DSN", "HOWDAH_POOLER")


class NodeProcess:
    """A node as a process. HowdahError: it has ended."""

    def __init__(self, process: anyio.abc.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin = process.stdin
        self._stdout = BufferedByteReceiveStream(process.stdout)

    async def hear(self) -> Told:
        """Its next line."""
        try:
            line = await self._stdout.receive_until(b"\n", _LINE_MAX)
        except (anyio.EndOfStream, anyio.IncompleteRead) as error:
            raise HowdahError("a node of the estimate ended before it was told to; its own error stands above") from error
        return msgspec.json.decode(line, type=Told)

    async def ask(self, word: str) -> Told:
        """Tells it something, and what it answers."""
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # It has ended: its stdout says so.
            await self._stdin.send(f"{word}\n".encode())
        return await self.hear()


class Nodes:
    """All of them, told at once."""

    def __init__(self, processes: Sequence[NodeProcess]) -> None:
        self._processes = processes

    def __len__(self) -> int:
        return len(self._processes)

    async def ask(self, word: str) -> list[Told]:
        """What each of them answers."""
        answers: dict[int, Told] = {}

        async def one(place: int, process: NodeProcess) -> None:
            answers[place] = await process.ask(word)

        async with anyio.create_task_group() as group:
            for place, process in enumerate(self._processes):
                group.start_soon(one, place, process)
        return [answers[place] for place in range(len(self._processes))]


@asynccontextmanager
async def started(shape: Shape, number: int, config: Config) -> AsyncGenerator[Nodes, None]:
    """So many nodes on this database, open and told nothing yet; they are gone when the block ends."""
    env = {name: value for name, value in os.environ.items() if name not in _OURS} | {"HOWDAH_DSN": config.dsn or ""}
    command = [sys.executable, "-m", "howdah.estimate.node", msgspec.json.encode(shape).decode()]
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(_process(command, env)) for _ in range(number)]
        for process in processes:
            await process.hear()
        yield Nodes(processes)


@asynccontextmanager
async def _process(command: list[str], env: dict[str, str]) -> AsyncGenerator[NodeProcess, None]:
    # A session of its own: Ctrl-C is for the process that measures, which ends them.
    process = await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=None, env=env, start_new_session=True)
    try:
        yield NodeProcess(process)
    finally:
        with anyio.CancelScope(shield=True):
            # Nothing in the database is worth a drain.
            if process.returncode is None:
                process.kill()
            await process.aclose()
