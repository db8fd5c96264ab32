"""What the gate promises, one sentence each; test_gate_rates.py has what is about rates, test_gate_model.py the rest."""

import tracemalloc
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import pytest
from howdah.core.bucket import Flow
from howdah.core.gate import Gate
from howdah.core.keyed import AtMost, Demand, Line, Room

from .gate_model import Slots
from .gate_words import Everywhere, gate_with, heads, need, offer, runs, started


def backlog(gate: Gate, groups: Iterable[str], each: int, *, weight: float = 1.0, limit: str = "a") -> dict[int, tuple[str, Demand]]:
    """A line for each group, with so many runs, those of the first group being the oldest."""
    lines: dict[int, tuple[str, Demand]] = {}
    for line, group in enumerate(groups):
        demand = need(limit, group=group, weight=weight)
        lines[line] = (group, demand)
        offer(gate, line, [demand], heads(*range(line * each, (line + 1) * each)))
    return lines


def serve(gate: Gate, lines: dict[int, tuple[str, Demand]], most: int) -> list[str]:
    """The groups of the first runs that start, each of which ends as soon as its batch has started."""
    order: list[str] = []
    while len(order) < most and (admitted := gate.admit(Everywhere(), 0.0)):
        for one in admitted:
            group, demand = lines[one.line]
            order.append(group)
            gate.free([demand])
    return order


def test_a_key_never_has_more_than_its_limit() -> None:
    gate = gate_with(a=AtMost(2))
    offer(gate, 1, [need("a")], heads(1, 2, 3, 4))
    assert started(gate) == [1, 2]
    assert started(gate) == []
    gate.free([need("a")])
    assert started(gate) == [3]


def test_a_full_key_hides_nothing_behind_it() -> None:
    gate = gate_with(a=AtMost(1), b=AtMost(1))
    offer(gate, 1, [need("a", "x"), need("b")], heads(*range(1, 100)))
    offer(gate, 2, [need("a", "y"), need("b", "z")], heads(100))
    gate.hold([need("a", "x")])
    assert started(gate) == [100]


def test_a_full_key_costs_one_look_for_each_run_however_many_lines_wait() -> None:
    gate = gate_with(a=AtMost(1))
    for line in range(1000):
        offer(gate, line, [need("a"), need("b", str(line))], heads(line))
    gate.set_terms("b", AtMost(1))
    assert started(gate) == [0]
    looked: list[int] = []
    look = Line.missing

    def counted(self: Line, now: float) -> Room | None:
        looked.append(self.number)
        return look(self, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Line, "missing", counted)
        for line in range(1, 101):
            gate.free([need("a"), need("b", str(line - 1))])
            assert started(gate) == [line]
    assert len(looked) <= 200


def test_two_limits_are_taken_both_or_none() -> None:
    gate = gate_with(a=AtMost(1), b=AtMost(1))
    gate.hold([need("b")])
    offer(gate, 1, [need("a"), need("b")], heads(1))
    assert started(gate) == []
    offer(gate, 2, [need("a")], heads(2))
    assert started(gate) == [2]
    gate.free([need("b")])
    assert started(gate) == []
    gate.free([need("a")])
    assert started(gate) == [1]


def test_what_no_terms_are_known_of_starts_nothing() -> None:
    gate = Gate()
    offer(gate, 1, [need("a")], heads(1))
    assert started(gate) == []
    gate.set_terms("a", AtMost(1))
    assert started(gate) == [1]


def test_a_lowered_limit_binds_new_admissions_only() -> None:
    gate = gate_with(a=AtMost(3))
    offer(gate, 1, [need("a")], heads(1, 2, 3, 4))
    assert started(gate) == [1, 2, 3]
    gate.set_terms("a", AtMost(1))
    for _ in range(2):
        gate.free([need("a")])
        assert started(gate) == []
    gate.free([need("a")])
    assert started(gate) == [4]


def test_a_paused_key_starts_nothing_and_resumes() -> None:
    gate = gate_with(a=AtMost(2))
    gate.set_own(("a", "x"), AtMost(0))
    offer(gate, 1, [need("a", "x")], heads(1, 2))
    offer(gate, 2, [need("a", "y")], heads(3))
    assert started(gate) == [3]
    gate.set_own(("a", "x"), None)
    assert started(gate) == [1, 2]


def test_the_better_priority_goes_first_and_then_the_older_run() -> None:
    gate = gate_with(a=AtMost(1))
    offer(gate, 1, [need("a")], heads(1, 5))
    offer(gate, 2, [need("a")], heads(9, priority=-1), task="u")
    offer(gate, 3, [need("a")], heads(3))
    order: list[int] = []
    while admitted := started(gate):
        order += admitted
        gate.free([need("a")])
    assert order == [9, 1, 3, 5]


def test_groups_take_turns_within_the_limit_and_the_batch() -> None:
    gate = gate_with(a=AtMost(3))
    lines = backlog(gate, ["x", "y"], 500)
    order = serve(gate, lines, 900)
    counted: Counter[str] = Counter()
    for group in order:
        counted[group] += 1
        assert abs(counted["x"] - counted["y"]) <= 3 + 3


def test_weights_are_shares_of_the_starts() -> None:
    gate = gate_with(a=AtMost(1))
    lines = backlog(gate, ["x", "y"], 500)
    lines[0] = ("x", need("a", group="x", weight=4.0))
    offer(gate, 0, [lines[0][1]], heads(*range(500)))
    assert 395 <= Counter(serve(gate, lines, 500))["x"] <= 405


