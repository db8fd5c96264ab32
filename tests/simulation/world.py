"""One history: nodes come and go, runs are enqueued and cancelled, things break; then all is well again, and is looked at."""

import asyncio
import logging
import random as global_random
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

import anyio
import asyncpg
import msgspec
from howdah import context, logs
from howdah.actors import dispatcher, heart, keeper, room
from howdah.config import Config
from howdah.core.states import TRANSITIONS, Kind, State
from howdah.nearby import Nearby
from howdah.node import Node

from .loop import PROCESS, VirtualLoop
from .model import ENDS, Model
from .network import TASKS, Network, Pool
from .rows import Event, Hot
from .workload import PATIENCE_S, Diary, tasks

CONFIG = Config(
    dsn="postgresql://simulated",
    pooler=False,
    concurrency=4,
    lease_s=3.0,
    heartbeat_s=1.0,
    lease_margin_s=0.5,
    grace_s=2.0,
    hard_grace_s=2.0,
    busy_look_s=5.0,
    idle_look_s=30.0,
    probe_s=5.0,
    probe_timeout_s=1.0,
    deadline_tick_s=0.2,
    block_warning_s=4.0,
    claim_max=8,
    prefetch_max=8,
    prefetch_horizon_s=1.0,
    log_max=0,
    backoff_max_s=0.5,
)
STORM_S = 10.0
HEALED_S = 90.0
"""After the storm: leases run out, the longest look comes round twice, and patient runs end."""
FAULTS = (*["trap"] * 5, *["ambush"] * 4, *["freeze"] * 2, "kill", "thaw", "cut", "join", "drop", "crash", "restart", "stop", "hurry",
          "start", "flush")  # fmt: skip
LATENCY_S = 1.0
"""Where nothing breaks a free node starts what is ready by notification, and not by the next look."""


class Report(msgspec.Struct):
    """What a history came to."""

    seed: int
    violations: list[str]
    runs: int = 0
    events: int = 0


class Process(Node):
    """A node as it is, save that its heart beats on the loop of the simulation."""

    async def _beat(self, heart: Any, left: anyio.Event) -> None:
        await heart.live(asyncio.get_running_loop(), _Blind())
        left.set()


class _Blind:
    def look(self, _: object) -> None:
        """Nobody's loop is blocked where time stands still meanwhile."""


