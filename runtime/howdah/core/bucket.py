"""A token bucket as a value: what is in it at a moment, when it has enough, and what is left.

A bucket is written down as two numbers and read back as they are. It fills with time alone, so that neither a takeover nor a
restart gives a second burst.
"""

import math

import msgspec

ROUNDING = 1e-6
"""What binary fractions and a database's microseconds may be off by, in tokens and in seconds."""


class Flow(msgspec.Struct, frozen=True):
    """The terms of a bucket: so many tokens for each second, of which it holds at most burst."""

    per_s: float
    burst: float


class Bucket(msgspec.Struct, frozen=True):
    """So many tokens at a moment (seconds of one clock). A level below zero is a debt: it is paid before anything else goes."""

    level: float
    at: float

    @classmethod
    def full(cls) -> "Bucket":
        """As full as its terms allow, whatever these are: nothing was ever taken."""
        return cls(math.inf, -math.inf)

    def filled(self, flow: Flow, now: float) -> "Bucket":
        """What it holds now. A moment before its own, as one that is closed has it, fills nothing in."""
        at = max(now, self.at)
        if self.level >= flow.burst:  # Nothing flows in; and infinite numbers stay out of the sum.
            return Bucket(flow.burst, at)
        return Bucket(min(flow.burst, self.level + (at - self.at) * flow.per_s), at)

    def enough_at(self, flow: Flow, cost: float) -> float:
        """When it has enough for this cost, if nothing is taken before. What costs more than the burst goes when it is full."""
        lacking = min(cost, flow.burst) - self.level
        if lacking <= ROUNDING:
            return self.at
        return self.at + lacking / flow.per_s if flow.per_s > 0 else math.inf

    def without(self, cost: float) -> "Bucket":
        """The same after a run of this cost went; a negative cost gives tokens back."""
        return Bucket(self.level - cost, self.at)

    def closed_until(self, at: float) -> "Bucket":
        """The same, but nothing goes before this moment, and nothing flows in until then: whoever is behind the limit said so."""
        return Bucket(self.level, at) if at > self.at else self
