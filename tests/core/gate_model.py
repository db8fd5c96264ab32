"""A plain model of the gate: rows and loops, slow and obvious. It knows what the gate may do, not how."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from howdah.core.bucket import Bucket, Flow
from howdah.core.crowd import head
from howdah.core.gate import Gate
from howdah.core.keyed import Admitted, AtMost, Demand, Key, Terms

TOLD = 3
"""So many heads of a line are told to the gate at once."""


class Slots:
    """So many places in each pool. A task without one has no place anywhere."""

    def __init__(self, free: Mapping[int, int], pools: Mapping[str, int]) -> None:
        self.free = dict(free)
        self.pools = pools

    def has(self, task: str) -> bool:
        return self.free.get(self.pools[task], 0) > 0

    def left(self, task: str) -> int:
        return self.free.get(self.pools[task], 0)

    def take(self, task: str) -> int:
        assert self.has(task), "a place was taken where there is none"
        self.free[self.pools[task]] -= 1
        return self.pools[task]


@dataclass
class Queue:
    """A line as the database has it: everything that waits, and what the gate was told of it."""

    task: str
    demands: tuple[Demand, ...]
    waiting: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    known: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    more: bool = False


class World:
    """The database and the nodes, with the gate beside them."""

    def __init__(self, terms: Mapping[str, Terms], lines: Mapping[int, tuple[str, tuple[Demand, ...]]]) -> None:
        self.now = 1000.0
        self.terms = dict(terms)
        self.own: dict[Key, Terms] = {}
        self.buckets: dict[Key, Bucket] = {}
        self.untouched: dict[str, Bucket] = {}
        self.queues = {number: Queue(task, demands) for number, (task, demands) in lines.items()}
        self.running: dict[int, tuple[int, int]] = {}
        self.run = 0
        self.seen = 0.0
        self.grouped = any(demand.group is not None for _, demands in lines.values() for demand in demands)
        self.gate = Gate()
        self.take_over()

    def take_over(self) -> None:
        """Another gate learns everything from the rows."""
        self.gate = Gate()
        for limit, terms in self.terms.items():
            self.gate.set_terms(limit, terms)
        for key, terms in self.own.items():
            self.gate.set_own(key, terms)
        for key, bucket in self.buckets.items():
            self.gate.set_bucket(key, bucket)
        self.untouched = {}
        self.seen = 0.0
        for line, _ in self.running.values():
            self.gate.hold(self.queues[line].demands)
        for number in self.queues:
            self.tell(number)

    def tell(self, number: int) -> None:
        """The first of this line, as a statement finds them now."""
        queue = self.queues[number]
        first = sorted(queue.waiting)
        queue.known, queue.more = first[:TOLD], len(first) > TOLD
        heads = [head(priority, run) for priority, run in queue.known]
        self.gate.offer(number, queue.task, queue.demands, heads, more=queue.more)

    def in_force(self, key: Key) -> Terms:
        return self.own.get(key) or self.terms[key[0]]

    def held(self, key: Key) -> int:
        return sum(any(demand.key == key for demand in self.queues[line].demands) for line, _ in self.running.values())

    def has_room(self, demand: Demand) -> bool:
        match self.in_force(demand.key):
            case AtMost(number=number):
                return self.held(demand.key) < number
            case flow:
                return self.level(demand.key, flow) >= min(demand.cost, flow.burst) - 1e-5

    def level(self, key: Key, flow: Flow) -> float:
        return self.bucket(key).filled(flow, self.now).level

    def bucket(self, key: Key) -> Bucket:
        return self.buckets.get(key) or self.untouched.get(key[0]) or Bucket.full()

    def can_go(self, number: int) -> bool:
        return bool(self.queues[number].known) and all(self.has_room(demand) for demand in self.queues[number].demands)

    def able(self, slots: Slots) -> list[int]:
        """Lines whose first run has room everywhere, and a place."""
        return [number for number, queue in self.queues.items() if slots.has(queue.task) and self.can_go(number)]

    def is_behind(self, number: int, slots: Slots) -> bool:
        """Whether another line that goes before this one may save up in a bucket that both need."""
        return any(
            not self.has_room(demand)
            for other in self._others_before(number, slots)
            for demand in self.queues[other].demands
            if demand.key in self._rates(number)
        )

    def is_surely_behind(self, number: int, slots: Slots) -> bool:
        """Whether another line that goes before this one, and not the other way round, lacks nothing but tokens that both need."""
        return any(
            not self.goes_before(number, other) and self._lacking(other) <= self._rates(number)
            for other in self._others_before(number, slots)
            if self._lacking(other) and not self.is_behind(other, slots)
        )

    def _others_before(self, number: int, slots: Slots) -> list[int]:
        """Other lines with a place that go before this one, if they can."""
        return [
            other
            for other, queue in self.queues.items()
            if other != number and queue.known and slots.has(queue.task) and self.goes_before(other, number)
        ]

    def _lacking(self, number: int) -> set[Key]:
        return {demand.key for demand in self.queues[number].demands if not self.has_room(demand)}

    def _rates(self, number: int) -> set[Key]:
        return {demand.key for demand in self.queues[number].demands if isinstance(self.in_force(demand.key), Flow)}

    def goes_before(self, one: int, other: int) -> bool:
        """By priority alone where anybody takes turns, otherwise by age as well."""
        mine, theirs = self.queues[one].known[0], self.queues[other].known[0]
        return mine[0] <= theirs[0] if self.grouped else mine < theirs

    def admit(self, slots: Slots) -> list[Admitted]:
        """Lets the gate admit, and judges each run in turn; afterwards nobody may be left who can go."""
        left = Slots(slots.free, slots.pools)
        admitted = self.gate.admit(slots, self.now)
        self.seen = self.now
        for one in admitted:
            self._judge(one, left)
        stuck = [number for number in self.able(left) if not self.is_behind(number, left)]
        assert not stuck, f"lines {stuck} can go and did not"
        return admitted

    def _judge(self, one: Admitted, left: Slots) -> None:
        queue = self.queues[one.line]
        assert queue.known, f"run {one.run} was not told of"
        assert one.run == queue.known[0][1], f"run {one.run} is not the first of its line"
        for demand in queue.demands:
            assert self.has_room(demand), f"{demand.key} has no room for run {one.run}"
        better = [
            number
            for number in self.able(left)
            if self.goes_before(number, one.line) and not self.goes_before(one.line, number) and not self.is_behind(number, left)
        ]
        assert not better, f"lines {better} go before run {one.run}"
        assert not self.is_surely_behind(one.line, left), f"run {one.run} took tokens that a better one saves up for"
        assert one.place == left.take(queue.task)
        self._start(queue, one.line)

    def _start(self, queue: Queue, line: int) -> None:
        head = queue.known.pop(0)
        queue.waiting.remove(head)
        self.running[head[1]] = (line, head[0])
        for demand in queue.demands:
            flow = self.in_force(demand.key)
            if isinstance(flow, Flow):
                filled = self.bucket(demand.key).filled(flow, self.now)
                self.buckets[demand.key] = filled.without(demand.cost)

    def enqueue(self, number: int, priority: int, runs: int) -> None:
        """So many runs more wait, and the gate is told of their line."""
        for _ in range(runs):
            self.run += 1
            self.queues[number].waiting.add((priority, self.run))
        self.tell(number)

    def retell(self, number: int, at: int, priority: int) -> None:
        """One that waits has another priority, and the gate is told of it alone."""
        queue = self.queues[number]
        old = sorted(queue.waiting)[at % len(queue.waiting)]
        new = (priority, old[1])
        is_known = new in queue.known or not queue.more or (queue.known and new < queue.known[-1])
        known = sorted({*queue.known} - {old} | ({new} if is_known else set()))
        queue.known, queue.more = known[:TOLD], queue.more or len(known) > TOLD
        queue.waiting = queue.waiting - {old} | {new}
        self.gate.add(number, queue.task, queue.demands, [head(*new)], TOLD)

    def end(self, run: int) -> None:
        """A run ends."""
        line, _ = self.running.pop(run)
        self.gate.free(self.queues[line].demands)

    def undo(self, run: int) -> None:
        """A run was not admitted after all: it waits again, and what it took is back."""
        line, priority = self.running.pop(run)
        queue = self.queues[line]
        self.gate.undo(queue.demands)
        for demand in queue.demands:
            if isinstance(self.in_force(demand.key), Flow) and demand.key in self.buckets:
                self.buckets[demand.key] = self.buckets[demand.key].without(-demand.cost)
        queue.waiting.add((priority, run))
        self.tell(line)

    def change(self, limit: str, terms: Terms) -> None:
        """Other terms of a limit."""
        self._settle()
        last = self.terms[limit]
        if isinstance(last, Flow) and last != terms:
            self.untouched[limit] = self.untouched.get(limit, Bucket.full()).filled(last, self.seen)
        self.terms[limit] = terms
        self.gate.set_terms(limit, terms)

    def override(self, key: Key, terms: Terms | None) -> None:
        """Terms of one key, or none of its own any more."""
        self._settle()
        flow = self.in_force(key)
        if isinstance(flow, Flow):
            self.buckets[key] = self.bucket(key).filled(flow, self.seen)
        self.own = {each: own for each, own in self.own.items() if each != key} | ({} if terms is None else {key: terms})
        self.gate.set_own(key, terms)

    def _settle(self) -> None:
        """What flowed in until the gate last looked did so under the terms of that time."""
        for key, bucket in self.buckets.items():
            flow = self.in_force(key)
            if isinstance(flow, Flow):
                self.buckets[key] = bucket.filled(flow, self.seen)

    def sweep(self) -> None:
        """Forgets what the gate forgets, which must be as good as never used."""
        self.gate.sweep(self.now)
        for key in [key for key in self.buckets if self.gate.bucket(key) is None]:
            flow = self.in_force(key)
            assert flow != AtMost(0), "it is paused, and goes on with what it has"
            assert not isinstance(flow, Flow) or self.level(key, flow) >= flow.burst - 1e-5
            del self.buckets[key]

    def compare(self) -> None:
        """The gate believes what the rows say."""
        for key, bucket in self.buckets.items():
            flow, known = self.in_force(key), self.gate.bucket(key)
            assert known is not None
            if isinstance(flow, Flow):
                assert abs(known.filled(flow, self.now).level - bucket.filled(flow, self.now).level) < 1e-5
        hungry = {number for number, queue in self.queues.items() if queue.more and not queue.known}
        assert set(self.gate.hungry()) == hungry
