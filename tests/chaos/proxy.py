"""TCP between a node and Postgres: it can be cut, delayed, and left half open."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import anyio
import anyio.abc

CHUNK = 65536


class Proxy:
    """Passes bytes from a port of the loopback to the server's socket, as long as it lets them."""

    def __init__(self, socket: str, group: anyio.abc.TaskGroup) -> None:
        self.port = 0
        self.delay_s = 0.0
        self._socket = socket
        self._group = group
        self._links: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._there = _open()
        self._back = _open()

    @staticmethod
    @asynccontextmanager
    async def to(socket: str) -> AsyncGenerator["Proxy"]:
        async with anyio.create_task_group() as group:
            proxy = Proxy(socket, group)
            listener = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
            proxy.port = listener.sockets[0].getsockname()[1]
            try:
                yield proxy
            finally:
                listener.close()
                proxy.cut()
                group.cancel_scope.cancel()

    def cut(self) -> None:
        """Ends all connections that pass here."""
        for ends in list(self._links):
            for end in ends:
                end.transport.abort()
        self._links.clear()

    def half_open(self, how: str) -> None:
        """deaf: nothing comes back. mute: nothing gets there. both. Nobody is told."""
        if how != "mute":
            self._back = anyio.Event()
        if how != "deaf":
            self._there = anyio.Event()

    def mend(self) -> None:
        """Whatever passed meanwhile is lost with its connections, as after a reboot of what is in between."""
        self.delay_s = 0.0
        self.cut()
        self._there.set()
        self._back.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            writer.transport.abort()
            return
        link = (writer, far_writer)
        self._links.add(link)
        self._group.start_soon(self._pass, reader, far_writer, link, True)
        self._group.start_soon(self._pass, far_reader, writer, link, False)

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        link: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        there: bool,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await (self._there if there else self._back).wait()
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if writer.is_closing():
                    break
                writer.write(data)
                await writer.drain()
        self._links.discard(link)
        for end in link:
            end.close()


def _open() -> anyio.Event:
    event = anyio.Event()
    event.set()
    return event
