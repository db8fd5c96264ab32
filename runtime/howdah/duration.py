"""Durations as people write them: a timedelta, a number of seconds, or text such as "1h30m" or "250ms"."""

import re
from datetime import timedelta

Duration = timedelta | float | int | str
"""A timedelta, a number of seconds, or text such as "1h30m"."""

LONGEST_S = 36525 * 86400.0
"""A hundred years: beyond this, sums with timestamps leave what Python and Postgres can say."""

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def seconds(duration: Duration) -> float:
    """The duration in seconds. ValueError: it is not one, it is negative, or it is longer than LONGEST_S."""
    if isinstance(duration, timedelta):
        value = duration.total_seconds()
    elif isinstance(duration, str):
        value = _parse(duration)
    else:
        try:
            value = float(duration)
        except OverflowError:  # An int that no float can hold.
            value = float("inf")
    if not 0 <= value <= LONGEST_S:
        message = f"{duration!r} is no duration: it must be finite, not negative and at most a hundred years"
        raise ValueError(message)
    return value


def _parse(text: str) -> float:
    compact = text.replace(" ", "")
    if not compact or _PART.sub("", compact):
        message = f'{text!r} is no duration: write it as in "30s", "1h30m", "250ms" or "7d"'
        raise ValueError(message)
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(compact))
