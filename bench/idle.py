"""Statements of an idle node in a minute, heartbeats included, as pg_stat_statements counts them."""

import asyncio
import sys
from contextlib import AsyncExitStack

from howdah import App

from .measure import Figure
from .server import SETTINGS, Bed
from .sql import sections

SPAN_S = 60
SETTLE_S = 5
SQL = sections("howdah")


async def measure(bed: Bed, runs: int) -> list[Figure]:
    """Nodes in databases of their own, all at once: counts do not disturb each other, so no lock is held either."""
    admin = await bed.connect("postgres")
    await admin.execute("create extension if not exists pg_stat_statements")
    databases = [await bed.fresh(beside=number > 0) for number in range(runs)]
    async with AsyncExitStack() as stack:
        for database in databases:
            jobs = App(bed.dsn(database))

            @jobs.task
            async def noop() -> None: ...

            await stack.enter_async_context(jobs.work())
        await asyncio.sleep(SETTLE_S)
        await admin.execute("select pg_stat_statements_reset()")
        await asyncio.sleep(SPAN_S)
        calls = [await admin.fetchval(SQL["calls"], database) for database in databases]
        callers = await admin.fetch(SQL["callers"], databases[0])
    for caller in callers:
        print(f"{caller['calls']:5} {' '.join(caller['query'].split())[:110]}", file=sys.stderr)
    await admin.close()
    return [Figure("idle", "calls/min", calls, {"seconds": SPAN_S, "node": "defaults", "server": SETTINGS})]
