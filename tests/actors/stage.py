"""A lane, a room and runs to put into it, without a database."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from time import monotonic, time
from typing import Any
from uuid import UUID

import msgspec
from howdah import Retry
from howdah.actors.lane import DROPPED, Lane, Sizes, Surroundings
from howdah.actors.permits import Permits
from howdah.actors.room import Room
from howdah.actors.stock import NodeStock
from howdah.config import Config
from howdah.context import CurrentNode, CurrentRun, Home, UserConnection
from howdah.definitions import Definition
from howdah.labels import Labels
from howdah.limits import AnyLimit
from howdah.mailbox import Mailbox
from howdah.messages import Claimed, Closing, Outcome, Standing
from howdah.policy import Defaults, Delivery
from howdah.progress import Board
from howdah.tracing import Tracing

CONFIG = Config(busy_look_s=0.05, idle_look_s=0.05, second_look_s=0.01, keep_longest_s=0.05, heartbeat_s=0.02, lease_s=0.2)
NODE = 77
RUN = Claimed(NODE, 1, 1, 5, 0, 1, 100, "{}", None, None, None)
SIZES = Sizes(payload_max=1000, error_max=2000)


def no_transaction(run: CurrentRun) -> AbstractAsyncContextManager[UserConnection]:
    raise AssertionError("no test of these opens one")


HOME = Home(no_transaction, Board(lambda: None), UUID(int=1), None, CurrentNode("here", Labels({}, lambda: None)))


def lane(
    function: Callable[..., Any],
    timeout_s: float = 60,
    attempts: int = 1,
    delivery: Delivery = "at_least_once",
    limits: Sequence[AnyLimit] = (),
    slots: int = 1,
) -> Lane:
    """The lane of a task made of this function."""
    said = Defaults(retry=Retry(attempts, base=10.0), timeout=timeout_s, delivery=delivery)
    return Lane(Definition(function, said=said, limits=limits, slots=slots), HOME, SIZES, Surroundings((), NodeStock()))


def claimed(run: int, lease: int = 100, **other: Any) -> Claimed:
    """A run that the node holds."""
    return msgspec.structs.replace(RUN, id=run, lease=lease, **other)


class Gatehouse:
    """A way to a gate that is on another node."""

    def __init__(self) -> None:
        self.permits = Permits(0.05)
        self.spaces: list[int] = []
        self.free: list[tuple[int, int]] = []
        self.doubtful: list[tuple[int, int]] = []
        self.also: frozenset[int] = frozenset()
        self.wanted: frozenset[int] = frozenset()

    def found(self, tasks: Iterable[int]) -> None:
        self.also |= frozenset(tasks)

    def take_wanted(self) -> frozenset[int]:
        wanted, self.wanted = self.wanted, frozenset()
        return wanted

    def space(self, room: int, capacity: int, tasks: frozenset[int]) -> list[str]:
        self.spaces.append(capacity)
        return [f"room {room}: {capacity} of {sorted(tasks)}"]

    def take_closings(self, outcomes: Sequence[Outcome]) -> Sequence[Closing]:
        return self.permits.take_closings(outcomes)

    def ended(self, outcomes: Sequence[Outcome]) -> Sequence[str]:
        free, doubtful = self.permits.end(outcomes, DROPPED)
        self.free += free.items()
        self.doubtful += doubtful.items()
        return [f"ended {run}" for run in (*free, *doubtful)]


class Place:
    """A room with everything around it that it talks to."""

    def __init__(
        self,
        function: Callable[..., Any],
        slots: int = 1,
        timeout_s: float = 60,
        permits: Permits | None = None,
        limits: Sequence[AnyLimit] = (),
        wide: Mapping[str, int] | None = None,
    ) -> None:
        """wide: beside the task of RUN others, in their order, each of which takes so many slots."""
        self.ledger = Mailbox[Outcome](1000)
        self.standing: Standing | None = Standing(NODE, monotonic() + 60, time() - monotonic())
        self.room = Room(
            "async",
            slots,
            {RUN.task: lane(function, timeout_s, limits=limits)}
            | {RUN.task + n: lane(function, slots=width) for n, width in enumerate((wide or {}).values(), 1)},
            self.ledger,
            lambda: self.standing,
            slice_s=0.005,
            tracing=Tracing(CONFIG),
            permits=permits,
        )

    async def outcomes(self, count: int) -> list[Outcome]:
        """The next so many, in the order in which they came."""
        found: list[Outcome] = []
        while len(found) < count:
            found += await self.ledger.take(count)
        return found
