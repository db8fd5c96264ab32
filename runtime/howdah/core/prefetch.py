"""How many runs to hold beyond the free slots: what is done in a moment, and nothing for slow tasks.

A claim takes a round trip. Runs that take microseconds need the next batch at hand before the last one is done;
runs that take seconds must not wait behind a busy node while another one is idle.
"""

CLAIMS_AHEAD = 4
"""While one claim is under way, runs for it and for the next are at hand, at twice the rate that was measured."""

GLANCE_S = 0.002
"""A rate that was measured for so long is believed while slots have nothing to do."""


class Prefetch:
    """Follows the rate at which runs end, and allows the horizon's worth of them to be held in advance.

    Where slots ran dry, a rise is believed at once, since those runs did end: a node that wakes is at full rate after two
    claims. All else is a mean that halves with each window, since ends come in bursts, a commit each.
    """

    def __init__(self, horizon_s: float, most: int, window_s: float = 0.02) -> None:
        self._horizon_s = horizon_s
        self._most = most
        self._window_s = window_s
        self._since = 0.0
        self._ended = 0
        self._rate = 0.0
        self._claim_s = 0.0

    @property
    def extra(self) -> int:
        """How many runs may be held beyond the slots right now: the horizon's worth, or that of a few claims where these take
        longer. With less than one claim's worth slots would stand still until the next one is back, and so would the rate."""
        return min(self._most, int(self._rate * max(self._horizon_s, CLAIMS_AHEAD * self._claim_s)))

    def note_claim(self, took_s: float) -> None:
        """A claim took so long. The mean halves with each."""
        self._claim_s = (self._claim_s + took_s) / 2

    def begin(self, now: float) -> None:
        """Runs were claimed where none were held (monotonic seconds): the time before counts for nothing."""
        self._since = now
        self._ended = 0

    def note(self, ended: int, now: float, *, dry: bool = False) -> None:
        """So many runs ended just now. dry: none waits for a slot."""
        self._ended += ended
        passed = now - self._since
        if passed < (GLANCE_S if dry else self._window_s):
            return
        rate = self._ended / passed
        rises = dry and rate > self._rate
        self._rate = rate if rises or passed > 1 else (self._rate + rate) / 2
        self._since = now
        self._ended = 0
