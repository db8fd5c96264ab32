"""How long to wait before the next attempt: exponential backoff with full jitter."""

import msgspec

from ..duration import Duration, seconds

ATTEMPTS_MAX = 32767
"""Attempts of one run, as the schema counts them."""


class Retry(msgspec.Struct, frozen=True):
    """How often and when a failed run is tried again.

    attempts: how many in all, the first included. The wait before attempt n + 1 is drawn evenly from
    0 to min(cap, base * factor ** (n - 1)): full jitter, so that what failed together does not come back together.
    """

    attempts: int = 3
    base: Duration = 1.0
    factor: float = 2.0
    cap: Duration = 3600.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            message = f"Retry({self.attempts}) makes no attempt; the number counts the first one too, so it is at least 1"
            raise ValueError(message)
        if self.attempts > ATTEMPTS_MAX:
            message = f"Retry({self.attempts}) is more than can be counted: at most {ATTEMPTS_MAX}; what polls for ever is a Snooze"
            raise ValueError(message)
        if self.factor < 1:
            message = f"Retry(factor={self.factor}) would wait less each time; it is at least 1"
            raise ValueError(message)
        seconds(self.base)
        seconds(self.cap)

    def stored(self) -> dict[str, float]:
        """The policy as json can say it, with times in seconds; Retry(**stored) is the policy again."""
        return {"attempts": self.attempts, "base": seconds(self.base), "factor": self.factor, "cap": seconds(self.cap)}

    def delay_s(self, attempt: int, jitter: float) -> float | None:
        """Seconds to wait after this failed attempt (1 is the first), or None if it was the last.

        jitter: a number from 0 to 1 drawn by the caller.
        """
        if attempt >= self.attempts:
            return None
        try:
            grown_s = seconds(self.base) * self.factor ** min(attempt - 1, 64)
        except OverflowError:
            grown_s = float("inf")
        return jitter * min(seconds(self.cap), grown_s)
