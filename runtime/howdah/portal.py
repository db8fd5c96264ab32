"""The way from a thread to an event loop, for code that cannot await: that of the open app, else one of our own.

An app that is open in another thread lends its connections: sync tasks of a node and sync views beside it need none of
their own. Without one, a daemon thread with an event loop and a client is started at the first call and ended at exit.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from .client import Client
from .config import Config
from .errors import AppNotOpen, HowdahError

T = TypeVar("T")


class _Door(NamedTuple):
    """A loop to call into, the client that lives there, and the process and thread that it was opened in (0: a thread of ours)."""

    portal: BlockingPortal
    client: Client
    process: int
    thread: int


class _Background(NamedTuple):
    """The loop of our own, and the thread that it runs in."""

    door: _Door
    thread: threading.Thread


class Portal:
    """Calls of one app from threads."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._doors: list[_Door] = []
        self._background: _Background | None = None
        self._starting = threading.Lock()

    @asynccontextmanager
    async def open(self, client: Client) -> AsyncGenerator[None, None]:
        """Calls from other threads come to this loop until the block ends."""
        async with BlockingPortal() as portal:
            door = _Door(portal, client, os.getpid(), threading.get_ident())
            self._doors.append(door)
            try:
                yield
            finally:
                self._doors.remove(door)
                await portal.stop(cancel_remaining=True)

    def call(self, name: str, instead: str, work: Callable[[Client], Awaitable[T]]) -> T:
        """Does the work on a loop, and blocks meanwhile. It may be done again on another one when a block of the app is left
        meanwhile: what must not be, shields itself. HowdahError: called on a running loop, or in a process that was forked."""
        refuse_on_loop(name, instead)
        spent: list[_Door] = []
        while True:
            door = self._door(spent)
            try:
                future = door.portal.start_task_soon(work, door.client)
            except RuntimeError:  # It has just been closed.
                spent.append(door)
                continue
            try:
                return future.result()
            except (CancelledError, AppNotOpen):  # The app was left meanwhile. Nothing was sent.
                if not door.thread:
                    raise AppNotOpen("the app's background thread was ended while this call waited for it") from None
                spent.append(door)
            except BaseException:
                future.cancel()
                raise

    def point(self, config: Config) -> None:
        """To another database: the next call starts a thread of its own there."""
        self.close()
        self._config = config

    def close(self) -> None:
        """Ends the thread of our own, if there is one; the next call starts another one. In-flight calls are told."""
        with self._starting:
            background, self._background = self._background, None
        if background is not None and background.door.process == os.getpid():
            atexit.unregister(self.close)
            background.door.portal.start_task_soon(background.door.portal.stop)
            background.thread.join()

    def _door(self, spent: list[_Door]) -> _Door:
        here, background = threading.get_ident(), self._background
        # Before the lock: it may have been held at the fork.
        for door in [*self._doors, *([background.door] if background else [])]:
            if door.process != os.getpid():
                raise HowdahError(
                    f"this process was forked from {door.process}, where the app was connected already, and connections and threads"
                    " cannot be shared: make the first call after the fork (in the worker), or start processes with `spawn`"
                )
        # The thread of an open app may call while its loop stands still: that would wait for itself.
        fit = (door for door in self._doors if door.thread != here and door not in spent)
        return next(fit, None) or self._own(spent)

    def _own(self, spent: list[_Door]) -> _Door:
        with self._starting:
            if self._background is not None and self._background.door in spent:
                self._background = None
            if self._background is None:
                self._background = self._start()
            return self._background.door

    def _start(self) -> _Background:
        """Not anyio's start_blocking_portal: its context, collected in a process that was forked, would wait for the thread
        that only the other process has."""
        ready: Future[_Door] = Future()
        thread = threading.Thread(target=anyio.run, args=(self._live, ready), daemon=True, name="howdah portal")
        thread.start()
        try:
            door = ready.result()
        except BaseException:
            thread.join()
            raise
        atexit.register(self.close)
        return _Background(door, thread)

    async def _live(self, ready: Future[_Door]) -> None:
        client = Client(self._config)
        try:
            await client.open()
        except BaseException as error:  # noqa: BLE001 - it is for the thread that waits
            ready.set_exception(error)
            return
        async with BlockingPortal() as portal:
            async with anyio.create_task_group() as serving:
                serving.start_soon(client.serve)
                ready.set_result(_Door(portal, client, os.getpid(), 0))
                await portal.sleep_until_stopped()
                serving.cancel_scope.cancel()
            # Whoever still waits is told; the portal ends when they have been.
            await client.close()


def refuse_on_loop(name: str, instead: str) -> None:
    """HowdahError on a thread whose event loop is running: blocking it would stop everything else."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise HowdahError(f"{name} was called on a running event loop, which it would block: {instead}")
