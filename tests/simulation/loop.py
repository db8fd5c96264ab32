"""An event loop whose time is a number: it jumps to the next timer when nothing is ready, so that an hour takes no time.

What is ready runs in an order that the seed decides. A process (a label in the context of its tasks) may be frozen, as by
SIGSTOP: nothing of it runs until it is thawed, while the time goes on.
"""

import asyncio
import selectors
from collections import deque
from contextvars import ContextVar
from random import Random
from typing import Any

PROCESS: ContextVar[str] = ContextVar("process", default="world")
"""Which simulated process this code belongs to."""


class Stuck(AssertionError):
    """Nothing is ready and no timer is set: everybody waits for everybody."""


class _NoFiles(selectors.BaseSelector):
    """Waits for no file: waiting is what moves the clock."""

    def __init__(self) -> None:
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stuck("nothing is ready and no timer is set")
        self.now += max(0.0, timeout)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, 0, None)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, events, data)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        raise KeyError(fileobj)

    def get_map(self) -> dict[Any, Any]:
        return {}


class _Queued(asyncio.SelectorEventLoop):
    """What asyncio keeps to itself, and what this loop is about."""

    _ready: deque[Any]

    def _run_once(self) -> None:
        super()._run_once()  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


class VirtualLoop(_Queued):
    """An event loop of virtual time. shuffled: what is ready runs in an order of the seed's, not in that of its arrival."""

    def __init__(self, random: Random, *, shuffled: bool) -> None:
        self._clock = _NoFiles()
        super().__init__(self._clock)
        self._random = random
        self._shuffled = shuffled
        self._frozen: dict[str, list[Any]] = {}

    def time(self) -> float:
        return self._clock.now

    def freeze(self, process: str) -> None:
        """Nothing of this process runs from now on."""
        self._frozen.setdefault(process, [])

    def thaw(self, process: str) -> None:
        """It goes on where it was."""
        self._ready.extend(self._frozen.pop(process, []))

    def is_frozen(self, process: str) -> bool:
        """Whether it stands still."""
        return process in self._frozen

    def _write_to_self(self) -> None:
        """There is no thread to wake this loop from."""

    def _run_once(self) -> None:
        # The queue of ready handles is asyncio's own: there is no other place to order them, or to keep some back.
        if self._frozen:
            self._hold_back()
        if self._shuffled and len(self._ready) > 1:
            handles = list(self._ready)
            self._random.shuffle(handles)
            self._ready.clear()
            self._ready.extend(handles)
        super()._run_once()

    def _hold_back(self) -> None:
        ready = list(self._ready)
        self._ready.clear()
        for handle in ready:
            held = self._frozen.get(handle._context.get(PROCESS, "world"))
            (self._ready if held is None else held).append(handle)
