"""What an attempt that raised means for its run: the kind of its event, and how long until it goes on."""

from enum import Enum

from ..errors import GiveUp, Snooze
from .retry import Retry
from .states import Kind


class Cause(Enum):
    """Why we interrupted an attempt."""

    TIMEOUT = "timeout"
    CANCEL = "cancel"
    LOST = "lost"
    SHUTDOWN = "shutdown"


class Misfit(Exception):
    """The stored arguments of a run do not fit this definition of its task: another node's may."""


def verdict(error: BaseException, cause: Cause | None, attempt: int, retry: Retry, jitter: float) -> tuple[Kind, float | None]:
    """The event of an attempt that raised, and the delay in seconds where the run goes on later.

    cause: why the attempt was interrupted, if the exception is that interruption; one that ends by another
    exception failed like any other. attempt: 1 for the first. jitter: from 0 to 1, drawn by the caller.
    """
    if cause is Cause.CANCEL:
        return Kind.STOPPED, None
    if cause is Cause.SHUTDOWN:
        return Kind.RELEASED, None
    if isinstance(error, Snooze):
        return Kind.SNOOZED, error.delay_s
    if isinstance(error, Misfit):
        return Kind.MISFIT, None
    if isinstance(error, GiveUp):
        return Kind.FAILED, None
    delay_s = retry.delay_s(attempt, jitter)
    return (Kind.FAILED, None) if delay_s is None else (Kind.RETRIED, delay_s)
