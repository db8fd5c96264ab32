"""Whose turn it is among queues with weights: start-time fair queueing, in runs.

A queue owes for what it was served: runs divided by its weight. The queue that owes the least is served next, and what the
least indebted of those that wait owes is forgiven to all of them. So nothing is saved up: a queue that had nothing for a while comes
back without any claim to what it left to the others, and without a debt of old.

While two queues wait, what they were served, each divided by its weight, differs at most by one serving of one of them.
"""

import math
from collections.abc import Collection, Mapping
from typing import NamedTuple

FAINTEST = 1e-9
"""The lightest that a queue can be beside the heaviest one: fainter, its turn would never come, and sums would lose small numbers."""


class Turn(NamedTuple):
    """A queue, and the part of a room that it may have at once: its weight among those that wait."""

    queue: int
    part: float

    def of(self, room: int) -> int:
        """How many runs that is, at least one."""
        return min(room, max(1, math.ceil(room * self.part)))


class Rota:
    """The turns of queues in one room. weights: of each queue that is served, positive and finite."""

    def __init__(self, weights: Mapping[int, float]) -> None:
        heaviest = max(weights.values(), default=1.0)
        self._weights = {queue: max(FAINTEST, weight / heaviest) for queue, weight in weights.items()}
        self._owed = dict.fromkeys(weights, 0.0)

    def next(self, waiting: Collection[int]) -> Turn | None:
        """Whose turn it is of these queues. Asked again before anything was served, it says the same."""
        if not waiting:
            return None
        least = min(self._owed[queue] for queue in waiting)
        self._owed = {queue: max(0.0, owed - least) for queue, owed in self._owed.items()}
        queue = min(waiting, key=lambda one: (self._owed[one], -self._weights[one], one))
        return Turn(queue, self._weights[queue] / sum(self._weights[one] for one in waiting))

    def served(self, queue: int, runs: int) -> None:
        """So many runs of a queue were claimed. One without a weight is not served here: what comes of it all the same counts for none."""
        if queue in self._owed:
            self._owed[queue] += runs / self._weights[queue]
