"""The line between a worker and the process that supervises it: the worker says how it does, and a line that is cut means that the
other one is gone. Nothing that is said here matters to a run.
"""

import asyncio
import socket
from contextlib import suppress

import msgspec


class News(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a worker says of itself."""

    ready: str | None = None
    """The name of its node, which works from now on."""
    leaving: bool = False
    """It was told to drain by `howdah nodes drain`: nobody wants another one in its place."""
    running: dict[str, int] | None = None
    """How many runs of each task have still to end."""
    left_s: float = 0.0
    """Until what runs is cancelled."""


class Lifeline:
    """One end."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._socket.setblocking(False)
        self._rest = b""

    def tell(self, news: News) -> None:
        """Says it, if the other end listens and keeps up."""
        with suppress(OSError):
            self._socket.send(msgspec.json.encode(news) + b"\n")

    async def hear(self) -> list[News] | None:
        """What was said next; None: the other end is gone."""
        with suppress(OSError):
            heard = await asyncio.get_running_loop().sock_recv(self._socket, 65536)
            if heard:
                *lines, self._rest = (self._rest + heard).split(b"\n")
                return [news for line in lines if (news := _read(line)) is not None]
        return None

    def close(self) -> None:
        """Cuts the line."""
        self._socket.close()


def _read(line: bytes) -> News | None:
    try:
        return msgspec.json.decode(line, type=News)
    except msgspec.MsgspecError:
        return None  # A line that was cut short, since the other end did not keep up.
