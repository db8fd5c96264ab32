"""The rows of the model, as values, and how its functions refuse."""

from typing import NamedTuple

import msgspec
from howdah.core.states import Kind

QUEUE = 1
SUSPECT = 2
NEARLY_FULL = 0.9


class NodeGone(Exception):
    """HW002: the node has lost its lease."""


class GateTaken(Exception):
    """HW004: another node is the gate."""


NARROW = 7
"""The task whose runs are under a limit."""


class LeaseLost(Exception):
    """HW001: the run is held no more."""


class Twice(Exception):
    """HW003: a batch names a run twice."""


class QueueFull(Exception):
    """54000: there is no room for a notification, and the transaction fails at its commit."""

    def __init__(self) -> None:
        super().__init__("too many notifications in the NOTIFY queue")


class Run(msgspec.Struct, frozen=True):
    """What never changes of a run."""

    id: int
    task: int
    priority: int = 0
    once: bool = False
    parent: int | None = None
    keeps: bool = False
    """It stays when its parent is cancelled."""
    key: str | None = None
    awaited: bool = False

    @property
    def limited(self) -> bool:
        """Whether it waits for the gate."""
        return self.task == NARROW


class Hot(msgspec.Struct, frozen=True):
    """A pending run: a row of job, or of timer where it has a due time."""

    run: Run
    attempt: int = 0
    lease: int | None = None
    node: int | None = None
    crashes: int = 0
    cancelling: bool = False
    expires: float | None = None
    due: float | None = None

    @property
    def hold(self) -> tuple[int, int | None, int | None]:
        """Who holds it, and under which lease."""
        return self.run.id, self.lease, self.node

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands in its line."""
        return self.run.priority, self.run.id


class Event(NamedTuple):
    """A row of event."""

    run: int
    kind: Kind
    at: float
    lease: int | None = None
    node: int | None = None


class Member(msgspec.Struct, frozen=True):
    """A row of node."""

    until: float
    renewed: float
    tasks: tuple[int, ...] = ()
    world: int = 1
    """The one that it entered."""
