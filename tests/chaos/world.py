"""One storm: a server, nodes and producers come up, things go wrong, all is mended, and what came of it is looked at."""

import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import anyio
import anyio.to_thread
import asyncpg
import msgspec
from howdah.config import configure
from howdah.db.migrate import migrate

from . import changes, checks, ledger
from .faults import FAULTS
from .faults.server import LOST
from .fleet import Fleet, Member
from .history import history
from .proxy import Proxy
from .scene import Scene
from .schedule import LEASE_S, NODES, PRODUCERS, SORTS, Fault, plan, skews
from .server import DATABASE, Server

SETTINGS = {
    "LEASE_S": f"{LEASE_S}", "HEARTBEAT_S": "0.8", "LEASE_MARGIN_S": "0.5", "GRACE_S": "5", "HARD_GRACE_S": "5", "COMMAND_TIMEOUT_S": "5",
    "CONNECT_TIMEOUT_S": "3", "PROBE_S": "3", "PROBE_TIMEOUT_S": "1", "AHEAD_DAYS": "1", "RESULT_POLL_S": "2", "IDLE_LOOK_S": "3",
    "PROCESSES": "2", "CONCURRENCY": "32",
}  # fmt: skip
PROXIED = (1, 3)
SETTLED_S = 60.0
ENDED_S = 30.0
ZOMBIES = """
select count(*) from chaos.attempt a join howdah.run r on r.id = a.run and r.demands is not null
where a.ended > (select min(g.at) from chaos.gone g where g.node = a.node)
"""
PENDING = """
select (select count(*) from howdah.job) + (select count(*) from howdah.timer) + (select count(*) from howdah.misfit)
     + (select count(*) from howdah.inbox)
"""
HISTORIES = 5


class Storm(msgspec.Struct, frozen=True):
    """What was asked for."""

    seed: int
    seconds: float
    rate: float
    kinds: tuple[str, ...] = tuple(FAULTS)
    every_s: float = 2.5
    disk_mb: int = 8000
    limits: str | None = None
    """Most of what is not in bulk is under limits: "all" kinds of them, or "wide" ones."""


class Report(msgspec.Struct):
    """What came of it."""

    seed: int
    seconds: float
    runs: int = 0
    events: int = 0
    attempts: int = 0
    runs_per_s: float = 0.0
    settled_s: float = 0.0
    unknown: int = 0
    permits: int = 0
    zombies: int = 0
    """Attempts under limits that went on when their node was off the list."""
    stale: int = 0
    faults: dict[str, int] = {}
    skipped: dict[str, str] = {}
    deaths: dict[str, int] = {}
    ends: dict[str, int] = {}
    takeovers: list[checks.Takeover] = []
    first_takeover_max_s: float | None = None
    violations: int = 0
    by_check: dict[str, int] = {}
    first: list[checks.Violation] = []
    histories: dict[int, list[str]] = {}


