"""Two nodes with the same work share it: each run is executed once, each timer fires once."""

from pathlib import Path

import pytest

from .nodes import LONG, Fleet, Session, doubles, drained, enqueue, until

pytestmark = pytest.mark.anyio


async def test_two_nodes_execute_each_run_once_and_fire_each_timer_once(fleet: Fleet, effects: Session, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    nodes = await fleet.start(2, concurrency=20, **LONG)
    await enqueue(effects, "gated", 40, gate=str(gate))
    await until(effects, "select count(*) = 40 from effect where what = 'begin'")  # Neither of them has room for more than half.
    await enqueue(effects, "mark", 2000, seconds=0.002)
    await effects.execute(
        "select howdah.enqueue('mark', '{}', delay => make_interval(secs => 0.2 + g * 0.001)) from generate_series(1, 1000) g"
    )
    gate.touch()
    await drained(effects)
    assert await effects.fetchval("select count(distinct run) from effect where what = 'mark'") == 3000
    for what in ("begin", "end", "mark"):
        assert await doubles(effects, what) == 0
    assert await effects.fetchval("select count(*) from howdah.event") == 3040
    assert await effects.fetchval("select count(distinct pid) from effect where what = 'begin'") == 2, "one of them did everything"
    assert all("Traceback" not in node.log for node in nodes)
