"""What a node counts and samples between two reports."""

import itertools

import pytest
from howdah import codec
from howdah.actors.tally import LEASE_LOST, Sample, Tally
from howdah.core.states import Kind
from howdah.messages import Failure

from .stage import RUN, claimed


@pytest.mark.parametrize("most", [2, 3, 10, 1000])
@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11, 999, 1000, 20_000])
def test_a_sample_is_all_of_a_few_and_at_least_half_of_its_bound_of_many_spread_evenly(most: int, count: int) -> None:
    sample: Sample[int] = Sample(most)
    for value in range(count):
        sample.add(value)
    kept = sample.take()
    if count < most:
        assert kept == list(range(count))
    else:
        assert most // 2 <= len(kept) < most
        steps = {later - earlier for earlier, later in itertools.pairwise(kept)}
        assert len(steps) <= 1
        assert count - kept[-1] <= max(steps, default=count)
    assert sample.take() == []


def test_a_sample_that_was_taken_begins_anew_with_every_value() -> None:
    sample: Sample[int] = Sample(4)
    for value in range(100):
        sample.add(value)
    sample.take()
    sample.add(1)
    assert sample.take() == [1]


def test_every_end_is_counted_by_queue_task_kind_and_error_however_few_are_kept() -> None:
    tally = Tally(2)
    failure = codec.encode(Failure("shop.Declined", "no"))
    for run in range(10):
        tally.end(claimed(run), int(Kind.SUCCEEDED), None, 0.0, 0.1)
    tally.end(claimed(11), int(Kind.FAILED), failure, 0.0, 0.1)
    tally.end(claimed(12), LEASE_LOST, failure, 0.0, 0.1)
    line = (RUN.queue, RUN.task)
    expected = {(*line, 1, None): 10, (*line, 2, "shop.Declined"): 1, (*line, 0, None): 1}
    assert tally.take_ended() == expected
    assert tally.take_ended() == {}
    assert len(tally.attempts.take()) < 2


def test_what_could_not_be_told_is_counted_with_the_next_ones() -> None:
    tally = Tally(2)
    tally.end(claimed(1), int(Kind.SUCCEEDED), None, 0.0, 0.1)
    ended = tally.take_ended()
    tally.end(claimed(2), int(Kind.SUCCEEDED), None, 0.0, 0.1)
    tally.put_back(ended)
    assert list(tally.take_ended().values()) == [2]
