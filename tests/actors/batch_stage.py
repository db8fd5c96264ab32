"""A room with a batch task in it, and another one, without a database."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from time import monotonic, time
from typing import Any

import anyio
import anyio.abc
from howdah import Retry
from howdah.actors.batches import BatchLane
from howdah.actors.gathering import GatheringRoom
from howdah.actors.lane import Lane, Surroundings
from howdah.actors.permits import Permits
from howdah.actors.stock import NodeStock
from howdah.actors.threads import Threads
from howdah.batches import BatchDefinition, batch_of
from howdah.definitions import Middleware
from howdah.mailbox import Mailbox
from howdah.messages import Claimed, Outcome, Standing
from howdah.policy import Defaults
from howdah.tracing import Tracing

from . import stage

OTHER = 9
"""The number of a task beside the batch task, whose runs start alone."""


def item(number: int, value: object = None, lease: int = 100, **other: Any) -> Claimed:
    """A run that the node holds, whose item is its number unless another one is given."""
    text = str(number) if value is None else value
    return stage.claimed(number, lease, args=f'{{"item": {text}}}', **other)


class Place(stage.Place):
    """A room with a batch task in it, and another one."""

    def __init__(
        self,
        function: Callable[..., Any],
        slots: int = 1,
        *,
        size: int = 3,
        within: float = 60,
        key: Any = None,
        retry: int = 1,
        timeout_s: float = 60,
        middlewares: tuple[Middleware, ...] = (),
        permits: Permits | None = None,
        threads: bool = False,
    ) -> None:
        async def alone() -> None: ...

        super().__init__(alone)
        said = Defaults(retry=Retry(retry, base=10.0), timeout=timeout_s)
        definition = BatchDefinition(function, batch_of(size, within, key), said=said)
        around = Surroundings(middlewares, NodeStock())
        lane = BatchLane(definition, stage.HOME, stage.SIZES, around, Threads(1) if threads else None)
        lanes: dict[int, Lane] = {stage.RUN.task: lane, OTHER: stage.lane(alone)}
        self.ledger = Mailbox[Outcome](1000)
        self.standing = Standing(stage.NODE, monotonic() + 60, time() - monotonic())
        self.room: GatheringRoom = GatheringRoom(
            "async", slots, lanes, self.ledger, lambda: self.standing, slice_s=0.005, tracing=Tracing(stage.CONFIG), permits=permits
        )

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[anyio.abc.TaskGroup]:
        """Its slots are served until the block ends."""
        async with anyio.create_task_group() as slots:
            for slot in self.room.slots:
                slots.start_soon(self.room.serve, slot, slots)
            yield slots
            self.room.drain()
            self.room.end()

    def offer(self, *numbers: int) -> None:
        self.room.offer([item(number) for number in numbers])


def ends(outcomes: list[Outcome]) -> list[tuple[int, int, str | None]]:
    return [(one.run, one.kind, one.data) for one in outcomes]


class Calls:
    """What a function was called with."""

    def __init__(self) -> None:
        self.items: list[list[int]] = []
        self.go = anyio.Event()
        self.began = anyio.Event()

    async def double(self, items: list[int]) -> list[int | Exception]:
        self.items.append(items)
        return [2 * one for one in items]

    async def wait(self, items: list[int]) -> list[int | Exception]:
        self.items.append(items)
        self.began.set()
        await self.go.wait()
        return [2 * one for one in items]
