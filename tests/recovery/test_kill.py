"""A node that dies without a word: what it held comes back to others, and no attempt is burned."""

from pathlib import Path

import pytest
from howdah.config import configure

from .nodes import LONG, Fleet, Session, bury, drained, enqueue, happens, is_alive, until

pytestmark = pytest.mark.anyio

PATIENT = {"lease_s": 600.0, "keep_longest_s": 600.0, "busy_look_s": 600.0, "idle_look_s": 600.0}
"""It looks when something is due or somebody says so, and not by the way."""


async def test_a_killed_nodes_runs_start_again_when_its_lease_ends_and_not_at_some_later_look(fleet: Fleet, effects: Session) -> None:
    assert configure({}).lease_s == 15
    (doomed,) = await fleet.start(1, lease_s=3, heartbeat_s=1, concurrency=200)
    await enqueue(effects, "hold", 200)
    await until(effects, "select count(*) = 200 from effect where what = 'begin' and pid = $1", doomed.pid)
    (other,) = await fleet.start(1, **PATIENT, concurrency=200)
    doomed.kill()
    assert await effects.fetchval("select until > howdah.clock() from howdah.node where pid = $1", doomed.pid), "it had ended before"
    await drained(effects)
    assert await effects.fetchval("select count(distinct run) from effect where pid = $1 and what = 'begin'", other.pid) == 200
    assert await effects.fetchval("select max(attempt) from effect") == 1, "a crash of a node burned an attempt"
    assert await effects.fetchval("select count(*) from howdah.event where kind = 1") == 200


async def test_each_run_of_a_batch_that_died_with_its_node_starts_again(fleet: Fleet, effects: Session) -> None:
    (doomed,) = await fleet.start(1, batched=True, **LONG)
    await enqueue(effects, "together", 8, item=1)
    await until(effects, "select count(*) = 8 from effect where what = 'begin' and pid = $1", doomed.pid)
    (other,) = await fleet.start(1, batched=True, **LONG)
    doomed.kill()
    await bury(effects, doomed.pid)
    await drained(effects)
    assert await effects.fetchval("select count(distinct run) from effect where pid = $1", other.pid) == 8
    assert await effects.fetchval("select max(attempt) from effect") == 1, "a crash of a node burned an attempt"
    assert await effects.fetchval("select count(*) from howdah.event where kind = 1") == 8


async def test_a_node_killed_again_and_again_under_load_loses_nothing(fleet: Fleet, effects: Session) -> None:
    await fleet.start(1, **LONG)
    for done in (0, 1000, 2000):
        (victim,) = await fleet.start(1, **LONG)
        await enqueue(effects, "stored", 1000)
        await until(effects, "select count(*) >= $1 from effect", done + 200)
        victim.kill()
        await bury(effects, victim.pid)
    await drained(effects)
    assert await effects.fetchval("select count(*) from effect") == 3000
    assert await effects.fetchval("select count(distinct run) from effect") == 3000


async def test_no_child_process_outlives_a_killed_node_and_what_it_did_is_done_again(
    fleet: Fleet, effects: Session, tmp_path: Path
) -> None:
    file = tmp_path / "pid"
    (doomed,) = await fleet.start(1, **LONG)
    await enqueue(effects, "apart", file=str(file))
    await happens(lambda: file.exists() and file.read_text())
    child = int(file.read_text())
    assert is_alive(child)
    doomed.kill()
    await happens(lambda: not is_alive(child))  # It would stay for a minute.
    await bury(effects, doomed.pid)
    await fleet.start(1, **LONG)
    await drained(effects)
    assert await effects.fetchval("select array_agg(kind) from howdah.event where kind < 16") == [1]
