"""What actors say to each other: frozen values, one closed union per mailbox."""

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from . import codec
from .core.breaker import Guard


class Claimed(msgspec.Struct, frozen=True, gc=False):
    """A run that this node holds under (lease, node). Columns of functions/claim.sql, behind the node."""

    node: int
    id: int
    queue: int
    task: int
    priority: int
    attempt: int
    lease: int
    args: str
    tags: list[str] | None
    metadata: str | None
    options: str | None
    aside: bool = False
    """Claimed past its line: a suspect, which starts next, or a run that fitted no definition before."""
    trace: str | None = None
    """The span that asked for it (core/ancestry.py); asked: when that was, in Unix time of the database. None: there was none."""
    asked: float | None = None
    lane: str | None = None
    """The concurrency key under which the gate admitted it, the first of its keys, or "" where only its placement brought it there.
    None: the gate had nothing to do with it."""


class Looked(NamedTuple):
    """What a look at all lines found: the head of each that has a run to claim (queue and task, priority and id), whether some are only
    to be had aside, and the tasks of which runs wait for the gate."""

    heads: list[tuple[tuple[int, int], tuple[int, int]]]
    aside: bool = False
    gated: frozenset[int] = frozenset()


class SeatLost(Exception):
    """Another node is the gate, or will be: this one has lost a connection, or its lease. It admits nothing until it sits again."""


class Terms(msgspec.Struct, frozen=True):
    """What a limit allows, or one of its keys. A row of functions/gate_terms.sql, with its terms read."""

    name: str
    key: str | None
    kind: str
    number: int | None
    per_s: float | None
    burst: float | None
    paused: bool
    when_full: str | None = None
    """What becomes of runs that find it full (howdah.Limit). None: they wait."""
    guard: Guard | None = None
    """Of a breaker, when it opens."""
    blocked: int | None = None
    """The run whose failure holds this key up."""


class Held(msgspec.Struct, frozen=True, gc=False):
    """A run that a node holds under limits, or that keeps permits and is held by nobody (lease and node are None).
    A row of functions/gate_held.sql."""

    run: int
    lease: int | None
    node: int | None
    task: int
    demands: str


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """Runs of one line that wait for the gate, by priority, then id. A row of functions/gate_look.sql and its like."""

    line: int
    queue: int
    task: int
    demands: str | None
    """As howdah.run has them, json text. None: they were told before."""
    priorities: list[int]
    runs: list[int]
    more: bool | None = None
    """Whether the line has more than these."""
    placement: str | None = None
    """Where they may go, as howdah.run has it, json text. None: anywhere."""
    sinces: list[float] | None = None
    """Since when each was ready, in Unix time, where they wait for a better node for a while. None: they do not."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How an attempt ended: a row of howdah.event, its fields in the order of EVENT_COLUMNS."""

    run: int
    lease: int
    node: int
    started: datetime | None
    kind: int
    delay: timedelta | None
    data: str | None
    task: int
    logs: str | None = None


class Begun(msgspec.Struct, frozen=True, tag=True):
    """An attempt in a child process is about to start."""


class Extended(msgspec.Struct, frozen=True, tag=True):
    """It moved its deadline, in monotonic seconds, which are the same for all processes."""

    deadline: float


class Reported(msgspec.Struct, frozen=True, tag=True):
    """It said how far it is: json text."""

    value: str


class Limited(msgspec.Struct, frozen=True, tag=True):
    """It is about to pause, and this rate with it."""

    limit: str


Sign = Begun | Extended | Reported | Limited
"""What is heard of an attempt in a child process before its outcome."""

EVENT_COLUMNS = Outcome.__struct_fields__


class Closing(msgspec.Struct, frozen=True):
    """The other side wants a pause: a rate is closed for so long, for the key that a run has there. See functions/close_buckets.sql."""

    run: int
    lease: int
    node: int
    limit: str
    seconds: float


class Woken(msgspec.Struct, frozen=True):
    """There are hints to take. Sent only when there were none: at most one is under way."""


class Freed(msgspec.Struct, frozen=True):
    """So many runs of each lease need no room any more: their outcomes are durable, or they were dropped."""

    leases: dict[int, int]


class Admitted(msgspec.Struct, frozen=True):
    """The gate has admitted these to this node, which holds them already."""

    runs: list[Claimed]


class Stop(msgspec.Struct, frozen=True):
    """Claim no more. From here on shutdown is end-of-stream."""


ToDispatcher = Woken | Freed | Admitted | Stop


class Standing(msgspec.Struct, frozen=True):
    """Who this node is, and until when (monotonic seconds) what it holds is certainly its own."""

    node: int
    until: float
    offset_s: float
    """Unix time of the database minus monotonic time of this process."""
    renewed: float = 0.0
    """When the database answered last, in monotonic seconds."""


class Rejection(msgspec.Struct, frozen=True):
    """An outcome that came too late: 'duplicate' (a resend of an accepted one) or 'stale' (the lease was lost).
    other_lease and other_node: who holds the run now, or ended it."""

    run: int
    lease: int
    verdict: str
    node: int | None = None
    other_lease: int | None = None
    other_node: int | None = None


class Fact(msgspec.Struct, frozen=True):
    """Something that upkeep found, for the log: node.lost, run.quarantined, run.lost, or so many times run.expired."""

    fact: str
    node: int = 0
    run: int | None = None
    lease: int | None = None
    name: str | None = None
    host: str | None = None
    pid: int | None = None
    count: int = 1


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """An exception as it is recorded: dotted class, text, traceback, and the dotted names of the class and its bases."""

    type: str = ""
    message: str = ""
    traceback: str = ""
    bases: list[str] = []
    hash: str | None = None
    """Of the definition that the stored arguments do not fit."""
    fingerprint: str | None = None
    """The same for errors that are the same: see core/fingerprint.py."""


class _Reason(msgspec.Struct, frozen=True):
    reason: str | None = None


class Ended(msgspec.Struct, frozen=True):
    """The end of a run, as whoever awaits it sees it. known=False: there is no such run."""

    run: int
    kind: int | None
    data: str | None
    attempt: int | None
    known: bool = True

    def failure(self) -> Failure:
        """The exception of a run that failed."""
        return Failure() if self.data is None else codec.decoder(Failure).decode(self.data)

    def reason(self) -> str | None:
        """Why somebody cancelled it."""
        return None if self.data is None else codec.decoder(_Reason).decode(self.data).reason
