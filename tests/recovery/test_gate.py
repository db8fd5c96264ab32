"""The gate, one of several nodes, dies, freezes, is cut off or leaves: another one admits, no limit is exceeded, nothing is forgotten."""

import signal
import time

import pytest

from .nodes import LONG, SHORT, Fleet, Process, Session, bury, drained, until

pytestmark = pytest.mark.anyio

WIDTH = 2
HAND_OVER_S = 1.0
"""So long after the gate is gone another one has admitted at the latest."""

GATE = "select n.pid from howdah.gate g join howdah.node n on n.id = g.node"
NAME = "select n.name from howdah.gate g join howdah.node n on n.id = g.node"
EPOCH = "select epoch from howdah.gate"
BEGUN = "select count(*) from effect where what = 'begin'"
MOST = """
select coalesce(max(x.n), 0) from (
  select sum(case e.what when 'begin' then 1 else -1 end) over (partition by r.args ->> 'key' order by e.at, e.what desc) as n
  from effect e join howdah.run r on r.id = e.run where e.what in ('begin', 'end')
) x
"""
"""So many attempts were under way at once under the key that had most."""
FELL = "insert into effect select run, attempt, pid, 'end' from effect where pid = $1 group by run, attempt, pid having count(*) = 1"
LATEST_GAP = """
select max(x.at - x.before) from (
  select at, coalesce(lag(at) over (order by at), to_timestamp($1)) as before from effect where what = 'begin' and at > to_timestamp($1)
) x
"""


async def keyed(db: Session, keys: int, each: int, seconds: float = 0.0) -> list[int]:
    """So many runs under so many keys, those of each key by and by."""
    rows = await db.fetch(
        "select howdah.enqueue('keyed', json_build_object('key', format('k%s', k), 'seconds', $3::float8)) as id"
        " from generate_series(1, $2) e, generate_series(1, $1) k order by e, k",
        keys, each, seconds,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def the_gate(fleet: Fleet, db: Session) -> Process:
    """The process that is the gate."""
    pid = await until(db, GATE)
    return next(process for process in fleet.processes if process.pid == pid)


async def fall(db: Session, process: Process) -> float:
    """Kills it; what it had under way has ended, though it could not say so. Answers when, in Unix time."""
    process.kill()
    at = time.time()
    await db.execute(FELL, process.pid)
    return at


async def test_when_the_gate_is_killed_another_node_admits_within_a_second(fleet: Fleet, effects: Session) -> None:
    await fleet.start(3, **LONG, keyed=True, concurrency=4)
    gate = await the_gate(fleet, effects)
    runs = await keyed(effects, keys=100, each=3, seconds=0.05)
    await until(effects, f"{BEGUN} having count(*) > 30")
    at = await fall(effects, gate)
    await until(effects, "select count(*) = 0 from howdah.job where lease is null")
    assert (await effects.fetchval(LATEST_GAP, at)).total_seconds() < HAND_OVER_S
    assert (await the_gate(fleet, effects)).pid != gate.pid
    await bury(effects, gate.pid)
    await drained(effects)
    assert await effects.fetchval("select count(distinct run) from effect where what = 'end'") == len(runs)
    assert await effects.fetchval(MOST) <= WIDTH


async def test_the_gate_is_killed_again_and_again_and_no_limit_is_exceeded(fleet: Fleet, effects: Session) -> None:
    await fleet.start(2, **LONG, keyed=True)
    runs = await keyed(effects, keys=20, each=60, seconds=0.01)
    for done in (100, 400, 700):
        await until(effects, f"{BEGUN} having count(*) > $1", done)
        gate = await the_gate(fleet, effects)
        await fall(effects, gate)
        await bury(effects, gate.pid)
        await fleet.start(1, **LONG, keyed=True)
    await drained(effects)
    assert await effects.fetchval("select count(distinct run) from effect where what = 'end'") == len(runs)
    assert await effects.fetchval(MOST) == WIDTH


async def test_a_frozen_gate_loses_its_seat_with_its_lease_and_admits_nothing_when_it_returns(fleet: Fleet, effects: Session) -> None:
    (frozen,) = await fleet.start(1, **SHORT, keyed=True, concurrency=4)
    await until(effects, GATE)
    await fleet.start(2, **SHORT, keyed=True, concurrency=4)
    await keyed(effects, keys=400, each=2, seconds=0.05)
    await until(effects, f"{BEGUN} having count(*) > 20")
    frozen.send(signal.SIGSTOP)
    began = time.monotonic()
    await until(effects, "select n.pid <> $1 from howdah.gate g join howdah.node n on n.id = g.node", frozen.pid)
    took_s = time.monotonic() - began
    assert took_s < SHORT["lease_s"] + HAND_OVER_S, "it waited for more than the lease of the frozen one"
    epoch = await effects.fetchval(EPOCH)
    frozen.send(signal.SIGCONT)
    await drained(effects)
    assert await effects.fetchval(EPOCH) == epoch, "it took the gate from a living one"
    assert all("Traceback" not in node.log for node in fleet.processes), frozen.log


async def test_a_node_that_froze_while_it_waited_for_the_seat_does_not_keep_it(fleet: Fleet, effects: Session) -> None:
    (first,) = await fleet.start(1, **SHORT, keyed=True)
    await until(effects, GATE)
    (second,) = await fleet.start(1, **SHORT, keyed=True)
    await until(effects, "select count(*) = 2 from pg_stat_activity where datname = current_database() and application_name like 'howdah seat %'")
    (third,) = await fleet.start(1, **SHORT, keyed=True)
    second.send(signal.SIGSTOP)
    first.send(signal.SIGTERM)
    await keyed(effects, keys=3, each=3)
    await drained(effects)
    assert await effects.fetchval(GATE) == third.pid