class World:
    """Everything of one seed."""

    def __init__(self, seed: int, loop: VirtualLoop, *, calm: bool) -> None:
        self.random = Random(seed)
        self.calm = calm
        self.loop = loop
        self.network = Network(self.random, loop.time)
        self.model: Model = self.network.model
        self.diary = Diary(self.model, self._is_alive)
        self.violations = self.diary.violations
        self.model.audit = self._audit
        self._nodes: dict[str, tuple[Process, anyio.CancelScope]] = {}
        self._healed_at = 0.0
        self._dead: dict[str, anyio.CancelScope] = {}
        self._numbers = iter(range(1, 1000))

    def _is_alive(self, process: str) -> bool:
        return process in self._nodes and not self.loop.is_frozen(process)

    def _audit(self, event: Event, row: Hot | None) -> None:
        if event.kind < Kind.CANCEL_REQUESTED and (row is None or (row.lease, row.node) != (event.lease, event.node)):
            self.violations.append(f"an outcome was accepted that its lease does not cover: {event}, while {row}")

    async def live(self) -> None:
        """From the first node to the last check."""
        async with anyio.create_task_group() as group:
            for _ in range(self.random.randint(1 if self.calm else 2, 3)):
                self._start(group)
            await asyncio.sleep(0.5)
            watching = anyio.CancelScope()
            if self.calm:
                group.start_soon(self._within, watching)
            end = self.loop.time() + STORM_S
            self.network.loss = 0.0 if self.calm else self.random.choice((0.0, 0.0, 0.01, 0.05))
            while self.loop.time() < end:
                self._enqueue()
                await asyncio.sleep(self.random.random())
                if self.random.random() < 0.3:
                    self._cancel_something()
                if not self.calm and self.random.random() < 0.4:
                    self._break_something(group)
            self._heal(group)
            await self._settle_down()
            watching.cancel()
            self._judge()
            for name, scope in [(name, scope) for name, (_, scope) in self._nodes.items()] + list(self._dead.items()):
                self.loop.thaw(name)
                scope.cancel()

    async def _within(self, scope: anyio.CancelScope) -> None:
        with scope:
            await self._watch_latency()

    def _start(self, group: anyio.abc.TaskGroup) -> None:
        name = f"node {next(self._numbers)}"
        scope = anyio.CancelScope()
        token = PROCESS.set(name)
        try:
            node = self._made()
            self._nodes[name] = (node, scope)
            group.start_soon(self._run, name, node, scope)
        finally:
            PROCESS.reset(token)

    def _made(self) -> Process:
        pool: Any = Pool(self.network, CONFIG)
        return Process(CONFIG, tasks(self.diary).registry, pool, Nearby(), None)

    async def _run(self, name: str, node: Process, scope: anyio.CancelScope) -> None:
        with scope:
            while True:
                try:
                    await node.run()
                    break
                except Exception as error:
                    if node.started:
                        self.violations.append(f"{name} came down: {error!r}")
                        break
                    await asyncio.sleep(0.5)
                    node = self._made()
                    if name in self._nodes:
                        self._nodes[name] = (node, scope)
        self._nodes.pop(name, None)

    def _enqueue(self) -> None:
        said: dict[str, Any] = {}
        random = self.random
        task = random.choice(TASKS[:5] if random.random() < 0.7 else TASKS[5:])
        count = random.choice((1, 1, 6)) if task == "patient" else random.choice((1, 1, 2, 5, 20))
        if task == "once":
            said["once"] = True
        if random.random() < 0.2:
            said["delay_s"] = random.random() * 4
        if random.random() < 0.1:
            said["priority"] = random.randint(-3, 3)
        if task == "plain" and random.random() < 0.2:
            said["key"], count = random.choice("ab"), 1
        parents = [row.run.id for row in self.model.hot.rows() if TASKS[row.run.task - 1] == "patient"]
        if parents and random.random() < 0.3:
            said["parent"], said["keeps"] = random.choice(parents), random.random() < 0.3
            said.setdefault("delay_s", 5.0)
        self.model.call(lambda _: self.model.submit(TASKS.index(task) + 1, count, awaited=random.random() < 0.3, **said))

    def _cancel_something(self) -> None:
        pending = sorted(self.model.hot)
        patient = [run for run in pending if TASKS[self.model.runs[run].task - 1] == "patient"]
        held = [run for run in pending if self.model.hot[run].lease is not None]
        for some in (patient, held, pending):
            if some and self.random.random() < 0.5:
                chosen = self.random.choice(some)
                self.model.call(lambda _, run=chosen: self.model.cancel([run]))

    def _break_something(self, group: anyio.abc.TaskGroup) -> None:
        random, network = self.random, self.network
        names = sorted(self._nodes)
        name = random.choice(names) if names else ""
        match random.choice(FAULTS):
            case "ambush":
                self.diary.ambush = self._freeze_where_runs_wait
            case "trap":
                network.trap = random.choice((self._crash_soon, self._freeze_a_while, self.network.drop, self._cut_a_while))
            case "kill" if names:
                self._kill(name)
                self._start(group)
            case "freeze" if names:
                self.loop.freeze(name)
            case "thaw" if names:
                self.loop.thaw(name)
            case "cut" if names:
                network.cut.add(name)
            case "join":
                network.cut.clear()
            case "drop":
                network.drop(name if random.random() < 0.7 else None)
            case "crash":
                network.restart(crash=True)
            case "restart":
                network.restart(crash=False)
            case "stop" if len(names) > 1:
                self._nodes[name][0].stop()
            case "hurry" if len(names) > 1:
                self._nodes[name][0].hurry()
            case "start" if len(names) < 4:
                self._start(group)
            case _:
                network.model.journal.flush()

    def _crash_soon(self, _: str) -> None:
        self.loop.call_later(self.random.random() * 0.03, lambda: self.network.restart(crash=True))

    def _freeze_a_while(self, name: str, least_s: float = 0.0) -> None:
        """Longer than the lease, more often than not."""
        self.loop.freeze(name)
        self.loop.call_later(least_s + self.random.random() * 3 * CONFIG.lease_s, self._thaw, name)

    def _freeze_where_runs_wait(self, name: str) -> None:
        node = self._nodes[name][0]
        if any(room.waiting for room in node._rooms):
            self.diary.ambush = None
            self._freeze_a_while(name, CONFIG.lease_s + 1.0)

    def _thaw(self, name: str) -> None:
        if name not in self._dead:
            self.loop.thaw(name)

    def _cut_a_while(self, name: str) -> None:
        self.network.cut.add(name)
        self.loop.call_later(self.random.random() * 3 * CONFIG.lease_s, self.network.cut.discard, name)

    def _kill(self, name: str) -> None:
        """As by SIGKILL: nothing of it runs any more, and the server notices that its connections are gone."""
        self.loop.freeze(name)
        _, self._dead[name] = self._nodes.pop(name)
        self.network.drop(name)
        self.network.cut.discard(name)

    def _heal(self, group: anyio.abc.TaskGroup) -> None:
        self._healed_at = self.loop.time()
        self.network.loss = 0.0
        self.network.trap = self.diary.ambush = None
        self.network.cut.clear()
        for name in sorted(self._nodes):
            self.loop.thaw(name)
        self._start(group)

    async def _settle_down(self) -> None:
        end = self.loop.time() + HEALED_S + PATIENCE_S
        while self.loop.time() < end and (len(self.model.hot) or len(self.model.inbox)):
            await asyncio.sleep(0.5)

    def _judge(self) -> None:
        say, model = self.violations.append, self.model
        for row in model.hot.rows():
            say(f"run {row.run.id} ({TASKS[row.run.task - 1]}) is still pending: {row}")
        if len(model.inbox):
            say(f"effects were not applied: {sorted({what for _, what in model.inbox.rows()})}")
        told: dict[int, list[Kind]] = {}
        for event in model.events.rows():
            told.setdefault(event.run, []).append(event.kind)
        for run in model.runs.rows():
            kinds = told.get(run.id, [])
            end = _replayed(kinds)
            if end is None or sum(kind in ENDS for kind in kinds) != 1:
                say(f"run {run.id} does not follow from its events: {kinds}")
            if TASKS[run.task - 1] == "once" and self.diary.started[run.id] > 1:
                say(f"run {run.id} starts at most once and started {self.diary.started[run.id]} times")
            if TASKS[run.task - 1] == "charge" and self.diary.charged[run.id] != (end is State.SUCCEEDED):
                say(f"run {run.id} is {end} and charged {self.diary.charged[run.id]} times")
            if run.parent is not None and not run.keeps and _replayed(told.get(run.parent, [])) is State.CANCELLED:
                # In a storm there may be nobody to settle it, until all is well again and somebody's lease is renewed.
                latest = self._ended_at(run.parent) + LATENCY_S if self.calm else self._healed_at + 2 * CONFIG.lease_s
                if self.diary.first_start.get(run.id, 0.0) > latest:
                    say(f"run {run.id} began after its parent {run.parent} was cancelled")
        if self.calm:
            self._judge_latency()

    def _ended_at(self, run: int) -> float:
        return max(event.at for event in self.model.events.rows() if event.run == run)

    def _judge_latency(self) -> None:
        """Without faults: what was flagged for cancellation ends soon."""
        asked = {e.run: e.at for e in self.model.events.rows() if e.kind is Kind.CANCEL_REQUESTED}
        for run, at in asked.items():
            if self._ended_at(run) - at > LATENCY_S:
                self.violations.append(f"run {run} ended {self._ended_at(run) - at:.2f} s after its cancellation")

    async def _watch_latency(self) -> None:
        """Without faults: what is ready starts soon where a slot is free, and what is due is ready soon."""
        since: dict[int, float] = {}
        while True:
            await asyncio.sleep(0.2)
            now = self.loop.time()
            free = any(self.diary.under_way(name) < CONFIG.concurrency for name in self._nodes)
            waiting = {row.run.id for row in self.model.hot.rows() if row.lease is None and (row.due is None or row.due < now)}
            since = {run: since.get(run, now) for run in waiting} if free else {}
            for run, began in since.items():
                if now - began > LATENCY_S:
                    self.violations.append(f"run {run} waited {now - began:.2f} s while slots were free")
                    return


