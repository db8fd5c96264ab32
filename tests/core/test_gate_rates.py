"""What the gate promises of rates, one sentence each."""

import pytest
from howdah.core.bucket import Bucket, Flow
from howdah.core.keyed import AtMost

from .gate_model import Slots
from .gate_words import gate_with, heads, need, offer, runs, started


def test_a_rate_starts_its_burst_and_then_as_many_as_flow_in() -> None:
    gate = gate_with(r=Flow(2.0, 3.0))
    offer(gate, 1, [need("r")], heads(*range(1, 20)))
    assert started(gate, 100.0) == [1, 2, 3]
    assert gate.next_at() == 100.5
    assert started(gate, 100.4) == []
    assert started(gate, 100.5) == [4]
    assert started(gate, 102.0) == [5, 6, 7]


def test_a_run_that_needs_more_than_the_burst_goes_when_the_bucket_is_full() -> None:
    gate = gate_with(r=Flow(1.0, 5.0))
    offer(gate, 1, [need("r", cost=8.0)], heads(1, 2))
    assert started(gate, 0.0) == [1]
    assert gate.next_at() == 8.0
    assert started(gate, 8.0) == [2]


def test_a_dear_run_is_not_starved_by_cheap_ones_that_come_later() -> None:
    gate = gate_with(r=Flow(1.0, 5.0))
    offer(gate, 1, [need("r", cost=5.0)], heads(1, 2))
    offer(gate, 2, [need("r")], heads(*range(3, 50)))
    assert started(gate, 0.0) == [1]
    assert [started(gate, float(now)) for now in range(1, 5)] == [[], [], [], []]
    assert started(gate, 5.0) == [2]
    assert started(gate, 6.0) == [3]


def test_who_saves_up_without_a_place_is_in_nobodys_way() -> None:
    gate = gate_with(r=Flow(1.0, 5.0))
    pools = {"t": 0, "u": 1}
    offer(gate, 1, [need("r", cost=5.0)], heads(1, 2))
    offer(gate, 2, [need("r")], heads(3, 4), task="u")
    assert runs(gate.admit(Slots({0: 1, 1: 1}, pools), 0.0)) == [1]
    assert runs(gate.admit(Slots({0: 1, 1: 1}, pools), 2.0)) == []
    assert runs(gate.admit(Slots({0: 0, 1: 1}, pools), 2.0)) == [3]


def test_who_would_save_up_when_another_has_just_taken_the_last_place_is_in_nobodys_way() -> None:
    gate = gate_with(r=Flow(1.0, 2.0))
    gate.set_bucket(("r", ""), Bucket(0.0, 0.0))
    offer(gate, 1, [need("r", cost=0.5)], heads(1))
    offer(gate, 2, [need("r", cost=2.0)], heads(2))
    offer(gate, 3, [need("r", cost=1.0)], heads(3), task="u")
    pools = {"t": 0, "u": 1}
    assert runs(gate.admit(Slots({0: 1, 1: 1}, pools), 0.0)) == []
    assert runs(gate.admit(Slots({0: 1, 1: 1}, pools), 2.0)) == [1, 3]


def test_who_would_save_up_when_a_task_has_just_taken_the_place_that_they_share_is_in_nobodys_way() -> None:
    gate = gate_with(r=Flow(1.0, 2.0))
    gate.set_bucket(("r", ""), Bucket(0.0, 0.0))
    offer(gate, 1, [need("r", cost=0.5)], heads(1))
    offer(gate, 2, [need("r", cost=2.0)], heads(2), task="v")
    offer(gate, 3, [need("r", cost=1.0)], heads(3), task="u")
    pools = {"t": 0, "v": 0, "u": 1}
    assert runs(gate.admit(Slots({0: 1, 1: 1}, pools), 0.0)) == []
    assert runs(gate.admit(Slots({0: 1, 1: 1}, pools), 2.0)) == [1, 3]


def test_a_bucket_written_down_and_read_back_gives_no_second_burst() -> None:
    gate = gate_with(r=Flow(1.0, 3.0))
    offer(gate, 1, [need("r")], heads(1, 2, 3, 4))
    assert started(gate, 10.0) == [1, 2, 3]
    kept = gate.bucket(("r", ""))
    assert kept is not None
    after = gate_with(r=Flow(1.0, 3.0))
    after.set_bucket(("r", ""), Bucket(kept.level, kept.at))
    offer(after, 1, [need("r")], heads(4, 5))
    assert started(after, 10.5) == []
    assert started(after, 11.0) == [4]


def test_a_closed_bucket_starts_nothing_before_its_time() -> None:
    gate = gate_with(r=Flow(1.0, 3.0))
    gate.set_bucket(("r", ""), Bucket.full().closed_until(60.0))
    offer(gate, 1, [need("r")], heads(1))
    assert started(gate, 59.0) == []
    assert gate.next_at() == 60.0
    assert started(gate, 60.0) == [1]


def test_what_flowed_in_before_the_terms_changed_did_so_under_the_old_ones() -> None:
    gate = gate_with(r=Flow(1.0, 10.0))
    offer(gate, 1, [need("r")], heads(*range(100)))
    assert len(started(gate, 0.0)) == 10
    assert len(started(gate, 2.0)) == 2
    gate.set_terms("r", Flow(100.0, 10.0))
    assert started(gate, 2.0) == []
    assert len(started(gate, 2.05)) == 5


