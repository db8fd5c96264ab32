"""CONTRACT 1.9: nobody is quarantined on suspicion, and whoever takes nodes down is found."""

import anyio
import pytest

from .nodes import SHORT, Fleet, Process, Session, enqueue, happens, until

pytestmark = pytest.mark.anyio

ENDED = "select count(*) from howdah.event where run = any($1) and kind = $2"
SETTINGS = {**SHORT, "quarantine_after": 2}


async def ended(node: Process) -> None:
    await happens(lambda: node.ended, within_s=300)


async def test_200_innocents_beside_one_killer_all_succeed_and_only_the_killer_is_quarantined(fleet: Fleet, effects: Session) -> None:
    killer = await enqueue(effects, "kill_the_node")
    innocents = await enqueue(effects, "mark", 200, seconds=0.02)
    async with anyio.create_task_group() as group:

        async def supervise() -> None:
            """As a service manager does: a node that dies is started anew."""
            while True:
                await ended((await fleet.start(1, concurrency=300, **SETTINGS))[0])

        group.start_soon(supervise)
        await until(effects, "select exists (select from howdah.event where run = any($1) and kind = 22)", killer, within_s=120)
        await until(effects, f"select ({ENDED}) = 200", innocents, 1, within_s=120)
        group.cancel_scope.cancel()
    assert await effects.fetchval("select array_agg(distinct run) from howdah.event where kind = 22") == killer
    assert await effects.fetchval("select count(*) from howdah.job") == 0
    assert await effects.fetchval("select count(*) from howdah.event where kind in (2, 4)") == 0, "crashes and retries are counted apart"
    logs = "".join(process.log for process in fleet.processes)
    assert f"run {killer[0]} is quarantined: node" in logs
    assert "was lost: its lease ran out" in logs
