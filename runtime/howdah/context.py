"""What a function sees of its own run. Reached by functions, so that tasks need no context parameter."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from time import monotonic
from typing import TypeAlias
from uuid import UUID, uuid5

import anyio
import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy
from opentelemetry.trace import SpanContext

from . import codec
from .core.ancestry import headers
from .core.verdict import Cause
from .duration import Duration, seconds
from .errors import ConfigurationError, HowdahError, LeaseLost
from .labels import Labels
from .logs import Logbook
from .messages import Claimed
from .progress import Board, Reporter

UserConnection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
"""A connection of the pool in a user's hands: everything that asyncpg.Connection can."""

Transaction: TypeAlias = "Callable[[CurrentRun], AbstractAsyncContextManager[UserConnection]]"


class CurrentNode(msgspec.Struct, frozen=True):
    """The node that runs this code."""

    name: str
    """As `howdah nodes ls` has it."""
    labels: Labels
    """What it says of itself: labels.set(zone="us") and labels.remove("zone") take effect within a second. In a process of a task's own
    (isolation="process") they are as they were when the attempt began, and cannot be changed."""


class Home(msgspec.Struct, frozen=True):
    """What an attempt finds on its node. dsn: the database that the run is in."""

    transaction: Transaction
    board: Board
    installation: UUID
    dsn: str | None
    node: CurrentNode


CURRENT: ContextVar[CurrentRun] = ContextVar("howdah_current_run")


