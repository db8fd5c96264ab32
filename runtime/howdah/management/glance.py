"""What goes on now, in one look: `jobs.glance()`, and what two of them say of the pace."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from ..client import Client
from ..core.pace import Counts, Pace, pace
from ..db.files import query
from .asking import asking


class QueueGlance(msgspec.Struct, frozen=True):
    """A queue with what it holds, and how much it has moved since the beginning. queue None: the sum over all of them.

    waiting_s: how long its oldest run waits; in the sum the longest of those queues that are in the same glance. paused: none of
    its runs starts until it is resumed."""

    queue: str | None
    ready: int
    running: int
    later: int
    waiting_s: float | None
    enqueued: int
    succeeded: int
    failed: int
    retried: int
    paused: bool = False

    @property
    def counts(self) -> Counts:
        """What it has moved."""
        return Counts(self.enqueued, self.succeeded, self.failed, self.retried)


class FleetGlance(msgspec.Struct, frozen=True):
    """How many nodes there are: alive, silent (their lease is over), and told to pause or to drain."""

    alive: int
    silent: int
    told: int


class NodeGlance(msgspec.Struct, frozen=True):
    """A node. queues None: all of them. tasks: how many it has. renewed_s: since it reported last."""

    name: str
    host: str
    pid: int
    version: str
    alive: bool
    ordered: str | None
    queues: list[str] | None
    tasks: int
    up_s: float
    renewed_s: float


class HeldGlance(msgspec.Struct, frozen=True):
    """A run that a node holds. stopping: somebody asked it to stop, and it has not ended: a thread cannot be killed.

    progress: what it said last, reported_s ago; None also where this role may not read it."""

    run: int
    task: str | None
    queue: str | None
    node: str | None
    attempt: int
    stopping: bool
    progress: Any
    age_s: float | None
    reported_s: float | None


class BreakerGlance(msgspec.Struct, frozen=True):
    """A key of a breaker that is not closed, for open_s by now. probe_s: until one run goes as a probe; negative: that may be under way."""

    name: str
    key: str
    open_s: float
    probe_s: float


class Glance(msgspec.Struct, frozen=True):
    """What goes on at one moment of the database. queues: the busiest ones of all those that are known.

    paused_tasks: by name; open_breakers: the oldest first; at most as many of each as queues were asked for."""

    at: datetime
    database: str
    known: int
    total: QueueGlance
    queues: list[QueueGlance]
    fleet: FleetGlance
    nodes: list[NodeGlance]
    runs: list[HeldGlance]
    paused_tasks: list[str] = []
    open_breakers: list[BreakerGlance] = []


async def glance(client: Client, queues: int, nodes: int, runs: int) -> Glance:
    """At most so many of each, in one statement whose cost is that of what is pending."""
    async with asking(client) as connection:
        row = await connection.fetchrow(query("glance"), queues, nodes, runs)
    assert row is not None
    total, *busiest = _decoded(row["queues"], list[QueueGlance])
    return Glance(
        row["at"], row["database"], row["known"], total, busiest, _decoded(row["fleet"], FleetGlance),
        _decoded(row["nodes"], list[NodeGlance]), _decoded(row["runs"], list[HeldGlance]), _decoded(row["paused_tasks"], list[str]),
        _decoded(row["open_breakers"], list[BreakerGlance]),
    )  # fmt: skip


class Paces:
    """Follows glances, and says how fast each queue goes. Remembers one glance."""

    def __init__(self) -> None:
        self._at: datetime | None = None
        self._before: Mapping[str | None, Counts] = {}

    def follow(self, seen: Glance) -> dict[str | None, Pace | None]:
        """The pace of each queue in this glance since the one before, and under None that of all. None: it was not seen before."""
        elapsed_s = 0.0 if self._at is None else (seen.at - self._at).total_seconds()
        now = {one.queue: one.counts for one in (seen.total, *seen.queues)}
        found = {queue: pace(self._before.get(queue), counts, elapsed_s) for queue, counts in now.items()}
        self._at, self._before = seen.at, now
        return found


def _decoded(text: str | None, kind: type[Any]) -> Any:
    return msgspec.json.decode(text or "[]", type=kind)