def _replayed(kinds: list[Kind]) -> State | None:
    """The state that follows from the events; None: they do not follow from one another."""
    state: State | None = State.QUEUED
    for kind in kinds:
        if state in _CLAIMABLE and (kind, State.RUNNING) in TRANSITIONS and (kind, state) not in TRANSITIONS:
            state = State.RUNNING  # A claim leaves no event.
        state = None if state is None else TRANSITIONS.get((kind, state))
    return state


_CLAIMABLE = (State.QUEUED, State.RETRYING, State.SCHEDULED)


@contextmanager
def played(loop: VirtualLoop, network: Network) -> Generator[None]:
    """Time and the way to Postgres are the simulation's."""
    with ExitStack() as stack:
        for module in (dispatcher, heart, keeper, room, context, logs):
            stack.enter_context(patch.object(module, "monotonic", loop.time))
        stack.enter_context(patch.object(asyncpg, "connect", network.connect))
        yield


def simulate(seed: int, *, plant: Callable[[World], Any] | None = None) -> Report:
    """One history. Every third is calm: nothing breaks, and everything must be quick."""
    random = Random(seed)
    global_random.seed(seed)
    loop = VirtualLoop(random, shuffled=seed % 2 == 0)
    loop.set_exception_handler(lambda _loop, _context: None)
    world = World(seed, loop, calm=seed % 3 == 0)
    logging.disable(logging.CRITICAL)
    try:
        asyncio.set_event_loop(loop)
        with played(loop, world.network), ExitStack() as stack:
            if plant is not None:
                stack.enter_context(plant(world))
            loop.run_until_complete(world.live())
    finally:
        logging.disable(logging.NOTSET)
        asyncio.set_event_loop(None)
        loop.close()
    return Report(seed, world.violations, len(world.model.runs), len(world.model.events))
