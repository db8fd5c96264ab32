"""Backoff: full jitter within bounds that grow up to the cap; the number of attempts counts the first."""

from datetime import timedelta
from typing import Any

import pytest
from howdah import Retry
from howdah.core.retry import ATTEMPTS_MAX
from howdah.duration import seconds
from hypothesis import given
from hypothesis import strategies as st

RETRIES = st.builds(
    Retry,
    attempts=st.integers(1, 10_000),
    base=st.floats(0, 1e6),
    factor=st.floats(1, 100),
    cap=st.floats(0, 1e7),
)


@given(retry=RETRIES, attempt=st.integers(1, 20_000), jitter=st.floats(0, 1))
def test_a_delay_lies_between_nothing_and_the_bound_of_its_attempt(retry: Retry, attempt: int, jitter: float) -> None:
    delay_s = retry.delay_s(attempt, jitter)
    if attempt >= retry.attempts:
        assert delay_s is None
    else:
        base_s, cap_s = seconds(retry.base), seconds(retry.cap)
        bound_s = min(cap_s, base_s * retry.factor ** min(attempt - 1, 64))
        assert delay_s is not None
        assert delay_s == pytest.approx(jitter * bound_s)
        assert 0 <= delay_s <= cap_s


@given(retry=RETRIES, attempt=st.integers(1, 9_000))
def test_the_bound_never_shrinks_from_one_attempt_to_the_next(retry: Retry, attempt: int) -> None:
    now, later = retry.delay_s(attempt, 1), retry.delay_s(attempt + 1, 1)
    assert now is None or later is None or now <= later


def test_three_attempts_are_two_retries() -> None:
    assert [Retry(3).delay_s(attempt, 1.0) for attempt in (1, 2, 3, 4)] == [1.0, 2.0, None, None]
    assert Retry(1).delay_s(1, 1.0) is None


def test_durations_are_written_as_people_write_them() -> None:
    assert Retry(9, base="500ms", factor=10, cap="1m").delay_s(4, 1.0) == 60
    assert Retry(9, base="500ms", factor=10, cap="1m").delay_s(2, 1.0) == 5


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"attempts": 0}, "at least 1"),
        ({"attempts": -1}, "at least 1"),
        ({"factor": 0.5}, "wait less each time"),
        ({"base": "soon"}, "is no duration"),
        ({"base": -1}, "is no duration"),
        ({"cap": float("inf")}, "is no duration"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Retry(**arguments)


@given(RETRIES)
def test_a_stored_policy_is_the_policy_again(retry: Retry) -> None:
    stored: dict[str, Any] = {**retry.stored()}
    assert Retry(**stored) == retry


def test_every_way_of_writing_a_time_is_stored_as_seconds() -> None:
    assert Retry(3, base=timedelta(minutes=1), cap="2h").stored() == {"attempts": 3, "base": 60, "factor": 2, "cap": 7200}


def test_more_attempts_than_the_schema_counts_are_refused() -> None:
    Retry(ATTEMPTS_MAX)
    with pytest.raises(ValueError, match="more than can be counted: at most 32767"):
        Retry(ATTEMPTS_MAX + 1)
