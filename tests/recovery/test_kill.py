"""A node that dies without a word: what it held comes back to others, and no attempt is burned."""

import signal
import time
from pathlib import Path

import pytest

from .nodes import SHORT, Fleet, Session, drained, enqueue, happens, is_alive, until

pytestmark = pytest.mark.anyio

COMES_BACK = "select extract(epoch from min(at) - $2)::float from effect where what = 'begin' and pid <> $1"


async def _kill_one_of_two(fleet: Fleet, effects: Session, runs: int, **settings: float) -> float:
    """Kills a node that holds runs; how long it took until the first of them began again on the other."""
    doomed, other = await fleet.start(2, concurrency=runs, **settings)
    other.send(signal.SIGSTOP)
    await enqueue(effects, "hold", runs)
    await until(effects, "select count(*) = $1 from effect where what = 'begin' and pid = $2", runs, doomed.pid)
    other.send(signal.SIGCONT)
    killed_at = await effects.fetchval("select clock_timestamp()")
    doomed.kill()
    lease_s = settings.get("lease_s", 15.0)
    took_s = await until(effects, COMES_BACK, doomed.pid, killed_at, within_s=lease_s + 5)
    await drained(effects)
    assert await effects.fetchval("select count(distinct run) from effect where pid = $1 and what = 'begin'", other.pid) == runs
    assert await effects.fetchval("select max(attempt) from effect") == 1, "a crash of a node burned an attempt"
    assert await effects.fetchval("select count(*) from howdah.event where kind = 1") == runs
    return took_s


@pytest.mark.slow
async def test_a_killed_nodes_runs_start_again_within_the_lease_of_fifteen_seconds_and_one(fleet: Fleet, effects: Session) -> None:
    assert await _kill_one_of_two(fleet, effects, 20) <= 16.0


async def test_all_that_a_killed_node_held_comes_back_without_burning_an_attempt(fleet: Fleet, effects: Session) -> None:
    assert await _kill_one_of_two(fleet, effects, 200, **SHORT) <= SHORT["lease_s"] + 1


async def test_a_node_killed_again_and_again_under_load_loses_nothing(fleet: Fleet, effects: Session) -> None:
    await fleet.start(1, **SHORT)
    await enqueue(effects, "stored", 3000)
    for goal in (500, 1200, 2000):
        (victim,) = await fleet.start(1, **SHORT)
        await until(effects, "select count(*) >= $1 from effect", goal, within_s=20)
        victim.kill()
    began = time.monotonic()
    await drained(effects, within_s=20)
    assert await effects.fetchval("select count(*) from effect") == 3000
    assert await effects.fetchval("select count(distinct run) from effect") == 3000
    assert time.monotonic() - began < 15


async def test_no_child_process_outlives_a_killed_node_and_what_it_did_is_done_again(
    fleet: Fleet, effects: Session, tmp_path: Path
) -> None:
    file = tmp_path / "pid"
    (doomed,) = await fleet.start(1, **SHORT)
    await enqueue(effects, "apart", file=str(file))
    await happens(lambda: file.exists() and file.read_text())
    child = int(file.read_text())
    assert is_alive(child)
    doomed.kill()
    await happens(lambda: not is_alive(child), within_s=2)
    await fleet.start(1, **SHORT)
    await drained(effects)
    assert await effects.fetchval("select array_agg(kind) from howdah.event where kind < 16") == [1]
