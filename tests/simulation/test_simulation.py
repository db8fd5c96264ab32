"""Histories of whole nodes: clean as they are, and every planted bug found. `python -m tests.simulation` runs thousands."""

import pytest

from .bugs import BUGS, Bug
from .world import simulate

CLEAN = 60
ENOUGH = 600
"""Seeds within which each bug is found; most take fewer than ten. `python -m tests.simulation --bugs` says how many find each."""


@pytest.mark.parametrize("tens", range(CLEAN // 10))
def test_histories_are_clean(tens: int) -> None:
    for seed in range(tens * 10, tens * 10 + 10):
        report = simulate(seed)
        assert not report.violations, f"`python -m tests.simulation --from {seed} --seeds 1` shows it: {report.violations}"


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    assert any(simulate(seed, plant=bug).violations for seed in range(ENOUGH)), "no history shows the bug"


def test_a_seed_is_one_history() -> None:
    first, again = simulate(4), simulate(4)
    assert (first.runs, first.events, first.violations) == (again.runs, again.events, again.violations)
