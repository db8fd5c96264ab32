"""What an exception means for its run."""

import asyncio

import pytest
from howdah import GiveUp, RateLimited, Retry, Snooze
from howdah.core.states import TRANSITIONS, Kind, State
from howdah.core.verdict import Cause, verdict

RETRY = Retry(2)


@pytest.mark.parametrize(
    ("error", "cause", "attempt", "expected"),
    [
        (ValueError(), None, 1, (Kind.RETRIED, 0.5)),
        (ValueError(), None, 2, (Kind.FAILED, None)),
        (TimeoutError(), Cause.TIMEOUT, 1, (Kind.RETRIED, 0.5)),
        (TimeoutError(), Cause.TIMEOUT, 2, (Kind.FAILED, None)),
        (asyncio.CancelledError(), Cause.CANCEL, 1, (Kind.STOPPED, None)),
        (asyncio.CancelledError(), Cause.SHUTDOWN, 2, (Kind.RELEASED, None)),
        (asyncio.CancelledError(), None, 1, (Kind.RETRIED, 0.5)),
        (Snooze("5m"), None, 1, (Kind.SNOOZED, 300.0)),
        (Snooze("5m"), None, 2, (Kind.SNOOZED, 300.0)),
        (RateLimited("smtp", retry_after="5m"), None, 2, (Kind.SNOOZED, 300.0)),
        (GiveUp("why"), None, 1, (Kind.FAILED, None)),
        (SystemExit(1), None, 1, (Kind.RETRIED, 0.5)),
    ],
)
def test_the_table_of_verdicts(error: BaseException, cause: Cause | None, attempt: int, expected: tuple[Kind, float | None]) -> None:
    assert verdict(error, cause, attempt, RETRY, jitter=0.5) == expected


@pytest.mark.parametrize("cause", [None, *Cause])
@pytest.mark.parametrize("error", [ValueError(), Snooze(1), GiveUp(), asyncio.CancelledError()])
@pytest.mark.parametrize("attempt", [1, 2])
def test_every_verdict_is_an_event_of_a_running_run_and_only_waits_have_a_delay(
    error: BaseException, cause: Cause | None, attempt: int
) -> None:
    kind, delay_s = verdict(error, cause, attempt, RETRY, jitter=0.5)
    target = TRANSITIONS[kind, State.RUNNING]
    assert (delay_s is not None) == (target in (State.RETRYING, State.SCHEDULED))
