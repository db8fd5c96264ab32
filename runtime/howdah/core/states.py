"""The life of a run as one table: event x state -> state. Rule 1: what is not in the table is refused.

The same lists stand in SQL (howdah.kind); a test holds the two together and walks every cell against the database.
"""

from enum import IntEnum, StrEnum


class State(StrEnum):
    """Where a run is. The first six are pending, the others are ends."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    GATED = "gated"
    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    QUARANTINED = "quarantined"
    LOST = "lost"


ENDS = frozenset(State) - {State.SCHEDULED, State.QUEUED, State.GATED, State.RUNNING, State.WAITING, State.RETRYING}


class Kind(IntEnum):
    """What an event says. Below 16 a node sends it, fenced by (lease, node); the others come from SQL functions."""

    SUCCEEDED = 1
    FAILED = 2
    STOPPED = 3
    RETRIED = 4
    SNOOZED = 5
    RELEASED = 6
    MISFIT = 7
    CANCEL_REQUESTED = 16
    CANCELLED = 17
    EXPIRED = 18
    REAPED = 19
    RETURNED = 20
    LOST = 21
    QUARANTINED = 22
    REOPENED = 23
    REJECTED = 24
    SKIPPED = 25


_PENDING = (State.SCHEDULED, State.QUEUED, State.GATED, State.RETRYING)
_REOPENED = (State.FAILED, State.CANCELLED, State.EXPIRED, State.QUARANTINED, State.LOST, State.REJECTED, State.SKIPPED)

TRANSITIONS: dict[tuple[Kind, State], State] = (
    {
        (Kind.SUCCEEDED, State.RUNNING): State.SUCCEEDED,
        (Kind.FAILED, State.RUNNING): State.FAILED,
        (Kind.STOPPED, State.RUNNING): State.CANCELLED,
        (Kind.RETRIED, State.RUNNING): State.RETRYING,
        (Kind.SNOOZED, State.RUNNING): State.SCHEDULED,
        (Kind.RELEASED, State.RUNNING): State.QUEUED,
        (Kind.MISFIT, State.RUNNING): State.QUEUED,
        (Kind.CANCEL_REQUESTED, State.RUNNING): State.RUNNING,
        (Kind.CANCELLED, State.RUNNING): State.CANCELLED,
        (Kind.REAPED, State.RUNNING): State.QUEUED,
        (Kind.RETURNED, State.RUNNING): State.QUEUED,
        (Kind.LOST, State.RUNNING): State.LOST,
        (Kind.QUARANTINED, State.RUNNING): State.QUARANTINED,
        (Kind.EXPIRED, State.QUEUED): State.EXPIRED,
        (Kind.EXPIRED, State.GATED): State.EXPIRED,
        (Kind.REJECTED, State.GATED): State.REJECTED,
        (Kind.SKIPPED, State.GATED): State.SKIPPED,
    }
    | {(Kind.CANCELLED, state): State.CANCELLED for state in _PENDING}
    | {(Kind.REOPENED, state): State.QUEUED for state in _REOPENED}
)
"""The cells of this release. A running run is cancelled only where that was asked for and its attempt would go on
(retried, snoozed, released, reaped, returned); one that starts at most once is lost and not reaped. A run with limits is gated
wherever another one is queued. Waiting runs have no event that leads to them yet."""
