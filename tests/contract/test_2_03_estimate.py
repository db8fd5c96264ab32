"""CONTRACT 2.3: estimate is measured, not a formula. (That it agrees with `bench drain` is measured by hand: bench/NOTES.md.)"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from howdah.config import configure
from howdah.embedded import Embedded
from howdah.estimate.measuring import SECONDS, Estimate, estimate
from howdah.estimate.shape import Shape

pytestmark = pytest.mark.anyio

SHORT_S = 3.0


@pytest.fixture(scope="module")
def slow_disk() -> Iterator[Embedded]:
    """A server on which each commit that waits for the disk takes a tenth of a second."""
    with tempfile.TemporaryDirectory(prefix="howdah-tests-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - root's server runs as another account
        server = Embedded(Path(folder) / "pg", settings={"commit_delay": "100000", "commit_siblings": "0"}).start()
        try:
            yield server
        finally:
            server.stop()
            server.release()


async def measured(server: Embedded, shape: Shape, seconds: float = SHORT_S) -> Estimate:
    return await estimate(configure({"dsn": server.dsn("postgres")}), shape, seconds=seconds)


async def test_it_runs_the_real_pipeline_at_two_load_levels(server: Embedded) -> None:
    told = await measured(server, Shape(task_s=0.02))
    assert told.full.runs > 100
    assert told.full.offered_per_s is None, "a backlog"
    assert told.half.offered_per_s == pytest.approx(told.full.per_s / 2, rel=0.2)
    assert told.half.left == 0
    assert told.half.wait_p50_s is not None
    assert min(told.full.python_us, told.half.wal_bytes) > 0


def test_it_takes_20_s_unless_told_otherwise() -> None:
    assert SECONDS == 20


async def test_with_2_connections_it_names_connections_as_first(server: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_POOL_SIZE", "2")
    told = await measured(server, Shape(task_s=0.02, transaction=True))
    assert told.connections == 2
    assert told.first == "connections", told.shares
    assert told.per_s < 2 / 0.02


async def test_on_a_slow_disk_it_names_commits_as_first(slow_disk: Embedded) -> None:
    told = await measured(slow_disk, Shape(), seconds=6)
    assert told.commit_s > 0.09
    assert told.first == "commits", told.shares


async def test_tasks_that_wait_fill_the_slots_first(server: Embedded) -> None:
    told = await measured(server, Shape(task_s=0.2))
    assert told.first == "slots", told.shares
    assert told.per_s < 64 / 0.2 * 1.05, "no more than the slots let through"
