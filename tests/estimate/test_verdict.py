"""Which limit is first, from figures as they would be measured."""

from typing import Any

import msgspec
import pytest
from howdah.estimate.shape import Used
from howdah.estimate.verdict import MENDS, Measured, first, shares

LEVEL = Measured(
    took_s=10.0,
    runs=100_000,
    nodes=1,
    slots=64,
    connections=5,
    used=Used(cpu_s=3.0, ended=100_000),
    busiest_cpu_s=3.0,
    busy={"claim here": 0.2, "write here": 0.3},
    batch=1_000.0,
    commit_s=0.001,
    trip_s=0.0001,
    transaction=False,
)


def level(**said: Any) -> Measured:
    return msgspec.structs.replace(LEVEL, **said)


@pytest.mark.parametrize(
    ("measured", "limit"),
    [
        (level(busiest_cpu_s=9.8), "python"),
        (level(busy={"claim here": 0.2, "write here": 0.97}), "postgres"),
        (level(busy={"write here": 0.98}, commit_s=0.095), "commits"),
        (level(used=Used(busy_s=630.0, ended=100)), "slots"),
        (level(used=Used(busy_s=50.0, held_s=49.0, waiting_s=580.0, ended=100), transaction=True), "connections"),
        (level(used=Used(busy_s=50.0, held_s=49.0, waiting_s=580.0, ended=500), commit_s=0.09, transaction=True), "commits"),
        (level(trip_s=0.049, busy={"write here": 0.1}), "network"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_the_fullest_limit_is_first(measured: Measured, limit: str) -> None:
    assert first(shares(measured)) == limit


def test_a_commit_that_waits_is_not_taken_for_work_of_postgres() -> None:
    full = shares(level(busy={"write here": 0.98}, commit_s=0.095))
    assert full["commits"] == pytest.approx(0.95)
    assert full["postgres"] == pytest.approx(0.03)


def test_work_on_the_users_connections_is_not_taken_for_the_node_s() -> None:
    assert shares(level(busy={"howdah pool": 1.0, "write here": 0.3}))["postgres"] < 0.3


def test_batches_of_several_nodes_are_committed_beside_each_other() -> None:
    assert shares(level(nodes=4, commit_s=0.04))["commits"] == pytest.approx(0.1)


def test_no_limit_is_more_than_full_and_each_has_its_mend() -> None:
    full = shares(level(busiest_cpu_s=11.0, commit_s=9.0, trip_s=9.0, used=Used(busy_s=1e6, held_s=1e6, ended=1)))
    assert max(full.values()) == 1.0
    assert set(full) == set(MENDS)
