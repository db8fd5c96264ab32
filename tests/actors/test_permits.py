"""The permits of a node: a run starts against its own, once; what is not used goes back; and the gate hears what is free."""

from howdah.actors.lane import DROPPED
from howdah.actors.permits import Permits
from howdah.core.states import Kind
from howdah.messages import Claimed, Outcome

from .stage import NODE, claimed

LATE_S = 0.05


def limited(run: int, lease: int = 100, lane: str = "per-user:1") -> Claimed:
    return claimed(run, lease=lease, lane=lane)


def ended(run: int, lease: int = 100, kind: int = Kind.SUCCEEDED) -> Outcome:
    return Outcome(run, lease, NODE, None, int(kind), None, None, 5)


def test_a_run_starts_against_its_permit_once_and_never_without() -> None:
    permits = Permits(LATE_S)
    assert not permits.start(limited(1)), "it was never admitted"
    assert permits.grant([limited(1)], 0.0) == [limited(1)]
    assert not permits.start(limited(1, lease=99)), "the permit of another lease"
    assert permits.start(limited(1))
    assert not permits.start(limited(1)), "it is spent"


def test_what_is_admitted_twice_is_new_once() -> None:
    permits = Permits(LATE_S)
    assert len(permits.grant([limited(1), limited(2)], 0.0)) == 2
    assert permits.grant([limited(1), limited(3)], 0.0) == [limited(3)]
    assert permits.grant([limited(1, lease=101)], 0.0) == [limited(1, lease=101)], "it was handed back and admitted again"


def test_a_run_that_is_admitted_again_before_the_end_of_its_lease_is_heard_of_counts_once() -> None:
    permits = Permits(LATE_S)
    permits.grant([limited(1)], 1.0)
    permits.start(limited(1))
    permits.grant([limited(1, lease=101)], 2.0)
    assert permits.of_task[5] == 1
    assert permits.end([ended(1)], DROPPED) == ({}, {}), "the gate knows"
    permits.grant([limited(1, lease=102)], 3.0)
    assert permits.late_at() == 3.0 + LATE_S
    assert permits.end([ended(1, lease=102)], DROPPED) == ({1: 102}, {})
    assert permits.of_task[5] == 0
    assert permits.lanes == {}


def test_what_has_not_started_in_time_is_late_once() -> None:
    permits = Permits(LATE_S)
    permits.grant([limited(1), limited(2)], 1.0)
    permits.grant([limited(3)], 2.0)
    assert permits.start(limited(1))
    assert permits.late_at() == 1.0 + LATE_S
    assert permits.late(1.0 + LATE_S) == {2}
    assert permits.late(1.0 + LATE_S) == set()
    assert permits.late_at() == 2.0 + LATE_S


def test_a_permit_is_free_when_its_outcome_is_durable_and_in_doubt_where_nothing_was_written() -> None:
    permits = Permits(LATE_S)
    permits.grant([limited(run) for run in range(4)], 0.0)
    permits.start(limited(0))
    free, doubtful = permits.end([ended(0), ended(1, kind=DROPPED), ended(2, lease=7), ended(9)], DROPPED)
    assert (free, doubtful) == ({0: 100}, {1: 100})
    assert permits.holds(2, 100)
    assert not permits.holds(0, 100)
    assert len(permits) == 2


def test_the_lane_of_a_key_counts_what_waits_and_what_runs_and_is_forgotten_when_it_holds_nothing() -> None:
    permits = Permits(LATE_S)
    permits.grant([limited(1), limited(2), limited(3, lane="per-user:2")], 0.0)
    permits.start(limited(1))
    lane = permits.lanes["per-user:1"]
    assert (lane.spent, lane.unspent) == (1, 1)
    for number in range(1000):
        permits.grant([limited(10 + number, lane=f"per-user:{10 + number}")], 0.0)
        permits.end([ended(10 + number)], DROPPED)
    assert permits.lanes.keys() == {"per-user:1", "per-user:2"}
    permits.end([ended(1), ended(2)], DROPPED)
    assert (lane.spent, lane.unspent) == (0, 0)
    assert permits.lanes.keys() == {"per-user:2"}
