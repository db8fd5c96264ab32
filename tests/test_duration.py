"""Durations as people write them."""

from datetime import timedelta

import pytest
from howdah.duration import Duration, seconds
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (0, 0),
        (5, 5),
        (0.25, 0.25),
        (timedelta(minutes=1, milliseconds=1), 60.001),
        ("250ms", 0.25),
        ("30s", 30),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        (" 7d ", 604800),
        ("2w", 1209600),
        ("1m1ms", 60.001),
    ],
)
def test_what_a_duration_is_in_seconds(duration: Duration, expected: float) -> None:
    assert seconds(duration) == pytest.approx(expected)


@pytest.mark.parametrize(
    "duration", ["", " ", "5", "s", "1y", "-1s", "1h-5m", "1,5h", "soon", "1e3s", -1, float("nan"), float("inf"), timedelta(seconds=-1)]
)
def test_what_is_no_duration_is_refused_with_its_own_text(duration: Duration) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        seconds(duration)


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(["w", "d", "h", "m", "s", "ms"])), min_size=1, max_size=6))
def test_parts_add_up(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert seconds(text) == pytest.approx(sum(seconds(f"{number}{unit}") for number, unit in parts))


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        assert seconds(text) >= 0
    except ValueError as error:
        assert "is no duration" in str(error)
