"""A short storm, which is part of the suite. `python -m tests.chaos` makes longer ones, with everything that may go wrong."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .__main__ import told
from .faults import FAULTS
from .schedule import SORTS
from .world import Storm, World

pytestmark = pytest.mark.anyio

SHORT = ("kill", "pause", "terminate", "restart", "cut", "roll", "segfault")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="howdah-chaos-", ignore_cleanup_errors=True) as name:
        os.chmod(name, 0o755)  # noqa: PTH101 - root's server runs as another account
        yield Path(name)


async def test_a_short_storm_breaks_nothing(folder: Path) -> None:
    report = await World(Storm(seed=3, seconds=8, rate=300, kinds=SHORT, every_s=0.6, disk_mb=1000), folder).live()

    assert report.violations == 0, told(report)
    assert report.runs > 1000
    assert sum(report.faults.values()) >= 5, report.faults


async def test_in_a_short_storm_no_limit_is_exceeded_and_nothing_waits_for_ever(folder: Path) -> None:
    kinds = ("kill", "pause", "terminate", "restart", "roll")
    report = await World(Storm(seed=11, seconds=10, rate=150, kinds=kinds, every_s=0.6, disk_mb=1000, limits="all"), folder).live()

    assert report.violations == 0, told(report)
    assert report.permits > 300
    assert sum(report.faults.values()) >= 5, report.faults


def test_every_kind_of_the_plan_can_be_made() -> None:
    assert set(FAULTS) == set(SORTS)
