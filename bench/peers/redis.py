"""A Redis of its own for each measurement, and the four words of its protocol that are needed here."""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from .environments import redis as redis_program
from .row import Row

START_S = 20.0
"""How long a server may take to answer."""


class Redis:
    """A connection over a Unix socket."""

    def __init__(self, socket: Path, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.url = f"unix://{socket}"
        self.pid = pid
        self._reader = reader
        self._writer = writer

    async def ask(self, *words: str) -> str:
        self._writer.write(f"*{len(words)}\r\n".encode() + b"".join(f"${len(word)}\r\n{word}\r\n".encode() for word in words))
        head = (await self._reader.readline()).decode().strip()
        if head.startswith("$") and head != "$-1":
            return (await self._reader.readexactly(int(head[1:]) + 2)).decode().strip()
        return head.lstrip("+:$")

    async def lengths(self, keys: Sequence[str]) -> int:
        """How many entries these keys have together, whatever they are."""
        total = 0
        for key in keys:
            kind = await self.ask("TYPE", key)
            verb = {"list": "LLEN", "hash": "HLEN", "zset": "ZCARD", "set": "SCARD", "stream": "XLEN"}.get(kind)
            total += int(await self.ask(verb, key)) if verb else 0
        return total


@asynccontextmanager
async def redis_server(row: Row) -> AsyncGenerator[Redis | None]:
    """The server a row wants, with the options of its settings; none for those on Postgres."""
    if row.store != "redis":
        yield None
        return
    command, variables = redis_program()
    with tempfile.TemporaryDirectory(prefix="howdah-peers-") as folder:
        socket = Path(folder) / "redis.sock"
        options = [word for name, value in row.settings.get("redis", {}).items() for word in (f"--{name}", value)]
        process = await asyncio.create_subprocess_exec(
            command, "--port", "0", "--unixsocket", str(socket), "--dir", folder, *options,
            env={**os.environ, **variables}, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            reader, writer = await _answered(socket)
            redis = Redis(socket, process.pid, reader, writer)
            yield redis
            writer.close()
        finally:
            process.kill()
            await process.wait()


async def _answered(socket: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection, once there is one to be had: the socket is there before anybody listens at it."""
    async with asyncio.timeout(START_S):
        while True:
            try:
                return await asyncio.open_unix_connection(str(socket))
            except (FileNotFoundError, ConnectionRefusedError):
                await asyncio.sleep(0.01)
