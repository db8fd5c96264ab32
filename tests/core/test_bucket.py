import math

from howdah.core.bucket import Bucket, Flow
from hypothesis import given
from hypothesis import strategies as st

FLOW = Flow(per_s=2.0, burst=10.0)


def test_a_full_bucket_holds_the_burst_and_no_more() -> None:
    assert Bucket.full().filled(FLOW, 5.0) == Bucket(10.0, 5.0)
    assert Bucket(9.0, 0.0).filled(FLOW, 100.0) == Bucket(10.0, 100.0)


def test_tokens_flow_in_with_time() -> None:
    assert Bucket(1.0, 10.0).filled(FLOW, 12.0) == Bucket(5.0, 12.0)


def test_a_clock_that_goes_back_fills_nothing_in_and_takes_nothing_out() -> None:
    assert Bucket(1.0, 10.0).filled(FLOW, 9.0) == Bucket(1.0, 10.0)


def test_it_says_when_it_has_enough() -> None:
    assert Bucket(1.0, 10.0).enough_at(FLOW, 1.0) == 10.0
    assert Bucket(1.0, 10.0).enough_at(FLOW, 5.0) == 12.0
    assert Bucket.full().enough_at(FLOW, 5.0) == -math.inf
    assert Bucket(0.0, 10.0).enough_at(Flow(0.0, 1.0), 1.0) == math.inf


def test_what_costs_more_than_the_burst_goes_when_it_is_full_and_leaves_a_debt() -> None:
    assert Bucket(8.0, 0.0).enough_at(FLOW, 25.0) == 1.0
    after = Bucket(8.0, 0.0).filled(FLOW, 1.0).without(25.0)
    assert after == Bucket(-15.0, 1.0)
    assert after.enough_at(FLOW, 1.0) == 9.0


def test_a_bucket_that_is_closed_gives_nothing_before_its_time() -> None:
    closed = Bucket(7.0, 10.0).closed_until(60.0)
    assert closed.enough_at(FLOW, 1.0) == 60.0
    assert closed.filled(FLOW, 59.0) == closed
    assert closed.filled(FLOW, 61.0).level == 9.0
    assert closed.closed_until(30.0) == closed


def test_a_full_bucket_that_was_closed_is_as_full_as_its_terms_allow_afterwards() -> None:
    closed = Bucket.full().closed_until(60.0)
    assert closed.enough_at(FLOW, 1.0) == 60.0
    assert closed.filled(FLOW, 60.0).without(1.0) == Bucket(9.0, 60.0)


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0.1, 20)), max_size=40))
def test_in_any_time_goes_no_more_than_the_burst_and_what_flowed_in(steps: list[tuple[float, float]]) -> None:
    bucket, now, went = Bucket.full(), 0.0, 0.0
    for wait_s, cost in steps:
        now += wait_s
        if bucket.enough_at(FLOW, cost) <= now:
            assert went <= FLOW.burst + now * FLOW.per_s + 1e-3  # A debt counts from the run on that made it.
            bucket = bucket.filled(FLOW, now).without(cost)
            went += cost
            bucket = Bucket(bucket.level, bucket.at)  # Written down and read back.


@given(st.floats(-50, 10), st.floats(0, 1e9), st.floats(0.01, 30), st.floats(0.001, 1e4))
def test_when_it_is_said_to_have_enough_it_has(level: float, at: float, cost: float, per_s: float) -> None:
    flow = Flow(per_s, 10.0)
    bucket = Bucket(level, at)
    then = bucket.enough_at(flow, cost)
    assert bucket.filled(flow, then).level >= min(cost, flow.burst) - 1e-6 - per_s * 1e-6
