"""What a node does, between two reports: the hot path counts and keeps a sample here, and speaks to nobody.

Ends are counted one by one. Values of histograms are kept up to a bound, of more an even sample: to tell OpenTelemetry of one costs
as much as to execute a run that does nothing.
"""

from collections import defaultdict
from typing import Generic, NamedTuple, TypeVar

from .. import codec
from ..core.states import Kind
from ..messages import Claimed, Failure

V = TypeVar("V")

Ended = tuple[int, int, int, str | None]
"""Queue, task, kind of the end (0: the lease was lost), and the dotted name of the error where there is one."""

LEASE_LOST = 0

_SUCCEEDED = int(Kind.SUCCEEDED)
_WITH_ERROR = (int(Kind.FAILED), int(Kind.RETRIED), int(Kind.MISFIT))


class Sample(Generic[V]):
    """At least half of so many values, evenly from all that came since the last taking, and all where there are fewer."""

    __slots__ = ("_kept", "_most", "_step", "left")

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[V] = []
        self._step = self.left = 1

    def is_turn(self) -> bool:
        """Whether the value that has just come is to be kept: then keep() follows."""
        self.left -= 1
        return not self.left

    def keep(self, value: V) -> None:
        """Keeps it; from a full sample every other one goes, and so it is with those to come."""
        self._kept.append(value)
        if len(self._kept) >= self._most:
            del self._kept[-2::-2]  # The last one stays, so that the turns go on evenly.
            self._step *= 2
        self.left = self._step

    def add(self, value: V) -> None:
        """Both, for a value that is at hand."""
        if self.is_turn():
            self.keep(value)

    def take(self) -> list[V]:
        """What was kept; it begins anew."""
        kept, self._kept = self._kept, []
        self._step = self.left = 1
        return kept


class Attempt(NamedTuple):
    """One that has ended. started: Unix time of the database."""

    claimed: Claimed
    ended: Ended
    started: float
    took_s: float


class Tally:
    """Written by the actors of one node in its loop, emptied by its reporter."""

    def __init__(self, values_max: int) -> None:
        self.ended: defaultdict[Ended, int] = defaultdict(int)
        self.attempts: Sample[Attempt] = Sample(values_max)
        self.claims: Sample[tuple[int, float]] = Sample(values_max)
        """How many runs, and how long the claim took in seconds."""
        self.writes: Sample[tuple[int, float]] = Sample(values_max)
        """How many outcomes, and how long it took until they were durable."""
        self.lags: Sample[float] = Sample(values_max)
        self.stale = 0
        self.lost_leases = 0

    def end(self, claimed: Claimed, kind: int, data: str | None, started: float, took_s: float) -> None:
        """An attempt has ended: with which kind of event, and what that says."""
        error = None
        if kind != _SUCCEEDED and data is not None and kind in _WITH_ERROR:
            error = codec.decoder(Failure).decode(data).type
        ended = (claimed.queue, claimed.task, kind, error)
        self.ended[ended] += 1
        # is_turn() written out: a call costs as much as the rest.
        attempts = self.attempts
        attempts.left -= 1
        if not attempts.left:
            attempts.keep(Attempt(claimed, ended, started, took_s))

    def take_ended(self) -> dict[Ended, int]:
        """How many ended in which way; it begins anew."""
        ended, self.ended = self.ended, defaultdict(int)
        return ended

    def put_back(self, ended: dict[Ended, int]) -> None:
        """They could not be told: they are among the next ones."""
        for each, count in ended.items():
            self.ended[each] += count
