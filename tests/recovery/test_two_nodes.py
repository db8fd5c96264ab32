"""Two nodes with the same work share it: each run is executed once, each timer fires once."""

import pytest

from .nodes import Fleet, Session, doubles, drained, enqueue

pytestmark = pytest.mark.anyio


async def test_two_nodes_execute_each_run_once_and_fire_each_timer_once(fleet: Fleet, effects: Session) -> None:
    nodes = await fleet.start(2)
    await enqueue(effects, "mark", 2000, seconds=0.002)
    await effects.execute(
        "select howdah.enqueue('mark', '{}', delay => make_interval(secs => 0.2 + g * 0.001)) from generate_series(1, 1000) g"
    )
    await drained(effects)
    assert await effects.fetchval("select count(distinct run) from effect") == 3000
    assert await doubles(effects, "mark") == 0
    assert await effects.fetchval("select count(*) from howdah.event") == 3000
    assert await effects.fetchval("select count(distinct pid) from effect") == 2, "one of them did everything"
    assert all("Traceback" not in node.log for node in nodes)
