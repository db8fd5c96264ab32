"""How many runs are held in advance: the horizon's worth at the present rate, and none for slow tasks."""

from howdah.core.prefetch import Prefetch
from hypothesis import given
from hypothesis import strategies as st


def steady(prefetch: Prefetch, per_s: float, for_s: float, since: float = 1000.0) -> float:
    """Runs that end at this rate; returns the time at the end."""
    step_s = 0.01
    for step in range(int(for_s / step_s)):
        prefetch.note(round(per_s * step_s * (step + 1)) - round(per_s * step_s * step), since + step * step_s)
    return since + for_s


def test_nothing_is_held_in_advance_before_anything_has_ended() -> None:
    assert Prefetch(0.05, 4000).extra == 0


def test_slow_tasks_hold_nothing_in_advance() -> None:
    prefetch = Prefetch(0.05, 4000)
    steady(prefetch, 10, 5)
    assert prefetch.extra <= 1


def test_fast_tasks_hold_what_the_horizon_needs() -> None:
    prefetch = Prefetch(0.05, 4000)
    steady(prefetch, 20_000, 1)
    assert 900 < prefetch.extra < 1100


def test_a_node_that_wakes_holds_what_the_horizon_needs_after_its_first_ends() -> None:
    prefetch = Prefetch(0.05, 4000)
    prefetch.begin(1000.0)
    prefetch.note(64, 1000.004, dry=True)
    assert 790 < prefetch.extra <= 800


def test_the_time_before_a_claim_counts_for_nothing() -> None:
    prefetch = Prefetch(0.05, 4000)
    prefetch.begin(1000.0)
    prefetch.note(1, 1000.001, dry=True)
    prefetch.begin(1060.0)
    prefetch.note(64, 1060.004, dry=True)
    assert 790 < prefetch.extra <= 800


def test_a_burst_of_ends_is_averaged_while_runs_wait_for_slots() -> None:
    prefetch = Prefetch(0.05, 4000)
    end = steady(prefetch, 20_000, 1)
    prefetch.note(2000, end + 0.02)
    assert prefetch.extra < 3100


def test_a_rate_that_falls_is_followed_within_a_few_windows() -> None:
    prefetch = Prefetch(0.05, 4000)
    end = steady(prefetch, 20_000, 1)
    steady(prefetch, 100, 0.4, since=end)
    assert prefetch.extra < 20


def test_after_a_long_rest_the_old_rate_is_forgotten() -> None:
    prefetch = Prefetch(0.05, 4000)
    end = steady(prefetch, 20_000, 1)
    prefetch.note(1, end + 60)
    assert prefetch.extra == 0


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(0, 100)), max_size=50), st.integers(0, 5000))
def test_the_high_water_mark_holds(notes: list[tuple[int, float]], most: int) -> None:
    prefetch, now = Prefetch(0.05, most), 5.0
    for ended, passed in notes:
        now += passed
        prefetch.note(ended, now)
        assert 0 <= prefetch.extra <= most


def test_where_claims_take_longer_than_the_horizon_a_few_of_them_are_held_ahead() -> None:
    prefetch = Prefetch(0.05, 10_000, window_s=0.02)
    prefetch.note(0, 10.0)
    prefetch.note(100, 10.1)
    before = prefetch.extra
    prefetch.note_claim(0.001)
    assert prefetch.extra == before
    for _ in range(10):
        prefetch.note_claim(0.1)
    assert before * 7 < prefetch.extra <= before * 8
