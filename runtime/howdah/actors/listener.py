"""Hears notifications. Losing every one costs latency, never work: after each reconnect everything is looked at."""

from collections.abc import Callable
from typing import Protocol

import anyio


class Bell(Protocol):
    """What the listener needs of the database."""

    async def connect(self) -> None: ...
    async def probe(self) -> bool: ...


async def listen(bell: Bell, again: Callable[[], None], lost: Callable[[], anyio.Event], probe_s: float) -> None:
    """Keeps the bell connected until it is cancelled. again: called after each (re)connect.

    lost: an event that is set when the connection ends by itself.
    """
    while True:
        gone = lost()
        await bell.connect()
        again()
        alive = True
        while alive:
            with anyio.move_on_after(probe_s):
                await gone.wait()
            alive = not gone.is_set() and await bell.probe()
