"""What tasks that watch over others are told: a run that failed, and facts that somebody should know."""

from datetime import datetime
from typing import Any, Literal, get_args

import msgspec

Fact = Literal["run.failed", "run.stale", "run.quarantined", "node.lost"]
"""What @jobs.on hears of: a run failed for the last time; an outcome came from a node that had lost the run; a run took
down the nodes that ran it, and is not tried again; a node did not report within its lease."""

FACTS: tuple[Fact, ...] = get_args(Fact)


class FailedRun(msgspec.Struct, frozen=True, kw_only=True):
    """The argument of an on_failure= handler: which run failed, how, and what it had been given."""

    run_id: int
    task: str
    state: str
    attempt: int
    error_type: str | None = None
    message: str | None = None
    args: dict[str, Any] = {}


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """The argument of an @jobs.on handler. What a fact says nothing of is None.

    node, lease: who is meant. other_node, other_lease: of run.stale, who holds the run instead.
    """

    fact: Fact
    at: datetime
    run_id: int | None = None
    task: str | None = None
    state: str | None = None
    attempt: int | None = None
    error_type: str | None = None
    message: str | None = None
    node: int | None = None
    lease: int | None = None
    other_node: int | None = None
    other_lease: int | None = None
