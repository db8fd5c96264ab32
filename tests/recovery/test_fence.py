"""A node that cannot reach Postgres ends its attempts before its lease does, and comes back as somebody else."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import howdah
import pytest
from howdah import App

from .nodes import SHORT, Session, drained, enqueue, happens, until
from .proxy import Proxy

pytestmark = pytest.mark.anyio


async def test_a_node_that_is_cut_off_stops_in_time_and_takes_a_new_identity(proxy: Proxy, effects: Session) -> None:
    # It stops when two thirds of its lease are over. What is left is more than a busy machine keeps anybody waiting.
    lease: dict[str, Any] = {**SHORT, "lease_s": 6.0, "lease_margin_s": 4.0}
    jobs = App(proxy.dsn, **lease, connect_timeout_s=1, command_timeout_s=1, backoff_max_s=0.2)
    began: list[int] = []
    stopped: list[datetime] = []

    @jobs.task
    async def work() -> None:
        began.append(howdah.current_run().id)
        try:
            if not stopped:
                await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.append(datetime.now(UTC))
            raise

    async with jobs.work():
        runs = await enqueue(effects, "work", 20)
        await happens(lambda: len(began) == 20)
        before = await effects.fetchval("select id from howdah.node")
        proxy.freeze()
        await happens(lambda: len(stopped) == 20)
        until_at = await effects.fetchval("select until from howdah.node where id = $1", before)
        assert max(stopped) < until_at, "an attempt went on after the lease"
        await effects.execute("update howdah.node set renewed = howdah.clock(), until = howdah.clock()")  # And now it is over.
        proxy.thaw()
        await drained(effects)
        assert sorted(set(began)) == sorted(runs)
        assert await effects.fetchval("select count(*) from howdah.event where kind = 1") == 20
        await until(effects, "select count(*) = 1 and min(id) <> $1 from howdah.node", before)
