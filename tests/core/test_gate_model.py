"""The gate against a plain model of it: a database of waiting runs, nodes with places, and terms that change."""

from howdah.core.bucket import Flow
from howdah.core.keyed import AtMost, Demand, Key, Terms
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from .gate_model import Slots, World

COUNTS = ["a", "b", "c"]
RATES = ["r", "s"]
KEYS: list[Key] = [(limit, key) for limit in COUNTS for key in "12"] + [(limit, "") for limit in RATES]
POOLS = {"t": 0, "u": 0, "v": 1}
ENDLESS = 1 << 30

counts = st.builds(AtMost, st.sampled_from([2, 1, 3, 0]))
flows = st.builds(Flow, st.sampled_from([1.0, 0.5, 4.0, 0.0]), st.sampled_from([2.0, 1.0, 4.0]))
places = st.fixed_dictionaries({0: st.sampled_from([ENDLESS, 2, 1, 0]), 1: st.sampled_from([ENDLESS, 1, 0])})
kinds: st.SearchStrategy[Terms] = st.one_of(counts, flows)


def demands(*, grouped: bool) -> st.SearchStrategy[tuple[Demand, ...]]:
    groups = st.sampled_from([None, "x", "y"]) if grouped else st.none()
    costs = st.sampled_from([1.0, 2.0, 3.0, 6.0, 0.5])
    counted = st.lists(st.sampled_from(KEYS[:-2]), max_size=2, unique=True)
    rated = st.lists(st.sampled_from(KEYS[-2:]), max_size=2, unique=True)
    keys = st.tuples(rated, counted, st.booleans()).map(lambda drawn: drawn[1] + drawn[0] if drawn[2] else drawn[0] + drawn[1])
    return keys.filter(len).flatmap(lambda chosen: st.tuples(*(st.builds(Demand, st.just(key), costs, groups) for key in chosen)))


class Gatekeeper(RuleBasedStateMachine):
    """Does what the actor of the gate does, in any order."""

    grouped = False

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        terms: dict[str, Terms] = {limit: data.draw(counts) for limit in COUNTS} | {limit: data.draw(flows) for limit in RATES}
        lines = {number: (data.draw(st.sampled_from(sorted(POOLS))), data.draw(demands(grouped=self.grouped))) for number in range(8)}
        self.world = World(terms, lines)
        for line in lines:
            self.world.enqueue(line, data.draw(st.integers(-1, 1)), data.draw(st.integers(0, 4)))

    @rule(line=st.integers(0, 7), priority=st.integers(-1, 1), runs=st.integers(1, 5))
    def enqueue(self, line: int, priority: int, runs: int) -> None:
        self.world.enqueue(line, priority, runs)

    @rule(line=st.integers(0, 7), at=st.integers(0, 4), priority=st.integers(-1, 1))
    def retell(self, line: int, at: int, priority: int) -> None:
        if self.world.queues[line].waiting:
            self.world.retell(line, at, priority)

    @rule(limit=st.sampled_from(RATES), free=places)
    def pause_a_rate_over_a_sweep(self, limit: str, free: dict[int, int]) -> None:
        terms = self.world.terms[limit]
        self.world.change(limit, AtMost(0))
        self.world.sweep()
        self.world.change(limit, terms)
        self._admit(free)

    @rule(line=st.integers(0, 7), at=st.integers(0, 4))
    def cancel(self, line: int, at: int) -> None:
        waiting = sorted(self.world.queues[line].waiting)
        if waiting:
            self.world.queues[line].waiting.remove(waiting[at % len(waiting)])
            self.world.tell(line)

    @rule(limit=st.sampled_from(COUNTS), terms=counts, free=places)
    def change_a_number(self, limit: str, terms: Terms, free: dict[int, int]) -> None:
        self.world.change(limit, terms)
        self._admit(free)

    @rule(limit=st.sampled_from(RATES), terms=kinds, free=places)
    def change_a_rate(self, limit: str, terms: Terms, free: dict[int, int]) -> None:
        self.world.change(limit, terms)
        self._admit(free)

    @rule(key=st.sampled_from(KEYS), terms=st.one_of(st.none(), st.just(AtMost(0)), kinds), free=places)
    def override(self, key: Key, terms: Terms | None, free: dict[int, int]) -> None:
        self.world.override(key, terms)
        self._admit(free)

    @precondition(lambda self: self.world.running)
    @rule(which=st.lists(st.integers(0, 30), min_size=1, max_size=4), free=places)
    def end(self, which: list[int], free: dict[int, int]) -> None:
        for run in {sorted(self.world.running)[each % len(self.world.running)] for each in which}:
            self.world.end(run)
        self._admit(free)

    @precondition(lambda self: self.world.running)
    @rule(which=st.integers(0, 30))
    def undo(self, which: int) -> None:
        self.world.undo(sorted(self.world.running)[which % len(self.world.running)])

    @rule(wait_s=st.sampled_from([1.0, 0.25, 7.0]), free=places)
    def wait(self, wait_s: float, free: dict[int, int]) -> None:
        self.world.now += wait_s
        self._admit(free)

    @rule(free=places)
    def wait_for_the_next_bucket(self, free: dict[int, int]) -> None:
        at = self.world.gate.next_at()
        if at is not None:
            self.world.now = max(self.world.now, at)
            self._admit(free)

    @rule()
    def sweep(self) -> None:
        self.world.sweep()

    @rule()
    def take_over(self) -> None:
        self.world.take_over()

    @rule(free=places)
    def admit(self, free: dict[int, int]) -> None:
        self._admit(free)

    @rule()
    def feed(self) -> None:
        for line in self.world.gate.hungry():
            self.world.tell(line)

    def _admit(self, free: dict[int, int]) -> None:
        self.world.admit(Slots(free, POOLS))

    @rule()
    def everything_runs_and_ends_and_is_forgotten(self) -> None:
        world = self.world
        before = dict(world.terms)
        for key in KEYS:
            world.override(key, None)
        for limit in COUNTS + RATES:
            world.change(limit, AtMost(2))
        for _ in range(1000):
            for run in [*world.running]:
                world.end(run)
            for line in world.gate.hungry():
                world.tell(line)
            if not world.admit(Slots({0: ENDLESS, 1: ENDLESS}, POOLS)):
                break
        assert not any(queue.waiting for queue in world.queues.values())
        assert world.gate.is_idle
        world.sweep()
        assert len(world.gate._rooms) == 0
        assert not world.gate._tasks
        assert not world.gate._savers
        assert not world.gate._savers._of_share
        for limit, terms in before.items():
            world.change(limit, terms)

    @invariant()
    def the_gate_believes_what_the_rows_say(self) -> None:
        self.world.compare()


class GatekeeperOfGroups(Gatekeeper):
    grouped = True


SETTINGS = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # Making an example small may take minutes. Add Phase.shrink to have it small.
)

TestGatekeeper = Gatekeeper.TestCase
TestGatekeeper.settings = SETTINGS
TestGatekeeperOfGroups = GatekeeperOfGroups.TestCase
TestGatekeeperOfGroups.settings = SETTINGS
