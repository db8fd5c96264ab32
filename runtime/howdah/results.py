"""Whoever awaits a run: pushed through one listening connection, however many wait.

Write, commit, then look: a run is marked as awaited, and whether it had ended is asked in the same call. A lost
notification costs one poll.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import anyio

from .config import Config
from .db.stores import Bell
from .errors import AppNotOpen, DatabaseAway
from .messages import Ended

WATCH_MAX = 1000
"""Runs in one question to the database: bounds the statement, whatever the number of waiters."""


class Ends(Protocol):
    """What results need of the database."""

    async def watch(self, runs: Sequence[int]) -> list[Ended]: ...
    async def outcomes(self, runs: Sequence[int]) -> list[Ended]: ...


class Results:
    """The waiters of one app. serve() owns the listening connection and answers them."""

    def __init__(self, config: Config, ends: Ends) -> None:
        self._config = config
        self._ends = ends
        self._waiting: dict[int, list[asyncio.Future[Ended]]] = {}
        self._unmarked: set[int] = set()
        self._announced: set[int] = set()
        self._stir = anyio.Event()
        self._lost = False
        self._serving = anyio.Lock()

    async def wait(self, run: int) -> Ended:
        """The end of this run."""
        future = asyncio.get_running_loop().create_future()
        waiters = self._waiting.setdefault(run, [])
        waiters.append(future)
        if len(waiters) == 1:
            self._unmarked.add(run)
            self._stir.set()
        try:
            return await future
        finally:
            waiters.remove(future)
            if not waiters and self._waiting.get(run) is waiters:
                del self._waiting[run]

    def close(self) -> None:
        """Tells those who still wait that nobody will answer."""
        for future in [future for waiters in self._waiting.values() for future in waiters if not future.done()]:
            future.set_exception(AppNotOpen("the app was closed while this result was awaited: await it inside of `async with jobs:`"))

    async def serve(self) -> None:
        """Answers waiters until it is cancelled; the next one who serves takes over. Connects at the first waiter."""
        async with self._serving:
            self._stir = anyio.Event()
            if not self._waiting:
                await self._stir.wait()
            bell = Bell(self._config, "results", ["howdah_done"], self._heard)
            try:
                while True:
                    await bell.connect()
                    self._unmarked.update(self._waiting)
                    self._lost = False
                    await self._answer(bell)
            finally:
                await bell.close()

    async def _answer(self, bell: Bell) -> None:
        """Until the listening connection is lost."""
        probe_at = poll_at = anyio.current_time() + self._config.probe_s
        while not self._lost:
            if not (self._unmarked or self._announced):
                self._stir = anyio.Event()
                with anyio.move_on_after(max(0.0, min(probe_at, poll_at) - anyio.current_time())):
                    await self._stir.wait()
            now = anyio.current_time()
            if now >= poll_at:
                poll_at = now + self._config.result_poll_s
                self._announced.update(self._waiting)
            if now >= probe_at:
                probe_at = now + self._config.probe_s
                if self._waiting and not await bell.probe():
                    return
            await self._ask(self._announced, self._ends.outcomes)
            await self._ask(self._unmarked, self._ends.watch)

    async def _ask(self, runs: set[int], question: Callable[[Sequence[int]], Awaitable[list[Ended]]]) -> None:
        while runs:
            some = [run for run, _ in zip(runs, range(WATCH_MAX), strict=False)]
            # Taken out before the question: what is heard of a run while it is under way asks again.
            runs.difference_update(some)
            try:
                ended = await question(some)
            except DatabaseAway:
                runs.update(some)
                await anyio.sleep(random.random() * self._config.backoff_max_s)  # noqa: S311 - jitter, not a secret
                return
            for end in ended:
                self._resolve(end)

    def _resolve(self, end: Ended) -> None:
        for future in self._waiting.pop(end.run, []):
            if not future.done():
                future.set_result(end)

    def _heard(self, channel: str, payload: str) -> None:
        if channel:
            self._announced.update(run for run in map(int, payload.split()) if run in self._waiting)
        else:
            self._lost = True
        self._stir.set()
