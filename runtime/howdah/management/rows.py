"""What the read models say, as values: each struct is a row of a view, its fields in the order of the columns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from .. import codec
from ..core.states import State
from ..messages import Failure

MENDABLE = (str(State.FAILED), str(State.QUARANTINED), str(State.EXPIRED))
"""What a bulk retry takes unless it says which states: cancelled runs were meant to end, and lost ones were to start at most once."""


class RunInfo(msgspec.Struct, frozen=True):
    """A run as history has it: a row of howdah.runs. Times are None where they do not apply."""

    id: int
    task: str
    queue: str
    state: State
    priority: int
    enqueued_at: datetime
    due_at: datetime | None
    """When a scheduled or retrying run is due."""
    started_at: datetime | None
    """The start of the newest attempt that has ended."""
    ended_at: datetime | None
    attempts: int
    """Attempts made, the one under way included."""
    crashes: int
    """How often a node died while it held the run: counted apart from attempts."""
    parent: int | None
    root: int | None
    tags: list[str] | None
    metadata: dict[str, Any] | None
    args: Any
    result: Any
    error: Failure | None
    """What the newest attempt that failed has raised."""
    reason: str | None
    """Why somebody cancelled it."""
    progress: Any
    node: str | None
    """The node that holds it, or held it last, by name; None when that node has left."""


class LogLine(NamedTuple):
    """A record that an attempt logged."""

    seconds: float
    """Since the start of the attempt."""
    level: str
    logger: str
    message: str


class Event(msgspec.Struct, frozen=True):
    """Something that happened to a run. kind is a name of howdah.kind: succeeded, failed, retried, reaped, cancelled..."""

    kind: str
    at: datetime
    started_at: datetime | None
    lease: int | None
    node: int | None
    delay_s: float | None
    error: Failure | None
    reason: str | None
    result: Any
    logs: list[LogLine]
    """What the attempt logged."""


class RunDetails(RunInfo, frozen=True):
    """A run with all that happened to it, oldest first."""

    history: list[Event]


class Branch(msgspec.Struct, frozen=True):
    """A run and what it enqueued. truncated (of the top): the tree has more runs than were read."""

    run: RunInfo
    children: list[Branch]
    truncated: bool = False


class Page(list[RunInfo]):
    """Runs, newest first. cursor: the search goes on below this id (before=cursor); None: there are no more.

    A page may be shorter than asked for and have a cursor still: it ends where the bound of the search was reached."""

    def __init__(self, runs: Iterable[RunInfo], cursor: int | None) -> None:
        super().__init__(runs)
        self.cursor = cursor


class TaskInfo(msgspec.Struct, frozen=True):
    """A task with what waits and runs of it, its pace per minute, and how its runs ended: a row of howdah.task_stats.

    waiting_since: its runs wait for nobody since then, as howdah.unimplemented has it; None: a living node takes them, or none waits.
    paused_since: none of them starts until it is resumed; None: they start."""

    task: str
    queue: str
    implemented: bool
    ready: int
    running: int
    later: int
    oldest_waiting_s: float | None
    enqueued_per_minute: float
    succeeded_per_minute: float
    failed_per_minute: float
    succeeded: int
    failed: int
    cancelled: int
    retried: int
    waiting_since: datetime | None
    paused_since: datetime | None = None


class Signature(msgspec.Struct, frozen=True):
    """What the catalogue knows of a task's arguments. implemented: a program defines it. input: their json schema; None: unknown."""

    implemented: bool
    input: dict[str, Any] | None


class QueueInfo(msgspec.Struct, frozen=True):
    """A queue with what it holds and its pace per minute: a row of howdah.queue_stats. retention_days None: the setting's.
    paused_since: none of its runs starts until it is resumed; None: they start."""

    queue: str
    ready: int
    running: int
    later: int
    oldest_waiting_s: float | None
    enqueued_per_minute: float
    succeeded_per_minute: float
    failed_per_minute: float
    retention_days: int | None
    paused_since: datetime | None = None


class NodeInfo(msgspec.Struct, frozen=True):
    """A node that has not left: a row of howdah.nodes. queues None: all of them. ordered: "pause" or "drain", which it was told; None:
    it works."""

    id: int
    name: str
    host: str
    pid: int
    version: str
    tasks: list[str]
    queues: list[str] | None
    started_at: datetime
    renewed_at: datetime
    alive_until: datetime
    alive: bool
    ordered: str | None = None
    labels: dict[str, Any] = {}
    """What it says of itself, for runs to require and prefer."""


class Misfit(msgspec.Struct, frozen=True):
    """A run whose arguments fit no definition that has tried them: a row of howdah.misfits."""

    run: int
    task: str
    queue: str
    since: datetime
    mismatch: str | None


class Unimplemented(msgspec.Struct, frozen=True):
    """A task with waiting runs that no living node implements: a row of howdah.unimplemented."""

    task: str
    queue: str
    since: datetime
    first_run: int


class Trouble(msgspec.Struct, frozen=True):
    """Runs of one task that ended badly in one way. truncated: the task has more than were looked at."""

    task: str
    state: State
    fingerprint: str | None
    error_type: str | None
    message: str | None
    runs: int
    newest: int
    newest_at: datetime
    truncated: bool


class Unplaced(msgspec.Struct, frozen=True):
    """Runs that wait since no living node is where they may go: a row of howdah.unplaced. sticky_to: the node that they are bound to."""

    task: str
    queue: str
    since: datetime
    first_run: int
    requires: dict[str, Any] | None
    sticky_to: str | None
    why: str


class Todo(msgspec.Struct, frozen=True):
    """What waits for a human: tasks that nobody implements, runs that fit nobody or may go nowhere, and runs that went wrong."""

    unimplemented: list[Unimplemented]
    misfits: list[Misfit]
    trouble: list[Trouble]
    unplaced: list[Unplaced] = []


_RUN = RunInfo.__struct_fields__
_JSON = {"metadata", "args", "result", "progress"}


def run_fields(row: Iterable[Any]) -> dict[str, Any]:
    """The fields of a RunInfo from a row of show_runs()."""
    fields = dict(zip(_RUN, row, strict=True))
    for name in _JSON:
        fields[name] = decoded(fields[name])
    fields["state"] = State(fields["state"])
    fields["error"] = failure(fields["error"])
    return fields


def event(row: Iterable[Any]) -> Event:
    """An Event from a row of run_history()."""
    kind, at, started_at, lease, node, delay_s, data, logs = row
    succeeded = kind == "succeeded"
    said = _Said() if succeeded or data is None else codec.decoder(_Said).decode(data)
    return Event(
        kind=kind, at=at, started_at=started_at, lease=lease, node=node, delay_s=delay_s,
        error=failure(data) if said.message is not None else None, reason=said.reason,
        result=decoded(data) if succeeded else None, logs=[] if logs is None else codec.decoder(list[LogLine]).decode(logs),
    )  # fmt: skip


class _Said(msgspec.Struct, frozen=True):
    """What tells the data of an error from that of a cancel."""

    message: str | None = None
    reason: str | None = None


def failure(data: str | None) -> Failure | None:
    """The recorded exception."""
    return None if data is None else codec.decoder(Failure).decode(data)


def decoded(data: str | None) -> Any:
    """A column of json as a value."""
    return None if data is None else codec.decode(data)
