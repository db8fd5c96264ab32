"""The gate, one of several nodes, dies, freezes, is cut off or leaves: another one admits, no limit is exceeded, nothing is forgotten."""

import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import howdah
import pytest
from howdah import App, Limit
from howdah.db.files import query

from .nodes import END, LONG, SHORT, Fleet, Process, Server, Session, bury, drained, enqueue, forgiven, happens, until

pytestmark = pytest.mark.anyio

WIDTH = 2
HAND_OVER_S = 1.0
"""So long after the gate is gone another one has admitted at the latest."""

GATE = "select n.pid from howdah.gate g join howdah.node n on n.id = g.node"
NAME = "select n.name from howdah.gate g join howdah.node n on n.id = g.node"
EPOCH = "select epoch from howdah.gate"
SEATED = "select count(*) = $1 from pg_stat_activity where datname = current_database() and application_name like 'howdah seat %'"
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


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """One that is slow to write what does not wait for the disk: a crash loses it."""
    with tempfile.TemporaryDirectory(prefix="howdah-restart-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - root's server runs as another account
        server = Server(Path(folder) / "pg", wal_writer_delay="10s")
        yield server
        server.close()


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


NOBODY_COULD_GO = f"""
select not exists (
  select from howdah.job j join howdah.run r using (id)
  where j.lease is null and {WIDTH} > (
    select count(*) from howdah.job h join howdah.run k using (id) where h.lease is not null and k.demands = r.demands
  )
)"""
"""Whoever waits still waits for permits that the dead node holds until its lease ends."""


async def test_when_the_gate_is_killed_another_node_admits_within_a_second(fleet: Fleet, effects: Session) -> None:
    await fleet.start(3, **LONG, keyed=True, concurrency=4)
    gate = await the_gate(fleet, effects)
    runs = await keyed(effects, keys=100, each=3, seconds=0.05)
    await until(effects, f"{BEGUN} having count(*) > 30")
    at = await fall(effects, gate)
    await until(effects, NOBODY_COULD_GO)
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
    await until(
        effects, "select count(*) = 2 from pg_stat_activity where datname = current_database() and application_name like 'howdah seat %'"
    )
    (third,) = await fleet.start(1, **SHORT, keyed=True)
    second.send(signal.SIGSTOP)
    first.send(signal.SIGTERM)
    await keyed(effects, keys=3, each=3)
    await drained(effects)
    assert await effects.fetchval(GATE) == third.pid


async def test_a_gate_whose_loop_is_blocked_gives_way_although_its_lease_goes_on(fleet: Fleet, effects: Session) -> None:
    (blocked,) = await fleet.start(1, **LONG, keyed=True, block_warning_s=0.3)
    await until(effects, GATE)
    await enqueue(effects, "block", seconds=5.0)
    await until(effects, BEGUN)
    (other,) = await fleet.start(1, **LONG, keyed=True)
    await keyed(effects, keys=3, each=3)
    await until(effects, "select count(*) = 9 from effect where what = 'end'")
    assert await effects.fetchval(GATE) == other.pid
    assert not await effects.fetchval("select exists (select from effect where what = 'end' and pid = $1)", blocked.pid), (
        "it was not blocked"
    )
    await drained(effects)


class Audit:
    """What handlers of nodes in this process have under way, by key."""

    def __init__(self) -> None:
        self.under_way: Counter[str] = Counter()
        self.most = 0
        self.begun: Counter[int] = Counter()
        self.attempts: set[int] = set()
        self.nodes: set[int] = set()

    async def take(self, key: str, seconds: float) -> None:
        run = howdah.current_run()
        self.begun[run.id] += 1
        self.attempts.add(run.attempt)
        self.nodes.add(run.claimed.node)
        self.under_way[key] += 1
        self.most = max(self.most, self.under_way[key])
        try:
            await anyio.sleep(seconds)
        finally:
            self.under_way[key] -= 1


def app(dsn: str, audit: Audit, **settings: Any) -> App:
    """One with a task under a limit."""
    known: dict[str, Any] = {"lease_s": 120, "backoff_s": 0.02, "backoff_max_s": 0.2, "grace_s": 5, "concurrency": 16}
    jobs = App(dsn, **known | settings)

    @jobs.task(limits=[Limit("narrow", WIDTH, key="key")])
    async def keyed(key: str, seconds: float = 0.0) -> None:
        await audit.take(key, seconds)

    @jobs.task
    async def free() -> None: ...

    return jobs


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
async def test_postgres_restarts_and_no_limit_is_exceeded(own_server: Server, own_dsn: str, how: signal.Signals) -> None:
    audit = Audit()
    db = await asyncpg.connect(own_dsn)
    async with forgiven(), app(own_dsn, audit).work(), app(own_dsn, audit).work():
        await until(db, GATE)
        for done in (0, 200, 400):
            await keyed(db, keys=20, each=10, seconds=0.02)
            await happens(lambda: len(audit.begun) > done + 60)
            await own_server.stop(how)
            await own_server.start()
            db.terminate()
            db = await asyncpg.connect(own_dsn)
        await drained(db)
        assert len(audit.begun) == 600
        assert audit.most == WIDTH
        if how == signal.SIGINT:
            assert set(audit.begun.values()) == {1}
    db.terminate()


async def test_what_runs_under_a_limit_outlives_a_crash_of_postgres_right_after_its_admission(own_server: Server, own_dsn: str) -> None:
    audit = Audit()
    db = await asyncpg.connect(own_dsn)
    async with forgiven(), app(own_dsn, audit).work(), app(own_dsn, audit).work():
        await until(db, GATE)
        runs = await keyed(db, keys=1, each=6, seconds=1.5)
        await happens(lambda: len(audit.begun) == WIDTH)
        await own_server.stop(signal.SIGQUIT)
        await own_server.start()
        db.terminate()
        db = await asyncpg.connect(own_dsn)
        await drained(db)
        assert audit.most == WIDTH
        assert audit.begun == Counter(runs)
    db.terminate()


async def test_the_connections_of_the_gate_are_killed_again_and_again(dsn: str, effects: Session) -> None:
    audit = Audit()
    settings = {"idle_look_s": 600, "busy_look_s": 600, "heartbeat_s": 0.5}
    async with forgiven(), app(dsn, audit, **settings).work(), app(dsn, audit, **settings).work():
        total = 0
        for number in range(12):
            await until(effects, GATE)
            await effects.fetchval(END, ("howdah seat %", "howdah gate %", "howdah %")[number % 3])
            total += len(await keyed(effects, keys=10, each=6, seconds=0.002))
            await drained(effects, within_s=10)  # The next look at everything comes later.
        assert len(audit.begun) == total
        assert audit.most <= WIDTH
        assert audit.attempts == {1}


async def test_two_nodes_in_one_process_share_what_there_is_to_do(dsn: str, effects: Session) -> None:
    audit = Audit()
    async with app(dsn, audit, concurrency=4).work(), app(dsn, audit, concurrency=4).work():
        await until(effects, GATE)
        await keyed(effects, keys=40, each=10, seconds=0.01)
        await drained(effects)
    assert len(audit.begun) == 400
    assert audit.most == WIDTH
    assert len(audit.nodes) == 2, "one of them did everything"


async def test_a_node_without_limits_never_takes_the_seat_and_one_that_hears_nothing_gets_none(
    dsn: str, effects: Session, caplog: pytest.LogCaptureFixture
) -> None:
    plain = App(dsn, grace_s=2)

    @plain.task
    async def free() -> None: ...

    deaf = Audit()
    async with plain.work(), app(dsn, deaf, pooler=True, poll_s=0.05).work() as node:
        assert "runs none of its tasks with limits or placement (keyed): set HOWDAH_DIRECT_DSN" in caplog.text
        (run, *_) = await keyed(effects, keys=3, each=3)
        await enqueue(effects, "free", 20)
        await until(effects, "select count(*) = 20 from howdah.event where kind = 1")
        assert await effects.fetchval("select node is null and epoch = 0 from howdah.gate")
        assert await effects.fetchval("select lease is null from howdah.job where id = $1", run)
        assert await effects.fetchval("select n from howdah.checkup(5) where symptom = 'no_gate'") == 9
        hearing = Audit()
        async with app(dsn, hearing).work():
            await drained(effects)
            assert sum(hearing.begun.values()) == 9
            sessions = await effects.fetch(query("doctor_sessions"), 0.0, 10)  # A heartbeat may be under way.
            others = [one for one in sessions if not one["application"].startswith("howdah heart ")]
            assert others == [], "the seat is no transaction that anybody ends"
        assert not node.stopped.is_set()
    assert not deaf.begun


async def test_the_gate_leaves_under_load_and_hands_over_at_once(fleet: Fleet, effects: Session) -> None:
    await fleet.start(3, **LONG, keyed=True, concurrency=8)
    gate = await the_gate(fleet, effects)
    runs = await keyed(effects, keys=60, each=20, seconds=0.02)
    await until(effects, f"{BEGUN} having count(*) > 60")
    at = time.time()
    gate.send(signal.SIGTERM)
    await drained(effects)
    assert await gate.end() == 0
    assert (await effects.fetchval(LATEST_GAP, at)).total_seconds() < HAND_OVER_S
    assert await effects.fetchval(MOST) == WIDTH
    assert await effects.fetchval("select max(attempt) from effect") == 1
    assert await effects.fetchval("select count(*) from howdah.event where kind = 1") == len(runs)
    assert await effects.fetchval("select count(*) from howdah.event where kind in (19, 20)") == 0, "something was left behind"


async def test_what_was_admitted_to_a_node_that_heard_nothing_of_it_comes_with_the_next_reminder(
    dsn: str, effects: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = Audit()
    settings = {"heartbeat_s": 0.2, "lease_s": 30, "idle_look_s": 1.0}
    async with app(dsn, audit, **settings, concurrency=1).work() as first, app(dsn, audit, **settings, concurrency=4).work() as second:
        await until(effects, GATE)
        gate, other = (first, second) if await effects.fetchval(NAME) == first.name else (second, first)
        lost: list[str] = []
        heard = other._gatehouse.heard  # pyright: ignore[reportPrivateUsage] - what a network loses nobody else can

        def lose(channel: str, payload: str) -> None:
            if len(lost) < 5:
                lost.append(payload)
            else:
                heard(channel, payload)

        monkeypatch.setattr(other._gatehouse, "heard", lose)  # pyright: ignore[reportPrivateUsage]
        await keyed(effects, keys=30, each=2, seconds=0.05)
        await drained(effects)
        assert any(payload.startswith("admitted") for payload in lost)
        assert len(audit.begun) == 60
        assert audit.attempts == {1}
        assert len(audit.nodes) == 2
        assert gate.name != other.name
