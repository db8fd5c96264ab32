"""Single enqueues that come together travel together: whatever piled up during the last commit is the next statement.

Each caller waits for the commit that holds its own run. No timer: a lone enqueue goes at once. A caller that is cancelled
takes nobody along; its run is committed, or was never sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import anyio

from .config import Config
from .errors import AppNotOpen, DatabaseAway
from .submission import Made, Request, Submitted

Submit = Callable[[Sequence[Request]], Awaitable[list[Submitted]]]
"""Commits all of these requests or none, and tells the nodes."""

Wish = tuple[Request, "asyncio.Future[Made]"]
"""A request for one run, and who waits for it."""


class Combiner:
    """The waiting enqueues of one app. serve() owns the statement that is under way."""

    def __init__(self, config: Config, submit: Submit) -> None:
        self._config = config
        self._submit = submit
        self._waiting: deque[Wish] = deque()  # Bounded by the callers, each of whom waits for its own.
        self._arrived: asyncio.Future[None] | None = None
        self._servers = anyio.Lock()
        self._served = False

    async def enqueue(self, request: Request) -> Made:
        """Enqueues one run durably, together with whoever else is about to."""
        if not self._served:
            # Who serves has been cancelled, and the caller, in a shielded scope, has not.
            return (await self._submit([request]))[0].made()[0]
        future: asyncio.Future[Made] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        self._stir()
        return await future

    def close(self) -> None:
        """Tells those who still wait that nobody will answer."""
        for _, future in self._waiting:
            _fail(future, AppNotOpen("the app was closed before this enqueue was sent: do it inside of `async with jobs:`"))
        self._waiting.clear()

    async def serve(self) -> None:
        """Commits what waits until it is cancelled; the next one who serves takes over."""
        async with self._servers:
            self._served = True
            try:
                while True:
                    if not self._waiting:
                        await self._arrival()
                    await self._commit_waiting()
            finally:
                self._served = False
                # Whoever came before this would wait for a server that may never come.
                while self._waiting:
                    await self._commit_waiting()

    async def _arrival(self) -> None:
        self._arrived = asyncio.get_running_loop().create_future()
        try:
            await self._arrived
        finally:
            self._arrived = None

    def _stir(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    async def _commit_waiting(self) -> None:
        # A block that leaves does not tear the statement of others apart: it waits for its end.
        with anyio.CancelScope(shield=True):
            await self._commit(self._take())

    def _take(self) -> list[Wish]:
        """What piled up, bounded as a chunk of enqueue_many is, without those whose caller has gone."""
        batch: list[Wish] = []
        size = 0
        waiting, runs_max, characters_max = self._waiting, self._config.enqueue_chunk, self._config.enqueue_chunk_characters
        while waiting and len(batch) < runs_max and size < characters_max:
            wish = waiting.popleft()
            if not wish[1].done():
                batch.append(wish)
                size += len(wish[0].args[0])
        return batch

    async def _commit(self, batch: Sequence[Wish]) -> None:
        """One statement for all of them. What Postgres refuses is halved until the bad one stands alone before its caller."""
        if not batch:
            return
        groups = _grouped(batch)
        try:
            answers = await self._submit([_merged(group) for group in groups])
        except (DatabaseAway, AppNotOpen) as away:
            for _, future in batch:
                _fail(future, type(away)(*away.args))
        except Exception as error:  # noqa: BLE001 - it is for the caller to see
            if len(batch) == 1:
                _fail(batch[0][1], error)
                return
            half = len(batch) // 2
            await self._commit(batch[:half])
            await self._commit(batch[half:])
        else:
            for group, submitted in zip(groups, answers, strict=True):
                for (_, future), made in zip(group, submitted.made(), strict=True):
                    if not future.done():
                        future.set_result(made)


def _fail(future: asyncio.Future[Made], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _grouped(batch: Sequence[Wish]) -> list[list[Wish]]:
    """Those of one task with the same options go together, in their order."""
    groups: dict[tuple[str, str | None], list[Wish]] = {}
    for wish in batch:
        groups.setdefault((wish[0].definition.name, wish[0].options), []).append(wish)
    return list(groups.values())


def _merged(group: Sequence[Wish]) -> Request:
    first = group[0][0]
    if len(group) == 1:
        return first
    keys = None if first.keys is None else [key for request, _ in group for key in request.keys or ()]
    return Request(first.definition, [request.args[0] for request, _ in group], first.options, keys=keys)
