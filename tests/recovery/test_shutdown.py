"""A node that is asked to end: what it finished is durable, what it had not started goes back, within its grace."""

import signal

import anyio
import pytest

from ..conftest import Connect
from .nodes import LONG, Fleet, Session, bury, doubles, drained, enqueue, until

pytestmark = pytest.mark.anyio

LEFT_BEHIND = """
select (select count(*) from howdah.node) + (select count(*) from howdah.job where lease is not null or node is not null or attempt > 0)
"""
UNRECORDED = "select count(*) from effect e where what = $1 and not exists (select from howdah.event v where v.run = e.run and v.kind = 1)"


async def test_a_stop_under_load_keeps_every_outcome_and_hands_back_what_had_not_started(
    fleet: Fleet, effects: Session, connect: Connect
) -> None:
    looker = await connect()
    (node,) = await fleet.start(1, concurrency=4)  # So that some wait for a slot at any time.
    runs = await enqueue(effects, "mark", 1000)
    async with anyio.create_task_group() as group:

        async def load() -> None:
            """There is more to do until it has ended, however fast it is."""
            while not node.ended:
                if await effects.fetchval("select count(*) < 1000 from howdah.job"):
                    runs.extend(await enqueue(effects, "mark", 200))

        group.start_soon(load)
        while await looker.fetchval("select count(*) <= 300 from effect"):
            await anyio.sleep(0.01)
        node.send(signal.SIGTERM)
        assert await node.end() == 0
    assert await effects.fetchval("select count(*) from howdah.job") > 0, "there was no load left"
    assert await effects.fetchval(LEFT_BEHIND) == 0
    assert await effects.fetchval(UNRECORDED, "mark") == 0
    assert await effects.fetchval("select count(*) from howdah.event where kind = 19") == 0, "something was reaped instead of handed back"
    assert await effects.fetchval("select count(*) from howdah.event where kind = 6") > 0
    await fleet.start(1)
    await drained(effects)
    assert await effects.fetchval("select count(distinct run) from effect") == len(runs)
    assert await doubles(effects, "mark") == 0


async def test_functions_over_the_grace_are_cancelled_once_and_handed_back(fleet: Fleet, effects: Session) -> None:
    (node,) = await fleet.start(1, grace_s=0.5)
    await enqueue(effects, "linger", 20, seconds=60)
    await until(effects, "select count(*) = 20 from effect")
    node.send(signal.SIGTERM)
    assert await node.end() == 0  # They would go on for a minute.
    assert await effects.fetchval(LEFT_BEHIND) == 0
    assert await effects.fetchval("select count(*) from effect where what = 'cancelled'") == 20
    assert await doubles(effects, "cancelled") == 0
    assert await effects.fetchval("select count(*) from howdah.event where kind = 6") == 20


async def test_a_second_signal_hurries(fleet: Fleet, effects: Session) -> None:
    (node,) = await fleet.start(1, grace_s=60)
    await enqueue(effects, "linger", 20, seconds=60)
    await until(effects, "select count(*) = 20 from effect")
    while not node.ended and not await effects.fetchval("select count(*) = 20 from howdah.event where kind = 6"):
        node.send(signal.SIGTERM)  # Two signals at once arrive as one.
    assert await node.end() == 0  # Its grace is a minute.
    assert await effects.fetchval(LEFT_BEHIND) == 0


async def test_a_node_killed_while_it_drains_loses_nothing(fleet: Fleet, effects: Session) -> None:
    (node,) = await fleet.start(1, **LONG)
    await enqueue(effects, "linger", 50, seconds=1.0)
    await enqueue(effects, "stored", 500)
    await until(effects, "select count(*) >= 50 from effect")
    node.send(signal.SIGTERM)
    node.kill()
    await bury(effects, node.pid)
    await fleet.start(1, **LONG)
    await drained(effects)
    assert await effects.fetchval("select count(distinct run) from effect where what = 'end'") == 50
    assert await effects.fetchval("select count(*) from effect where what = 'stored'") == 500
    assert await effects.fetchval("select count(*) from howdah.event where kind = 1") == 550