def test_one_run_of_a_new_group_among_a_thousand_starts_within_one_round() -> None:
    gate = gate_with(a=AtMost(10))
    lines = backlog(gate, [str(group) for group in range(1000)], 1000)
    serve(gate, lines, 2500)
    lines[1000] = ("new", need("a", group="new"))
    offer(gate, 1000, [lines[1000][1]], heads(10_000_000))
    assert "new" in serve(gate, lines, 1000 + 10)


def test_groups_take_turns_where_places_are_scarce_and_permits_are_not() -> None:
    gate = gate_with(a=AtMost(1_000_000))
    lines = backlog(gate, ["x", "y"], 100)
    order = [lines[one.line][0] for _ in range(50) for one in gate.admit(Slots({0: 1}, {"t": 0}), 0.0)]
    assert all(one != other for one, other in pairwise(order))


def test_turns_of_one_key_say_nothing_about_those_of_another() -> None:
    """Both compete for places. The tags of the busy key are far ahead, and its runs are older."""
    gate = gate_with(a=AtMost(1_000_000), b=AtMost(1_000_000))
    lines = backlog(gate, ["x"], 1000)
    serve(gate, lines, 500)
    offer(gate, 0, [lines[0][1]], heads(*range(500, 1000)))
    offer(gate, 1, [need("b", group="x")], heads(*range(2000, 2100)))
    assert [one.line for _ in range(20) for one in gate.admit(Slots({0: 1}, {"t": 0}), 0.0)] == [0] * 20


def test_a_task_without_a_place_leaves_its_permits_to_others() -> None:
    gate = gate_with(a=AtMost(1))
    pools = {"t": 0, "u": 1}
    offer(gate, 1, [need("a")], heads(1))
    offer(gate, 2, [need("a")], heads(2, 3), task="u")
    assert runs(gate.admit(Slots({1: 9}, pools), 0.0)) == [2]
    gate.free([need("a")])
    assert runs(gate.admit(Slots({1: 9}, pools), 0.0)) == [3]
    gate.free([need("a")])
    assert runs(gate.admit(Slots({0: 1}, pools), 0.0)) == [1]


def test_a_line_without_heads_asks_for_more_until_it_is_told() -> None:
    gate = gate_with(a=AtMost(9))
    offer(gate, 7, [need("a")], heads(1), more=True)
    assert started(gate) == [1]
    assert gate.hungry() == [7]
    offer(gate, 7, [need("a")], heads(2))
    assert gate.hungry() == []
    assert started(gate) == [2]
    assert gate.hungry() == []
    gate.free([need("a")])
    gate.free([need("a")])
    assert gate.is_idle


def test_what_is_told_of_a_line_replaces_what_was_told_before() -> None:
    gate = gate_with(a=AtMost(1))
    offer(gate, 1, [need("a")], heads(1, 2))
    offer(gate, 1, [need("a")], heads(2))
    assert started(gate) == [2]
    offer(gate, 1, [need("a")], heads(3))
    offer(gate, 1, [need("a")], [])
    gate.free([need("a")])
    assert started(gate) == []
    assert gate.is_idle


def test_a_line_that_is_told_of_again_and_again_takes_no_more_memory() -> None:
    gate = gate_with(a=AtMost(0))
    for _ in range(2000):
        offer(gate, 1, [need("a")], heads(1))
        assert started(gate) == []
    (parked,) = next(iter(gate._rooms)).parked.values()
    assert len(parked._late) < 100


def test_keys_used_once_are_forgotten() -> None:
    gate = gate_with(a=AtMost(1), r=Flow(1.0, 5.0))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for key in range(20_000):
            demands = (need("a", str(key), group=str(key % 10)), need("r", str(key)))
            offer(gate, key, demands, heads(key))
            if key % 1000 == 999:
                assert len(gate.admit(Everywhere(), 0.0)) == 1000
                assert len(gate.take_poured()) == 1000
                for each in range(key - 999, key + 1):
                    gate.free([need("a", str(each)), need("r", str(each))])
        gate.sweep(0.0)
        assert len(gate._rooms) == 20_000, "a bucket that is not full is kept"
        gate.sweep(1.0)
        assert len(gate._rooms) == 0
        assert gate.is_idle
        assert tracemalloc.get_traced_memory()[0] - before < 1_000_000
    finally:
        tracemalloc.stop()


def test_who_takes_turns_at_different_keys_goes_by_age_where_both_meet() -> None:
    gate = gate_with(a=AtMost(9), b=AtMost(9), c=AtMost(1))
    for run in range(5):
        offer(gate, 9, [need("a", group="x")], heads(run))
        assert started(gate) == [run]
        gate.free([need("a")])
    gate.hold([need("c")])
    offer(gate, 1, [need("a", group="x"), need("c")], heads(10))
    offer(gate, 2, [need("b", group="x"), need("c")], heads(11), task="u")
    assert started(gate) == []
    gate.free([need("c")])
    assert started(gate) == [10]


def test_a_run_that_is_told_again_at_another_priority_stands_there_alone() -> None:
    gate = gate_with(a=AtMost(3))
    offer(gate, 1, [need("a")], [*heads(2, priority=3), *heads(1, priority=5)])

    gate.add(1, "t", (need("a"),), heads(1, priority=1), 512)

    assert started(gate) == [1, 2]


def test_a_run_that_fell_behind_what_is_known_is_asked_for_again() -> None:
    gate = gate_with(a=AtMost(2))
    offer(gate, 1, [need("a")], heads(1, priority=1), more=True)

    gate.add(1, "t", (need("a"),), heads(1, priority=5), 512)

    assert started(gate) == []
    assert gate.hungry() == [1]
