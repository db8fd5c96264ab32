"""Whoever awaits a run: pushed through one listening connection, however many wait.

Write, commit, then look: a run is marked as awaited, and whether it had ended is asked in the same call. A lost
notification costs one poll. Where nothing can be heard, there is no such connection and polling is all there is.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import anyio

from . import notices
from .config import Config
from .db.stores import Bell
from .errors import AppNotOpen, ConfigurationError, DatabaseAway
from .messages import Ended

WATCH_MAX = 1000
"""Runs in one question to the database: bounds the statement, whatever the number of waiters."""


class Ends(Protocol):
    """What results need of the database. config: as it is once the app is open."""

    @property
    def config(self) -> Config: ...
    async def watch(self, runs: Sequence[int]) -> list[Ended]: ...
    async def outcomes(self, runs: Sequence[int]) -> list[Ended]: ...


class Results:
    """The waiters of one app. serve() owns the listening connection and answers them."""

    def __init__(self, ends: Ends) -> None:
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
            config = self._ends.config
            if not config.hears:
                self._unmarked.update(self._waiting)
                await self._answer(None, config.probe_s, config.result_poll_s)
            bell = Bell(config, "results", ["howdah_done"], self._heard)
            try:
                while True:
                    await bell.connect()
                    self._unmarked.update(self._waiting)
                    self._lost = False
                    await self._answer(bell, config.probe_s, config.result_poll_s)
            finally:
                await bell.close()

    async def _answer(self, bell: Bell | None, probe_s: float, poll_s: float) -> None:
        """Until the listening connection is lost; without one, for ever."""
        now = anyio.current_time()
        probe_at, poll_at = now + probe_s, now + poll_s
        while not self._lost:
            if not (self._unmarked or self._announced):
                self._stir = anyio.Event()
                with anyio.move_on_after(max(0.0, min(probe_at, poll_at) - anyio.current_time())):
                    await self._stir.wait()
            now = anyio.current_time()
            if now >= poll_at:
                poll_at = now + poll_s
                self._announced.update(self._waiting)
            if now >= probe_at:
                probe_at = now + probe_s
                if bell is not None and self._waiting and not await bell.probe():
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
                await anyio.sleep(random.random() * self._ends.config.backoff_max_s)  # noqa: S311 - jitter, not a secret
                return
            except ConfigurationError as error:  # The role may not ask: that is theirs to hear who wait.
                for run in some:
                    self._refuse(run, error)
                continue
            for end in ended:
                self._resolve(end)

    def _resolve(self, end: Ended) -> None:
        for future in self._waiting.pop(end.run, []):
            if not future.done():
                future.set_result(end)

    def _refuse(self, run: int, error: ConfigurationError) -> None:
        for future in self._waiting.pop(run, []):
            if not future.done():
                future.set_exception(ConfigurationError(str(error)))

    def _heard(self, channel: str, payload: str) -> None:
        if channel:
            self._announced.update(run for run in notices.runs(payload) if run in self._waiting)
        else:
            self._lost = True
        self._stir.set()