class World:
    """Everything of one storm. Nothing outlives `live`."""

    def __init__(self, storm: Storm, folder: Path) -> None:
        self.storm = storm
        self.random = Random(f"world {storm.seed}")
        self.server = Server(folder, storm.disk_mb)
        self.complaints: list[str] = []
        self._folder = folder
        self._server_free = anyio.Lock()

    def report(self, what: str) -> None:
        """Something that nobody expects."""
        self.complaints.append(what)

    async def live(self) -> Report:
        """From the first process to the last check."""
        try:
            await anyio.to_thread.run_sync(self.server.begin)
            await self._furnish()
            async with AsyncExitStack() as stack:
                proxies = {f"node{n}": await stack.enter_async_context(Proxy.to(self.server.socket)) for n in PROXIED if n < NODES}
                scene = Scene(self.storm.seed, self.random, self._fleet(proxies), self.server, proxies)
                settled_s = await self._pass_through(scene)
            return await self._judge(scene, settled_s)
        finally:
            await anyio.to_thread.run_sync(self.server.close)

    async def _furnish(self) -> None:
        admin = await asyncpg.connect(self.server.primary.dsn())
        await admin.execute(f"create database {DATABASE}")
        await admin.close()
        db = await self.server.connect("chaos")
        await migrate(db, configure({"ahead_days": 1}))
        await db.execute((Path(__file__).parent / "schema.sql").read_text())
        await db.close()

    def _fleet(self, proxies: dict[str, Proxy]) -> Fleet:
        environment = {f"HOWDAH_{name}": value for name, value in SETTINGS.items()}
        if self.storm.limits:
            environment["CHAOS_LIMITS"] = self.storm.limits
        environment |= {"CHAOS_FOLDER": str(self._folder), "HOWDAH_DSN": self.server.dsn}
        storm = self.storm

        def node(number: int, skew_s: float) -> Member:
            name = f"node{number}"
            own = (
                {"HOWDAH_DSN": f"postgresql://postgres@127.0.0.1:{proxies[name].port}/{DATABASE}?sslmode=disable"}
                if name in proxies
                else {}
            )
            command = ["-m", "tests.chaos.skewed", f"{skew_s}", "tests.chaos.program"]
            return Member(name, command, self._folder, environment | own, self)

        def producer(number: int) -> Member:
            command = ["-m", "tests.chaos.producer", f"{number}", f"{storm.seed}", f"{storm.rate / PRODUCERS}"]
            return Member(f"producer{number}", command, self._folder, environment, self)

        return Fleet([node(*each) for each in enumerate(skews(storm.seed))], [producer(number) for number in range(PRODUCERS)])

    async def _pass_through(self, scene: Scene) -> float:
        """The storm, and its end; how long it took until nothing was pending any more."""
        fleet, settled_s = scene.fleet, 0.0
        async with anyio.create_task_group() as group:
            try:
                for member in (*fleet.nodes, *fleet.producers):
                    group.start_soon(member.live)
                began = time.monotonic()
                async with anyio.create_task_group() as storm:
                    storm.start_soon(changes.make, self.server, self.storm.seed, began + self.storm.seconds)
                    for fault in plan(self.storm.seed, self.storm.seconds, self.storm.kinds, self.storm.every_s):
                        await anyio.sleep(max(0.0, began + fault.at_s - time.monotonic()))
                        storm.start_soon(self._break, scene, fault)
                    await anyio.sleep(max(0.0, began + self.storm.seconds - time.monotonic()))
                await _dismiss(fleet.producers)
                await changes.end(self.server)
                settled_s = await self._settle_down()
                await _dismiss(fleet.nodes)
            finally:
                fleet.end()
        return settled_s

    async def _break(self, scene: Scene, fault: Fault) -> None:
        try:
            if SORTS[fault.kind].alone:
                async with self._server_free:  # It may have taken longer than planned.
                    await FAULTS[fault.kind](scene, fault)
            else:
                await FAULTS[fault.kind](scene, fault)
        except LOST as error:  # Another fault was in the way.
            scene.skipped[fault.kind] = repr(error)
        except Exception as error:
            self.report(f"the fault {fault} could not be made or mended: {error!r}")

    async def _settle_down(self) -> float:
        began = time.monotonic()
        last, last_change = -1, began
        while (pending := await self.server.ask(PENDING)) and time.monotonic() < last_change + SETTLED_S:
            if pending != last:
                last, last_change = pending, time.monotonic()
            await changes.free(self.server)
            await anyio.sleep(0.1)
        return round(time.monotonic() - began, 3)

    async def _judge(self, scene: Scene, settled_s: float) -> Report:
        db = await self.server.connect("chaos checks")
        try:
            lives = scene.fleet.lives
            pages = await ledger.store(db, lives, scene.noted)
            found = await checks.violations(db)
            takeovers = await checks.takeovers(db, LEASE_S)
            found.add("takeover", checks.late(takeovers, LEASE_S))
            found.add("processes", [checks.Violation("processes", said) for said in self.complaints])
            found.add("complaints", [checks.Violation("complaints", said) for said in pages.complaints])
            shown = list(dict.fromkeys(run for one in found.first for run in one.runs))[:HISTORIES]
            report = Report(
                seed=self.storm.seed,
                seconds=self.storm.seconds,
                attempts=len(pages.attempts),
                settled_s=settled_s,
                unknown=len(pages.unknown),
                faults=dict(sorted(Counter(f"{n.kind} {n.variant}".strip() for n in scene.noted).items())),
                skipped=scene.skipped,
                deaths=dict(sorted(Counter(life.why for life in lives).items())),
                takeovers=takeovers,
                first_takeover_max_s=max((one.first_s for one in takeovers if one.clear and one.first_s is not None), default=None),
                violations=sum(found.counts.values()),
                by_check=found.counts,
                first=found.first,
                histories={run: await history(db, run) for run in shown},
            )
            await _count(db, report)
            return report
        finally:
            db.terminate()


async def _dismiss(members: Sequence[Member]) -> None:
    """Asks them to end, and waits for it."""
    for member in members:
        member.retire()
        member.send(signal.SIGCONT)
        member.send(signal.SIGTERM, "dismissed")
    with anyio.move_on_after(ENDED_S):
        while any(member.pid is not None or (member.lives and not member.lives[-1].ended) for member in members):
            await anyio.sleep(0.02)


async def _count(db: asyncpg.Connection, report: Report) -> None:
    rows: Sequence[Any] = await db.fetch(
        "select format('%s %s', t.name, k.state), count(*) from howdah.event e join howdah.kind k on k.id = e.kind and k.final"
        " join howdah.task t on t.id = e.task group by 1 order by 1"
    )
    report.ends = {row[0]: row[1] for row in rows}
    report.runs = await db.fetchval("select count(*) from howdah.run")
    report.events = await db.fetchval("select count(*) from howdah.event")
    report.permits = await db.fetchval("select count(*) from chaos.permit")
    report.zombies = await db.fetchval(ZOMBIES)
    report.stale = await db.fetchval("select count(*) from howdah.stale_event")
    report.runs_per_s = round(report.runs / report.seconds, 1)
