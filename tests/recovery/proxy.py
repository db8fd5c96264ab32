"""A way to Postgres that may be frozen, cut, or lose just the answer to what has been committed."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import AsyncGenerator
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
        self._losses: list[tuple[bytes, bytes]] = []

    @staticmethod
    @asynccontextmanager
    async def to(dsn: str) -> AsyncGenerator["Proxy"]:
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

    def lose_answer(self, tag: str, who: str) -> None:
        """The next answer with this command tag to a connection of this name does not arrive: the connection ends instead."""
        self._losses.append((tag.encode(), f"application_name\0howdah {who}".encode()))

    @property
    def losses_ahead(self) -> int:
        """How many such answers have not been lost yet."""
        return len(self._losses)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await self._open.wait()
            far_reader, far_writer = await asyncio.open_unix_connection(self._server)
            self._links.append((writer, far_writer))
            opening = await reader.read(CHUNK)
            far_writer.write(opening)
            self._group.start_soon(self._pass, reader, far_writer)
            self._group.start_soon(self._answer, opening, far_reader, writer, far_writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _answer(self, opening: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        """Messages of the server, one at a time."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(5)
                body = await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
                await self._open.wait()
                loss = next((loss for loss in self._losses if head[:1] == b"C" and body.startswith(loss[0]) and loss[1] in opening), None)
                if loss is not None:
                    self._losses.remove(loss)
                    break
                writer.write(head + body)
                await writer.drain()
        writer.close()
        far.close()
