"""The storm is a function of the seed, and over when it should be."""

import itertools

from .schedule import NODES, SORTS, plan, skews


def test_a_seed_is_a_storm() -> None:
    assert plan(7, 120) == plan(7, 120)
    assert skews(7) == skews(7)
    assert plan(7, 120) != plan(8, 120)
    assert skews(7) != skews(8)


def test_every_kind_comes_where_there_is_time_for_it() -> None:
    for seed in range(20):
        assert {fault.kind for fault in plan(seed, 180)} == set(SORTS)


def test_faults_come_in_order_and_are_over_with_the_storm() -> None:
    for seed in range(20):
        storm = plan(seed, 90)
        assert [fault.at_s for fault in storm] == sorted(fault.at_s for fault in storm)
        assert all(fault.until_s < 90 and fault.target < NODES for fault in storm)


def test_faults_of_the_whole_server_do_not_overlap() -> None:
    for seed in range(20):
        alone = [fault for fault in plan(seed, 600) if SORTS[fault.kind].alone]
        assert all(one.until_s < other.at_s for one, other in itertools.pairwise(alone))


def test_only_the_kinds_asked_for_come() -> None:
    assert {fault.kind for fault in plan(1, 60, ["kill", "pause"])} == {"kill", "pause"}


def test_one_clock_is_right_and_the_others_are_not() -> None:
    assert sum(skew == 0 for skew in skews(3)) == 1
