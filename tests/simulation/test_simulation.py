"""Histories of whole nodes: clean as they are, and every planted bug found. `python -m tests.simulation` runs thousands."""

from itertools import chain

import pytest

from .bugs import BUGS, Bug
from .world import simulate

CLEAN = 60
ENOUGH = 600
"""Seeds within which each bug is found; most take fewer than ten. `python -m tests.simulation --bugs` says how many find each."""
FIRST = {
    "the_fence_is_the_lease_alone": 133,
    "a_node_is_the_same_after_a_crash_and_so_are_its_leases": 31,
    "a_lease_number_comes_again_after_a_crash": 128,
    "runs_start_after_the_lease_has_run_out": 86,
    "reaped_runs_that_start_at_most_once_go_back": 28,
    "at_most_once_is_claimed_without_the_disk": 61,
    "a_node_of_the_old_world_is_given_runs": 106,
}
"""Seeds that found the rare ones. A change of the simulation makes other histories: then the search finds another one."""


@pytest.mark.parametrize("tens", range(CLEAN // 10))
def test_histories_are_clean(tens: int) -> None:
    for seed in range(tens * 10, tens * 10 + 10):
        report = simulate(seed)
        assert not report.violations, f"`python -m tests.simulation --from {seed} --seeds 1` shows it: {report.violations}"


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    seeds = chain((FIRST.get(bug.__name__, 0),), range(ENOUGH))
    assert any(simulate(seed, plant=bug).violations for seed in seeds), "no history shows the bug"


def test_a_seed_is_one_history() -> None:
    first, again = simulate(4), simulate(4)
    assert (first.runs, first.events, first.violations) == (again.runs, again.events, again.violations)