class CurrentRun(msgspec.Struct, eq=False):
    """The attempt that is running here. Its node sets cause when it interrupts it. Times are in monotonic seconds.

    limited: the rate that is to be closed for as long as the run pauses.
    unrecorded: its span, where a sampler has dropped that and somebody has asked for it.
    """

    claimed: Claimed
    task: str
    started: float
    home: Home
    deadline: float = 0.0
    in_thread: bool = False
    heeded: bool = False
    cause: Cause | None = None
    completed: bool = False
    in_transaction: bool = False
    ended: bool = False
    logbook: Logbook | None = None
    unrecorded: SpanContext | None = None
    limited: str | None = None
    _logs: str | None = None
    _result: str | None = None

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.task}, attempt {self.attempt}>"

    @property
    def id(self) -> int:
        """The run's id."""
        return self.claimed.id

    @property
    def attempt(self) -> int:
        """1 for the first."""
        return self.claimed.attempt

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags given at enqueue."""
        return tuple(self.claimed.tags or ())

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata given at enqueue."""
        return codec.decode(self.claimed.metadata) if self.claimed.metadata else {}

    @property
    def trace(self) -> dict[str, str] | None:
        """The trace that the run was enqueued in, as the headers of W3C Trace Context."""
        trace = self.claimed.trace
        return None if trace is None else headers(trace)

    @property
    def cancelled(self) -> bool:
        """Whether this attempt should end: for sync functions, which cannot be interrupted. One that has seen it ends as
        cancelled, timed out or handed back, however it returns. LeaseLost: it lost its run."""
        self.check_held()
        if self.cause is None:
            return False
        self.heeded = True
        return True

    @property
    def idempotency_key(self) -> str:
        """A UUID that is the same in all attempts of this run and in no other run, for payment providers and other outside
        effects. LeaseLost: it lost its run."""
        self.check_held()
        return str(uuid5(self.home.installation, str(self.id)))

    def extend(self, timeout: Duration) -> None:
        """Moves the deadline of this attempt: it ends so long from now, whatever was left. LeaseLost: it lost its run."""
        board = self._check_under_way("extend()")
        if self.cause is Cause.TIMEOUT:
            raise HowdahError(f"the time of {self!r} is over already: call extend() before that")
        more_s = seconds(timeout)
        if more_s == 0:
            raise ConfigurationError("extend(timeout=0) would end the attempt now; a timeout is positive")
        self.deadline = monotonic() + more_s
        board.moved(self.deadline)

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Says how far the run is, for whoever watches it. It waits for nothing: the latest value is stored about twice a
        second, and NOTIFY howdah_progress names the run. LeaseLost: it lost its run."""
        board = self._check_under_way("progress()")
        value = {"done": done, "total": total, "message": None if message is None else codec.printable(message)}
        board.post(Reporter(self.id, self.claimed.lease, self.claimed.node), codec.encode(value))

    def set_result(self, value: object) -> None:
        """The result of a run that ends in transaction(), which commits before the function returns a value. LeaseLost: it lost its run."""
        self.check_held()
        self._result = codec.encode(value)

    def check_held(self) -> None:
        """LeaseLost if this attempt has lost its run: whatever it asks for would be done twice."""
        if self.cause is Cause.LOST:
            raise LeaseLost(_lost(self))

    def _check_under_way(self, call: str) -> Board:
        self.check_held()
        if self.ended:
            raise HowdahError(f"{call} of {self!r} came too late: the attempt has ended")
        return self.home.board

    def take_logs(self, encoded: str | None) -> None:
        """What the attempt logged in a process of its own."""
        self._logs = encoded

    def offer_result(self, data: str | None) -> None:
        """What the function returned, as json text: the result unless set_result() was given another one."""
        if self._result is None:
            self._result = data

    def encoded_logs(self) -> str | None:
        """What was logged so far, as json text."""
        return self._logs if self.logbook is None else self.logbook.encoded()

    def encoded_result(self) -> str | None:
        """What set_result() was given, as json text."""
        return self._result

    def transaction(self) -> AbstractAsyncContextManager[UserConnection]:
        """See howdah.transaction()."""
        self.check_held()
        if self.completed:
            raise HowdahError(f"{self!r} has been completed by an earlier transaction() already; use one of them per run")
        if self.in_transaction:
            raise HowdahError(f"a transaction() of {self!r} is open already; pass its connection on instead of opening another one")
        return self.home.transaction(self)


class BatchAttempt(CurrentRun):
    """One attempt of many runs, as its node sees it. runs: one for each item that waited. places: of those whose items the function
    was given, in its order. answers: what is known of each place: an exception, or its result as json text."""

    runs: list[CurrentRun] = []
    places: list[int] = []
    answers: dict[int, BaseException | str | None] = {}

    def __repr__(self) -> str:
        return f"<batch of {len(self.runs)} runs of {self.task}>"


class CurrentBatch:
    """The runs whose function is running here, all in one call."""

    def __init__(self, attempt: CurrentRun) -> None:
        self._attempt = attempt
        self.task = attempt.task
        together = isinstance(attempt, BatchAttempt)
        self.runs: tuple[CurrentRun, ...] = tuple(attempt.runs[place] for place in attempt.places) if together else (attempt,)
        """In the order of the items. `cancelled` of one says that this item need not be done; its answer counts for nothing."""

    def __len__(self) -> int:
        return len(self.runs)

    def __repr__(self) -> str:
        return repr(self._attempt)

    @property
    def cancelled(self) -> bool:
        """Whether the whole batch should end: for sync functions, as current_run().cancelled. LeaseLost: it lost its runs."""
        return self._attempt.cancelled

    def extend(self, timeout: Duration) -> None:
        """Moves the deadline of the whole batch: it ends so long from now, whatever was left. LeaseLost: it lost its runs."""
        self._attempt.extend(timeout)


def current_run() -> CurrentRun:
    """The run that is executing this code. HowdahError outside of a run, and in a batch, which is many of them."""
    try:
        run = CURRENT.get()
    except LookupError:
        raise HowdahError("current_run() was called outside of a run; it works inside a task's function") from None
    if isinstance(run, BatchAttempt):
        raise HowdahError(f"current_run() was called in a {run!r}: current_batch().runs has them, in the order of the items")
    return run


def current_batch() -> CurrentBatch:
    """The batch that is executing this code; in a task of single runs it is of one, so that middleware may ask in either. HowdahError
    outside of a run."""
    try:
        return CurrentBatch(CURRENT.get())
    except LookupError:
        raise HowdahError("current_batch() was called outside of a run; it works inside a task's function") from None


def current_node() -> CurrentNode:
    """The node that is executing this code, or whose process of a task's own is. HowdahError outside of a run."""
    try:
        return CURRENT.get().home.node
    except LookupError:
        raise HowdahError(
            "current_node() was called outside of a run; it works inside a task's function. Elsewhere the node is what"
            " `async with jobs.work() as node:` gives, and node.labels are its labels"
        ) from None


def check_held() -> None:
    """LeaseLost inside of an attempt that has lost its run. Outside of a run it says nothing."""
    run = CURRENT.get(None)
    if run is not None:
        run.check_held()


def is_taken_down() -> bool:
    """Whether the node around this code is being taken down, so that a cancellation is meant for it and not for the attempt.
    Scopes of the user's own have been left by now."""
    return anyio.current_effective_deadline() == -math.inf


def transaction() -> AbstractAsyncContextManager[UserConnection]:
    """A transaction on a connection of the pool that ends the run when it commits: your effects and the run's end
    are one. If another attempt has taken over, it raises LeaseLost and everything rolls back.

    The run's result is what current_run().set_result() was given inside of the block, else None. Code after the
    block runs when the run has ended already. For async functions only. The connection is closed by Postgres if it sits idle for a lease.
    """
    return current_run().transaction()


def _lost(run: CurrentRun) -> str:
    return f"{run!r} is no longer held by this process: another attempt may be under way. Stop, and let what is uncommitted roll back."


def lease_lost(run: CurrentRun) -> LeaseLost:
    """The exception for an attempt that just learned that it lost its run."""
    run.cause = Cause.LOST
    return LeaseLost(_lost(run))
