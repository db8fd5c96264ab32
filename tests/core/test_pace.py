from howdah.core.pace import Counts, Pace, pace

BEFORE = Counts(enqueued=100, succeeded=80, failed=1, retried=0)


def test_a_pace_is_what_happened_in_between_for_each_second() -> None:
    after = Counts(enqueued=110, succeeded=100, failed=1, retried=5)
    assert pace(BEFORE, after, 2.5) == Pace(enqueued=4, succeeded=8, failed=0, retried=2)


def test_of_one_count_alone_there_is_no_pace() -> None:
    assert pace(None, BEFORE, 1) is None


def test_without_time_in_between_there_is_no_pace() -> None:
    assert pace(BEFORE, BEFORE, 0) is None
    assert pace(BEFORE, BEFORE, -1) is None


def test_counts_that_went_back_are_no_pace() -> None:
    assert pace(BEFORE, Counts(enqueued=200, succeeded=79, failed=1, retried=0), 1) is None
