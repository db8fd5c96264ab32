"""A peer's program as a process: the words spoken with it, the starts that it tells, and what it costs of CPU."""

import asyncio
import json
import os
import signal
import struct
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any, NamedTuple

import psutil

from .environments import environment
from .row import Row

PAIR = struct.Struct("<qq")
PATIENCE_S = 60.0


class PeerFailedError(Exception):
    """A peer's program ended or fell silent; the text has the end of what it wrote."""


class Place(NamedTuple):
    """Where a peer keeps its jobs during one measurement."""

    dsn: str
    redis: str


class Starts:
    """The pairs that programs write, as they come."""

    def __init__(self) -> None:
        self.pairs: list[tuple[int, int]] = []
        self.total = 0
        self.first = asyncio.Event()
        self._rest: dict[int, bytes] = {}

    @contextmanager
    def heard(self, path: str) -> Generator[None]:
        """Reads what processes write to a named pipe, while in the block."""
        os.mkfifo(path)
        end = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # A writer of our own, too: the pipe has no end while we listen.
        loop = asyncio.get_running_loop()
        loop.add_reader(end, self._read, end)
        try:
            yield
        finally:
            loop.remove_reader(end)
            os.close(end)

    def _read(self, end: int) -> None:
        try:
            data = self._rest.pop(end, b"") + os.read(end, 1 << 20)
        except BlockingIOError:
            return
        whole = len(data) - len(data) % PAIR.size
        if rest := data[whole:]:
            self._rest[end] = rest
        for pair in PAIR.iter_unpack(data[:whole]):
            self.pairs.append(pair)
            self.total += pair[0]
        if whole:
            self.first.set()


class Program:
    """One process in a session of its own, so that its children end with it."""

    def __init__(self, row: Row, process: asyncio.subprocess.Process) -> None:
        self.row = row
        self._process = process

    async def hear(self, patience_s: float = PATIENCE_S) -> str:
        """The next line that is meant for us."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(patience_s):
                while line := await self._process.stdout.readline():
                    if line.startswith(b"@ "):
                        return line[2:].decode().strip()
        except TimeoutError:
            raise PeerFailedError(f"{self.row.name} said nothing for {patience_s} s") from None
        raise PeerFailedError(f"{self.row.name} ended with {await self._process.wait()}")

    def say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word.encode() + b"\n")

    async def ask(self, patience_s: float = PATIENCE_S, **asked: Any) -> dict[str, Any]:
        self.say(json.dumps(asked))
        answer: dict[str, Any] = json.loads(await self.hear(patience_s))
        return answer

    def cpu_s(self) -> float:
        """CPU seconds of the process and all below it."""
        try:
            top = psutil.Process(self._process.pid)
            family = [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return 0.0
        total = 0.0
        for process in family:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
        return total

    async def finished(self) -> None:
        """Waits for the program's own end, which must be a good one."""
        async with asyncio.timeout(PATIENCE_S):
            if code := await self._process.wait():
                raise PeerFailedError(f"{self.row.name} could not install its schema: exit {code}; PEERS_LOUD=1 shows why")

    async def end(self) -> None:
        if self._process.returncode is None:
            self.say("end")
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self._process.wait()
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        await self._process.wait()


@asynccontextmanager
async def program(row: Row, mode: str, place: Place, starts: Starts | None = None, *, stamps: bool = False) -> AsyncGenerator[Program]:
    """A running program, `open` already said; ended with the block."""
    with ExitStack() as stack:
        one = await _spawn(stack, row, mode, place, starts, stamps=stamps)
        try:
            if mode == "install":
                await one.finished()
            else:
                assert await one.hear() == "open"
            yield one
        finally:
            await one.end()


async def _spawn(stack: ExitStack, row: Row, mode: str, place: Place, starts: Starts | None, *, stamps: bool) -> Program:
    where = environment(row.peer, row.program)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="howdah-peers-")) if starts else ""
    variables = {
        **os.environ,
        **where.variables,
        "PEER_DSN": place.dsn,
        "PEER_REDIS": place.redis,
        "PEER_SETTINGS": json.dumps(row.settings),
        "PEER_STARTS": "",
        "PEER_STAMPS": ("direct" if row.direct else "held") if stamps else "",
    }
    if starts:
        variables["PEER_STARTS"] = f"{folder}/starts"
        stack.enter_context(starts.heard(variables["PEER_STARTS"]))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *where.command, mode, stdin=pipe, stdout=pipe, cwd=where.home, env=variables, start_new_session=True,
        stderr=sys.stderr if os.environ.get("PEERS_LOUD") else asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    return Program(row, process)
