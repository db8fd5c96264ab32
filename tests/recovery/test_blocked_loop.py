"""A handler that blocks the event loop keeps its run: the lease is renewed beside the loop, and the log says who blocks."""

import time

import pytest

from .nodes import SHORT, Fleet, Session, drained, enqueue, happens, until

pytestmark = pytest.mark.anyio


async def test_a_run_that_blocks_the_loop_for_three_leases_is_kept_and_its_line_is_logged(fleet: Fleet, effects: Session) -> None:
    blocked, other = await fleet.start(2, **SHORT)
    (run,) = await enqueue(effects, "block", seconds=3 * SHORT["lease_s"] + 0.2)
    pid = await until(effects, "select pid from effect where what = 'begin'")
    began = time.monotonic()
    node = blocked if pid == blocked.pid else other
    await happens(lambda: "the event loop has been blocked" in node.log)
    assert 0.8 < time.monotonic() - began < 1.6, "a blocked loop is noticed after a second"
    assert f"by <run {run} of block, attempt 1>" in node.log
    assert "program.py" in node.log
    assert "time.sleep(seconds)  # This is the line that blocks." in node.log
    await drained(effects)
    assert await effects.fetchval("select array_agg(what order by at) from effect") == ["begin", "end"]
    assert await effects.fetchval("select howdah.state($1)", run) == "succeeded"
    assert await effects.fetchval("select count(*) from howdah.event where kind = 19") == 0
    await happens(lambda: "the event loop runs again" in node.log)
