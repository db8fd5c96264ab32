"""A handler that blocks the event loop keeps its run: the lease is renewed beside the loop, and the log says who blocks."""

from pathlib import Path

import pytest

from .nodes import LONG, Fleet, Session, drained, enqueue, happens, until

pytestmark = pytest.mark.anyio


SPENT = "update howdah.node set renewed = renewed - make_interval(secs => $2), until = until - make_interval(secs => $2) where pid = $1"


async def test_a_run_that_blocks_the_loop_for_three_leases_is_kept_and_its_line_is_logged(
    fleet: Fleet, effects: Session, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    blocked, other = await fleet.start(2, heartbeat_s=0.2, **LONG)
    (run,) = await enqueue(effects, "block_until", gate=str(gate))
    pid = await until(effects, "select pid from effect where what = 'begin'")
    node = blocked if pid == blocked.pid else other
    for _ in range(6):  # Each time half of its lease is over at once, and it renews what is left.
        await effects.execute(SPENT, pid, LONG["lease_s"] / 2)
        left = "select until > howdah.clock() + make_interval(secs => $2) from howdah.node where pid = $1"
        await until(effects, left, pid, LONG["lease_s"] * 0.75)
    await happens(lambda: "the event loop has been blocked" in node.log)
    assert f"by <run {run} of block_until, attempt 1>" in node.log
    assert "program.py" in node.log
    assert "time.sleep(0.01)  # The line that the log must show." in node.log
    assert "runs again" not in node.log
    gate.touch()
    await drained(effects)
    assert await effects.fetchval("select count(*) from effect") == 1
    assert await effects.fetchval("select howdah.state($1)", run) == "succeeded"
    assert await effects.fetchval("select count(*) from howdah.event where kind = 19") == 0
    await happens(lambda: "the event loop runs again" in node.log)
