"""Keys whose runs go in the order in which they were enqueued, whatever else they demand; gate_model.py has the rest."""

from howdah.core.crowd import Waiting, head
from howdah.core.gate import Gate
from howdah.core.keyed import Admitted, AtMost, Demand
from howdah.core.order import Order

from .gate_model import Slots
from .gate_words import Everywhere, gate_with, heads, need, offer, runs, started

ORDER = Demand(("s", "17"), kept=True, ordered=True)


def one_of(gate: Gate) -> Admitted:
    [admitted] = gate.admit(Everywhere(), 0.0)
    return admitted


def test_a_run_that_waits_for_another_key_holds_up_those_behind_it() -> None:
    gate = gate_with(s=AtMost(1), u=AtMost(1))
    gate.hold([need("u", "ann")])
    offer(gate, 1, [ORDER, need("u", "ann")], heads(1))
    offer(gate, 2, [ORDER, need("u", "bob")], heads(2))
    assert started(gate) == []
    gate.free([need("u", "ann")])
    assert started(gate) == [1]
    gate.free([ORDER, need("u", "ann")])
    assert started(gate) == [2]


def test_a_run_without_a_place_holds_up_those_behind_it() -> None:
    gate = gate_with(s=AtMost(1))
    offer(gate, 1, [ORDER], heads(1), task="t")
    offer(gate, 2, [ORDER], heads(2), task="v")
    pools = {"t": 0, "v": 1}
    assert runs(gate.admit(Slots({1: 1}, pools), 0.0)) == []
    assert runs(gate.admit(Slots({0: 1, 1: 1}, pools), 0.0)) == [1]
    gate.free([ORDER])
    assert runs(gate.admit(Slots({1: 1}, pools), 0.0)) == [2]


def test_priority_does_not_count_between_lines_in_order() -> None:
    gate = gate_with(s=AtMost(1))
    offer(gate, 1, [ORDER], heads(1, priority=5))
    offer(gate, 2, [ORDER, need("s", "other")], heads(2, priority=-5))
    assert started(gate) == [1]


def test_an_older_run_that_is_told_of_later_goes_first_as_long_as_none_has_begun() -> None:
    gate = gate_with(s=AtMost(1))
    gate.hold([ORDER])
    offer(gate, 2, [ORDER], heads(2))
    assert started(gate) == []
    offer(gate, 1, [ORDER], heads(1), task="u")
    gate.free([ORDER])
    assert started(gate) == [1]


def test_those_behind_a_run_that_waits_no_more_go_on() -> None:
    gate = gate_with(s=AtMost(1), u=AtMost(0))
    offer(gate, 1, [ORDER, need("u")], heads(1))
    offer(gate, 2, [ORDER], heads(2))
    assert started(gate) == []
    offer(gate, 1, [], [])
    assert started(gate) == [2]


def test_after_a_refused_admission_nobody_goes_before_it_is_known_why() -> None:
    gate = gate_with(s=AtMost(1))
    offer(gate, 1, [ORDER], heads(1, 2))
    offer(gate, 2, [ORDER], heads(3), task="u")
    gate.undo(one_of(gate))
    assert started(gate) == []
    gate.add(1, "t", (ORDER,), heads(4), 9)
    assert started(gate) == [], "news of others tell nothing of it"
    gate.trust(1)
    offer(gate, 1, [ORDER], heads(1, 2, 4))
    assert started(gate) == [1]


def test_the_key_of_a_refused_run_that_has_ended_is_for_the_next_one() -> None:
    gate = gate_with(s=AtMost(1))
    offer(gate, 1, [ORDER], heads(1))
    gate.undo(one_of(gate))
    offer(gate, 2, [ORDER], heads(2), task="u")
    gate.sweep(0.0)
    assert started(gate) == []
    gate.trust(1)
    offer(gate, 1, [], [])
    assert started(gate) == [2]
    gate.free([ORDER])
    gate.sweep(0.0)
    assert gate.is_idle
    assert len(gate._rooms) == 0


def test_a_line_of_which_the_next_runs_are_not_known_is_not_passed() -> None:
    gate = gate_with(s=AtMost(1))
    offer(gate, 1, [ORDER], heads(1), more=True)
    offer(gate, 2, [ORDER], heads(3), task="u")
    assert started(gate) == [1]
    gate.free([ORDER])
    assert started(gate) == []
    offer(gate, 1, [ORDER], heads(2))
    assert started(gate) == [2]
    gate.free([ORDER])
    assert started(gate) == [3]


def test_of_several_at_once_the_first_begin_first() -> None:
    gate = gate_with(s=AtMost(2))
    offer(gate, 1, [ORDER], heads(1, 4))
    offer(gate, 2, [ORDER], heads(2, 3), task="u")
    assert started(gate) == [1, 2]
    gate.free([ORDER])
    assert started(gate) == [3]


def test_those_who_share_the_key_without_an_order_go_where_nobody_has_one() -> None:
    gate = gate_with(s=AtMost(1))
    gate.hold([ORDER])
    offer(gate, 1, [ORDER], heads(1))
    offer(gate, 2, [need("s", "17")], heads(2), task="u")
    assert started(gate) == []
    gate.free([ORDER])
    assert started(gate) == [1]
    gate.free([ORDER])
    assert started(gate) == [2]


def test_an_order_stays_as_small_as_its_lines() -> None:
    order = Order[Waiting]()
    for run in range(5_000):
        for number in range(10):
            line = Waiting(None, None)
            line.heads = (head(0, 10 * (5_000 - run) + number),)
            order.stand(number, line)
    assert len(order._heap) < 100
