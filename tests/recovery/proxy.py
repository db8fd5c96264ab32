"""A way to Postgres that may be frozen, cut, or lose just the answer to a COPY that has been committed."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote, unquote

import anyio
import anyio.abc

CHUNK = 65536
SOCKET = ".s.PGSQL.5432"


class Proxy:
    """Passes bytes between clients and the server's socket, as long as it lets them."""

    def __init__(self, dsn: str, folder: Path, group: anyio.abc.TaskGroup) -> None:
        found = re.search(r"host=([^&]+)", dsn)
        assert found is not None, "the tests' server listens on a socket"
        self._server = f"{unquote(found[1])}/{SOCKET}"
        self.dsn = dsn.replace(found[0], f"host={quote(str(folder))}")
        self._open = anyio.Event()
        self._open.set()
        self._group = group
        self._links: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self.answers_to_lose: list[bytes] = []
        self.lost = 0

    @staticmethod
    @asynccontextmanager
    async def to(dsn: str) -> AsyncIterator["Proxy"]:
        folder = Path(tempfile.mkdtemp(prefix="howdah-proxy-"))
        try:
            async with anyio.create_task_group() as group:
                proxy = Proxy(dsn, folder, group)
                listener = await asyncio.start_unix_server(proxy._serve, folder / SOCKET)
                try:
                    yield proxy
                finally:
                    listener.close()
                    proxy.cut()
                    group.cancel_scope.cancel()
        finally:
            shutil.rmtree(folder)

    def freeze(self) -> None:
        """From now on nothing passes, and nobody is told."""
        self._open = anyio.Event()

    def thaw(self) -> None:
        self._open.set()

    def cut(self) -> None:
        """Ends all connections that pass here."""
        for ends in self._links:
            for end in ends:
                end.close()
        self._links.clear()

    def lose_answer(self, tag: bytes, times: int = 1) -> None:
        """The next answers that begin with this command tag do not arrive: their connection ends instead."""
        self.answers_to_lose += [tag] * times

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_unix_connection(self._server)
            self._links.append((writer, far_writer))
            self._group.start_soon(self._pass, reader, far_writer)
            self._group.start_soon(self._answer, far_reader, writer, far_writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        """Messages of the server, one at a time."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(5)
                body = await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
                await self._open.wait()
                if head[:1] == b"C" and self.answers_to_lose and body.startswith(self.answers_to_lose[0]):
                    self.answers_to_lose.pop(0)
                    self.lost += 1
                    break
                writer.write(head + body)
                await writer.drain()
        writer.close()
        far.close()