def test_an_admission_that_did_not_happen_gives_permits_and_tokens_back() -> None:
    gate = gate_with(a=AtMost(1), r=Flow(0.0, 1.0))
    demands = [need("a"), need("r")]
    offer(gate, 1, demands, heads(1))
    assert started(gate) == [1]
    gate.undo(demands)
    offer(gate, 1, demands, heads(1))
    assert started(gate) == [1]


def test_a_number_that_becomes_a_rate_asks_each_line_for_its_own_cost() -> None:
    gate = gate_with(a=AtMost(0), r=Flow(0.0, 1.0))
    offer(gate, 1, [need("r", cost=9.0), need("a")], heads(1))
    gate.set_bucket(("r", ""), Bucket(0.0, 0.0))
    assert started(gate) == []
    gate.set_terms("r", AtMost(1))
    assert started(gate) == []
    gate.set_terms("a", Flow(1.0, 4.0))
    assert started(gate, 1.0) == [1]


def test_tokens_are_not_kept_for_a_place_that_another_task_took() -> None:
    gate = gate_with(r=Flow(1.0, 5.0), a=AtMost(9))
    pools = {"t": 0, "u": 0, "v": 1}
    offer(gate, 1, [need("r", cost=5.0)], heads(1, 2))
    offer(gate, 2, [need("a")], heads(4), task="u")
    offer(gate, 3, [need("r")], heads(3), task="v")
    assert runs(gate.admit(Slots({0: 1}, pools), 0.0)) == [1]
    assert runs(gate.admit(Slots({0: 1, 1: 1}, pools), 1.0)) == [4, 3]


def test_who_saves_up_gives_way_when_its_group_had_its_turn_elsewhere() -> None:
    gate = gate_with(a=AtMost(9), r=Flow(1.0, 5.0))
    gate.set_bucket(("r", ""), Bucket(0.0, 0.0))
    offer(gate, 1, [need("a", group="x"), need("r", cost=5.0)], heads(1))
    offer(gate, 2, [need("a", group="y"), need("r")], heads(2))
    assert started(gate, 1.0) == []
    offer(gate, 3, [need("a", group="x")], heads(3))
    assert started(gate, 1.0) == [3, 2]


def test_a_better_line_that_comes_when_the_bucket_has_enough_for_a_worse_one_goes_first() -> None:
    gate = gate_with(r=Flow(1.0, 2.0))
    gate.set_bucket(("r", ""), Bucket(0.0, 0.0))
    offer(gate, 1, [need("r")], heads(1))
    assert started(gate, 0.5) == []
    offer(gate, 2, [need("r", cost=2.0)], heads(2, priority=-1))
    assert started(gate, 1.0) == []
    assert started(gate, 2.0) == [2]


def test_a_sweep_forgets_nobody_who_waits_for_a_bucket() -> None:
    gate = gate_with(r=Flow(1.0, 1.0))
    offer(gate, 1, [need("r")], heads(1, 2))
    assert started(gate, 0.0) == [1]
    offer(gate, 1, [need("r")], heads(2))
    gate.sweep(0.5)
    assert started(gate, 0.5) == []
    assert gate.next_at() == 1.0
    assert started(gate, 1.0) == [2]


@pytest.mark.parametrize("ended", ["before", "meanwhile"])
def test_a_rate_that_was_paused_gives_no_second_burst_though_nobody_waited_meanwhile(ended: str) -> None:
    gate = gate_with(r=Flow(3 / 3600, 3))
    offer(gate, 1, [need("r")], heads(1, 2, 3))
    assert started(gate) == [1, 2, 3]

    if ended == "meanwhile":
        gate.set_terms("r", AtMost(0))
    for _ in range(3):
        gate.free([need("r")])
    gate.set_terms("r", AtMost(0))
    gate.sweep(10.0)
    gate.set_terms("r", Flow(3 / 3600, 3))
    offer(gate, 1, [need("r")], heads(4, 5, 6))

    assert started(gate, 11.0) == []


def test_a_gate_that_takes_over_while_a_rate_is_paused_keeps_what_it_has_left() -> None:
    gate = gate_with(r=AtMost(0))
    gate.set_bucket(("r", ""), Bucket(0.0, 1.0))

    gate.sweep(10.0)
    gate.set_terms("r", Flow(3 / 3600, 3))
    offer(gate, 1, [need("r")], heads(4, 5, 6))

    assert started(gate, 11.0) == []


def test_a_burst_that_is_raised_fills_from_where_the_last_one_ended_also_where_nobody_used_it() -> None:
    gate = gate_with(r=Flow(2, 2))
    assert started(gate, 100.0) == []

    gate.set_terms("r", Flow(2, 50))
    offer(gate, 1, [need("r")], heads(*range(1, 60)))

    assert started(gate, 100.0) == [1, 2]
    assert started(gate, 101.0) == [3, 4]


def test_a_burst_of_one_key_that_is_raised_fills_from_where_that_of_its_limit_ended() -> None:
    gate = gate_with(r=Flow(2, 2))
    assert started(gate, 100.0) == []

    gate.set_own(("r", ""), Flow(2, 50))
    offer(gate, 1, [need("r")], heads(*range(1, 60)))

    assert started(gate, 100.0) == [1, 2]


def test_a_pause_of_the_limit_keeps_a_raised_burst_from_coming_at_once() -> None:
    gate = gate_with(r=Flow(2, 2))
    assert started(gate, 100.0) == []

    gate.set_own(("r", ""), AtMost(0))
    gate.set_terms("r", AtMost(0))
    gate.set_own(("r", ""), None)
    gate.set_terms("r", Flow(2, 50))
    offer(gate, 1, [need("r")], heads(*range(1, 60)))

    assert started(gate, 100.0) == [1, 2]
