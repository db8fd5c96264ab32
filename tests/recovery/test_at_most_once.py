"""CONTRACT 1.33: what starts at most once is not held in advance, and is lost with its node, visibly."""

import signal

import pytest

from .nodes import LONG, Fleet, Session, bury, drained, enqueue, until

pytestmark = pytest.mark.anyio

STATES = "select array_agg(distinct howdah.state(u)) from unnest($1::bigint[]) u"


async def test_a_node_that_dies_before_the_end_leaves_it_as_lost_and_it_is_never_retried(fleet: Fleet, effects: Session) -> None:
    (doomed,) = await fleet.start(1, concurrency=3, **LONG)
    runs = await enqueue(effects, "once", 10, seconds=60)
    await until(effects, "select count(*) = 3 from effect where what = 'begin'")
    assert await effects.fetchval("select count(*) from howdah.job where lease is not null") == 3, "no more than there are free slots"
    doomed.kill()
    await bury(effects, doomed.pid)
    await fleet.start(1, concurrency=20, **LONG)
    await until(effects, "select count(*) = 3 from howdah.event where kind = 21")
    await until(effects, "select count(*) = 10 from effect where what = 'begin'")
    held = await effects.fetchval("select array_agg(distinct run) from effect where pid = $1", doomed.pid)
    assert await effects.fetchval(STATES, held) == ["lost"]
    assert await effects.fetchval("select count(*) = count(distinct run) from effect where what = 'begin'")
    assert "starts at most once" in await effects.fetchval("select data->>'message' from howdah.event where kind = 21 limit 1")
    assert set(runs) >= set(held)


async def test_both_ways_of_delivery_get_their_turn_on_one_node(fleet: Fleet, effects: Session) -> None:
    await fleet.start(1, concurrency=4, **LONG)
    await enqueue(effects, "mark", 400, seconds=0.01)
    await enqueue(effects, "once", 20, seconds=0.01)
    await until(effects, "select count(*) = 20 from effect where what = 'end'")
    await drained(effects)
    assert await effects.fetchval("select count(*) from effect where what = 'mark'") == 400


async def test_a_shutdown_that_interrupts_it_fails_it_and_hands_back_what_had_not_started(fleet: Fleet, effects: Session) -> None:
    (node,) = await fleet.start(1, concurrency=1, **LONG)
    await enqueue(effects, "once", 2, seconds=60)
    await until(effects, "select count(*) = 1 from effect where what = 'begin'")
    node.send(signal.SIGTERM)
    await until(effects, "select not exists (select from howdah.job where lease is null and attempt > 0)")
    node.send(signal.SIGTERM)
    while not await effects.fetchval("select count(*) = 1 from howdah.event where kind < 16"):
        node.send(signal.SIGTERM)  # Two signals at once arrive as one.
    assert await node.end() == 0
    begun = await effects.fetchval("select run from effect where what = 'begin'")
    assert await effects.fetchval("select howdah.state($1)", begun) == "failed"
    assert await effects.fetchval("select count(*) from howdah.job where lease is null") == 1
