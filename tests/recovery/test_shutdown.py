"""A node that is asked to end: what it finished is durable, what it had not started goes back, within its grace."""

import signal
import time

import pytest

from .nodes import SHORT, Fleet, Session, doubles, drained, enqueue, until

pytestmark = pytest.mark.anyio

LEFT_BEHIND = """
select (select count(*) from howdah.node) + (select count(*) from howdah.job where lease is not null or node is not null or attempt > 0)
"""
UNRECORDED = "select count(*) from effect e where what = $1 and not exists (select from howdah.event v where v.run = e.run and v.kind = 1)"


async def test_a_stop_under_load_keeps_every_outcome_and_hands_back_what_had_not_started(fleet: Fleet, effects: Session) -> None:
    (node,) = await fleet.start(1)
    await enqueue(effects, "mark", 4000)
    await until(effects, "select count(*) > 300 from effect")
    node.send(signal.SIGTERM)
    assert await node.end(within_s=10) == 0
    assert await effects.fetchval("select count(*) from howdah.job") > 0, "there was no load left"
    assert await effects.fetchval(LEFT_BEHIND) == 0
    assert await effects.fetchval(UNRECORDED, "mark") == 0
    assert await effects.fetchval("select count(*) from howdah.event where kind = 19") == 0, "something was reaped instead of handed back"
    assert await effects.fetchval("select count(*) from howdah.event where kind = 6") > 0
    await fleet.start(1)
    await drained(effects)
    assert await effects.fetchval("select count(distinct run) from effect") == 4000
    assert await doubles(effects, "mark") == 0


async def test_functions_over_the_grace_are_cancelled_once_and_handed_back(fleet: Fleet, effects: Session) -> None:
    (node,) = await fleet.start(1, grace_s=0.5)
    await enqueue(effects, "linger", 20, seconds=60)
    await until(effects, "select count(*) = 20 from effect")
    began = time.monotonic()
    node.send(signal.SIGTERM)
    assert await node.end() == 0
    assert 0.5 <= time.monotonic() - began < 2.5
    assert await effects.fetchval(LEFT_BEHIND) == 0
    assert await effects.fetchval("select count(*) from effect where what = 'cancelled'") == 20
    assert await doubles(effects, "cancelled") == 0
    assert await effects.fetchval("select count(*) from howdah.event where kind = 6") == 20


async def test_a_second_signal_hurries(fleet: Fleet, effects: Session) -> None:
    (node,) = await fleet.start(1, grace_s=60)
    await enqueue(effects, "linger", 20, seconds=60)
    await until(effects, "select count(*) = 20 from effect")
    node.send(signal.SIGTERM)
    began = time.monotonic()
    node.send(signal.SIGTERM)
    while time.monotonic() - began < 5 and not await effects.fetchval("select count(*) = 20 from howdah.event where kind = 6"):
        node.send(signal.SIGTERM)  # Two signals at once arrive as one.
    assert await node.end(within_s=5) == 0
    assert await effects.fetchval(LEFT_BEHIND) == 0


async def test_a_node_killed_while_it_drains_loses_nothing(fleet: Fleet, effects: Session) -> None:
    (node,) = await fleet.start(1, **SHORT)
    await enqueue(effects, "linger", 50, seconds=1.0)
    await enqueue(effects, "stored", 500)
    await until(effects, "select count(*) >= 50 from effect")
    node.send(signal.SIGTERM)
    node.kill()
    await fleet.start(1, **SHORT)
    await drained(effects)
    assert await effects.fetchval("select count(distinct run) from effect where what = 'end'") == 50
    assert await effects.fetchval("select count(*) from effect where what = 'stored'") == 500
    assert await effects.fetchval("select count(*) from howdah.event where kind = 1") == 550
