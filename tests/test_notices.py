"""Notifications as they are sent, and as nobody should send them."""

import math

import pytest
from howdah import notices


def test_what_our_functions_send_is_understood() -> None:
    assert notices.ready("1 2 -3 4") == (1, 2, -3, 4, None)
    assert notices.ready("1 2 -3 4 abc") == (1, 2, -3, 4, "abc")
    assert notices.pairs("1 2,3 4") == [(1, 2), (3, 4)]
    assert notices.runs("1 2 3") == [1, 2, 3]
    assert (notices.paused("queue 7"), notices.paused("task 8"), notices.paused("")) == ((7, None), (None, 8), None)
    assert (notices.seconds("1.5"), notices.seconds("0"), notices.seconds("-1")) == (1.5, 0.0, -1.0)


NONSENSE = [
    *("", " ", "a", "1", "1 2 3", "1 2 3 x", "1.0 2 3 4", "² 2 3 4", "1_0 2 3 4", "--1 2 3 4", "- 2 3 4"),
    *("9" * 5000, "\n", "1,2", ",", "inf"),
]


@pytest.mark.parametrize("payload", NONSENSE)
def test_nonsense_is_passed_over(payload: str) -> None:
    assert notices.ready(payload) is None
    assert notices.paused(payload) is notices.paused(f"queue {payload}x") is notices.paused(f"node {payload}") is None
    assert all(isinstance(number, int) for number in notices.runs(payload))
    notices.pairs(payload)
    assert not math.isnan(notices.seconds(payload))


@pytest.mark.parametrize(
    "payload", [f"{2**31} 1 1 1", f"1 {2**31} 1 1", f"1 1 {2**15} 1", f"1 1 1 {2**63}", "-1 1 1 1", f"1 1 {-(2**15) - 1} 1"]
)
def test_numbers_that_postgres_does_not_have_are_passed_over(payload: str) -> None:
    assert notices.ready(payload) is None


def test_the_reminder_of_a_cancel_cannot_be_sent() -> None:
    assert notices.seconds("-2") == -1.0
    assert notices.seconds("-inf") == -1.0
    assert notices.seconds("nan") == 0.0
