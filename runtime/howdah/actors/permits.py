"""What the gate has admitted to this node: the lanes of concurrency keys.

A lane is one concurrency key on one node. What the gate has admitted to this node under the key is its semaphore and its token
buckets: each run is its own permit, taken all or none for all of its keys by the gate, and derived from the run's row under the node's
lease. The lane spends: it starts a run against its permit, once, and nothing without; what has not started soon goes back. A run with
several keys is in the lane of the first. Lanes are plain objects: a hundred thousand are fine, and one that holds nothing is none.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence

import msgspec

from ..messages import Claimed, Closing, Outcome


class KeyLane(msgspec.Struct, gc=False):
    """The lane of one key: how many of its permits wait for a slot here, and how many are spent on attempts."""

    unspent: int = 0
    spent: int = 0


class _Grant(msgspec.Struct):
    """What came together: when (monotonic seconds), and how many of these runs are yet to start."""

    at: float
    unspent: int = 0


class _Permit(msgspec.Struct, gc=False):
    key: str
    lane: KeyLane
    lease: int
    task: int
    grant: _Grant
    is_spent: bool = False


class Permits:
    """The permits of one node, by run. Moments are monotonic seconds."""

    def __init__(self, late_s: float) -> None:
        """late_s: what has not started after this time goes back to the gate, for another node to have."""
        self._late_s = late_s
        self._permits: dict[int, _Permit] = {}
        self._grants = deque[tuple[_Grant, list[Claimed]]]()
        """Until all of it should have started."""
        self.lanes: dict[str, KeyLane] = {}
        self.of_task = Counter[int]()
        """How many there are of each task."""
        self.closings: dict[tuple[int, int], str] = {}
        """The rates that runs (run, lease) have asked to pause. Each is taken with its outcome, so no more than what is held."""

    def __len__(self) -> int:
        return len(self._permits)

    def holds(self, run: int, lease: int) -> bool:
        """Whether this permit is known here: its run waits, runs, or has an outcome that is not durable yet."""
        permit = self._permits.get(run)
        return permit is not None and permit.lease == lease

    def grant(self, runs: Iterable[Claimed], now: float) -> list[Claimed]:
        """Takes what the gate has admitted, and answers with those that are new here."""
        fresh: list[Claimed] = []
        permits, lanes, grant = self._permits, self.lanes, _Grant(now)
        for run in runs:
            number, key = run.id, run.lane
            permit = permits.get(number)
            if permit is not None and permit.lease == run.lease:
                continue
            assert key is not None, "the gate admits runs with limits"
            lane = lanes.get(key)
            if lane is None:
                lane = lanes[key] = KeyLane()
            lane.unspent += 1
            permits[number] = _Permit(key, lane, run.lease, run.task, grant)
            fresh.append(run)
        if fresh:
            self.of_task.update([run.task for run in fresh])
            grant.unspent = len(fresh)
            self._grants.append((grant, fresh))
        return fresh

    def start(self, run: Claimed) -> bool:
        """Spends the permit of a run that is about to start. False: there is none, or it is spent, and it must not."""
        permit = self._permits.get(run.id)
        if permit is None or permit.lease != run.lease or permit.is_spent:
            return False
        permit.is_spent = True
        permit.grant.unspent -= 1
        lane = permit.lane
        lane.unspent -= 1
        lane.spent += 1
        return True

    def late_at(self) -> float | None:
        """When the oldest permit that is not spent has to go back."""
        grants = self._grants
        while grants and not grants[0][0].unspent:
            grants.popleft()
        return grants[0][0].at + self._late_s if grants else None

    def late(self, now: float) -> set[int]:
        """The runs that should have started by now. They are not told of again."""
        late: set[int] = set()
        while (at := self.late_at()) is not None and at <= now:
            for run in self._grants.popleft()[1]:
                permit = self._permits.get(run.id)
                if permit is not None and permit.lease == run.lease and not permit.is_spent:
                    late.add(run.id)
        return late

    def take_closings(self, outcomes: Sequence[Outcome]) -> list[Closing]:
        """What these outcomes, which are not durable yet, close."""
        if not self.closings:
            return []
        closed: list[Closing] = []
        for outcome in outcomes:
            limit = self.closings.pop((outcome.run, outcome.lease), None)
            if limit is not None and outcome.delay is not None:
                closed.append(Closing(outcome.run, outcome.lease, outcome.node, limit, outcome.delay.total_seconds()))
        return closed

    def end(self, outcomes: Sequence[Outcome], dropped: int) -> tuple[dict[int, int], dict[int, int]]:
        """What these outcomes mean for the gate: the permits (leases by run) that are free, since the outcome is durable, and those of
        which only the database knows, since nothing was written (dropped: the kind of these)."""
        free: dict[int, int] = {}
        doubtful: dict[int, int] = {}
        permits, lanes, of_task = self._permits, self.lanes, self.of_task
        for outcome in outcomes:
            permit = permits.get(outcome.run)
            if permit is None or permit.lease != outcome.lease:
                continue
            del permits[outcome.run]
            of_task[permit.task] -= 1
            lane = permit.lane
            if permit.is_spent:
                lane.spent -= 1
            else:
                lane.unspent -= 1
                permit.grant.unspent -= 1
            if not (lane.spent or lane.unspent):
                del lanes[permit.key]
            (doubtful if outcome.kind == dropped else free)[outcome.run] = outcome.lease
        return free, doubtful
