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
from howdah.actors import dispatcher, gate, guards, heart, keeper, room
from howdah.config import Config
from howdah.core.states import Kind
from howdah.db import stores
from howdah.nearby import Nearby

from .gate import WIDTH
from .journal import Commit
from .loop import PROCESS, VirtualLoop
from .model import Hold, Model
from .network import TASKS, Network, Pool
from .process import Process
from .rows import Event, Hot, QueueFull
from .verdicts import LATENCY_S, judged
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
CRASHES, FREEZES, WORLDS = (*["crash trap"] * 6, "join", "start"), (*["ambush"] * 6, "thaw", "start"), (*["fail over"] * 3, "trap", "fill")
MIXED = (*["trap"] * 5, "crash trap", *["ambush"] * 4, *["freeze"] * 2, "kill", "thaw", "cut", "join", "drop", "crash", "restart", "stop",
         "hurry", "start", "flush", "fail over", "fill", "empty", "order", "order")  # fmt: skip
STORMS = (MIXED, MIXED, MIXED, CRASHES, FREEZES, WORLDS)
"""Of what a storm consists. Some mistakes show only where one kind of fault comes again and again."""
HEALED_S = 90.0
"""After the storm: leases run out, the longest look comes round twice, and patient runs end."""
FULL = (0.95, 1.0)
"""How full the queue of notifications is where nothing is told any more. Without room even a probe fails."""


class Report(msgspec.Struct):
    """What a history came to."""

    seed: int
    violations: list[str]
    runs: int = 0
    events: int = 0


class World:
    """Everything of one seed."""

    def __init__(self, seed: int, loop: VirtualLoop, *, calm: bool, muffled: bool, limited: bool) -> None:
        self.random = Random(seed)
        self.calm = calm
        self.muffled = muffled
        self.limited = limited
        self.loop = loop
        self.network = Network(self.random, loop.time)
        self.model: Model = self.network.model
        self.diary = Diary(self.model, self._is_alive)
        self.violations = self.diary.violations
        self.model.audit = self._audit
        self.model.overfull = lambda: self.violations.append("more is held under the limit than it allows")
        self.model.given_again = self._note_given_again
        self._nodes: dict[str, tuple[Process, anyio.CancelScope]] = {}
        self._healed_at = 0.0
        self._dead: dict[str, anyio.CancelScope] = {}
        self._numbers = iter(range(1, 1000))
        self._faults = self.random.choice(STORMS)

    @property
    def stormy(self) -> bool:
        """Whether things break."""
        return not self.calm and not self.muffled

    def _is_alive(self, process: str) -> bool:
        return process in self._nodes and not self.loop.is_frozen(process)

    def _audit(self, event: Event, row: Hot | None) -> None:
        if event.kind < Kind.CANCEL_REQUESTED and (row is None or (row.lease, row.node) != (event.lease, event.node)):
            self.violations.append(f"an outcome was accepted that its lease does not cover: {event}, while {row}")

    def _note_given_again(self, hold: Hold, world: int) -> None:
        run, lease, node = hold
        self.violations.append(
            f"run {run} was given to node {node} under lease {lease} in world {self.model.world}, as in world {world}: what comes late of"
            " the one counts for the other"
        )

    async def live(self) -> None:
        """From the first node to the last check."""
        async with anyio.create_task_group() as group:
            for _ in range(self.random.randint(2 if self.stormy else 1, 3)):
                self._start(group)
            await asyncio.sleep(0.5)
            if self.muffled:
                self.model.queue = self.random.choice(FULL)
            watching = anyio.CancelScope()
            if self.calm:
                group.start_soon(self._within, watching)
            end = self.loop.time() + STORM_S
            self.network.loss = self.random.choice((0.0, 0.0, 0.01, 0.05)) if self.stormy else 0.0
            while self.loop.time() < end:
                self._enqueue()
                await asyncio.sleep(self.random.random())
                if self.random.random() < 0.3:
                    self._cancel_something()
                if self.stormy and self.random.random() < (0.4 if self._faults is MIXED else 0.8):
                    self._break_something(group)
            self._heal(group)
            await self._settle_down()
            watching.cancel()
            # A renewal settles; a cancel that was told to nobody, of a run that waits on a node, is found by that node's next look.
            notice_s = 2 * CONFIG.lease_s + CONFIG.idle_look_s
            self.violations += judged(self.model, self.diary, self._healed_at, notice_s, calm=self.calm)
            self.violations += [f"{name} does not do what it was told" for name in self._disobedient()]
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
        return Process(CONFIG, tasks(self.diary, limited=self.limited).registry, pool, Nearby(), None)

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
        task = random.choice(TASKS[:5] if random.random() < 0.7 else TASKS[5:6])
        if self.limited and random.random() < 0.6:
            task = "narrow"
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
        self._ask(lambda _: self.model.submit(TASKS.index(task) + 1, count, awaited=random.random() < 0.3, **said))

    def _ask(self, verb: Callable[[Commit], Any]) -> None:
        try:
            self.model.call(verb)
        except QueueFull:
            self.violations.append("a caller's transaction failed for a hint that could not be told")

    def _cancel_something(self) -> None:
        pending = sorted(self.model.hot)
        patient = [run for run in pending if TASKS[self.model.runs[run].task - 1] == "patient"]
        held = [run for run in pending if self.model.hot[run].lease is not None]
        for some in (patient, held, pending):
            if some and self.random.random() < 0.5:
                chosen = self.random.choice(some)
                self._ask(lambda _, run=chosen: self.model.cancel([run]))

    def _break_something(self, group: anyio.abc.TaskGroup) -> None:
        random, network = self.random, self.network
        names = sorted(self._nodes)
        name = random.choice(names) if names else ""
        match random.choice(self._faults):
            case "ambush":
                self.diary.ambush = self._freeze_where_runs_wait
                self._ask(lambda _: self.model.submit(TASKS.index("plain") + 1, 20))
            case "trap":
                network.trap = random.choice((self._crash_soon, self._freeze_a_while, self.network.drop, self._cut_a_while))
            case "crash trap":
                network.trap = self._crash_soon
                bait, count = random.choice((("once", 4), ("plain", 4), ("patient", 1)))
                self._ask(lambda _: self.model.submit(TASKS.index(bait) + 1, count, once=bait == "once"))
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
            case "fail over":
                self.diary.forget(network.fail_over())
            case "fill":
                self.model.queue = random.choice(FULL)
            case "empty":
                self.model.queue = 0.0
            case "stop" if len(names) > 1:
                self._nodes[name][0].stop()
            case "hurry" if len(names) > 1:
                self._nodes[name][0].hurry()
            case "order" if names:
                self._order(self._nodes[name][0].name, "drain" if len(names) > 1 and random.random() < 0.2 else "pause")
            case "start" if len(names) < 4:
                self._start(group)
            case _:
                network.model.journal.flush()

    def _order(self, name: str, what: str) -> None:
        """A pause is taken back, sooner or later; a drain is not."""
        if self.network.orders.get(name) != "drain":
            self.network.orders[name] = what
            self._tell(name)
            if what == "pause":
                self.loop.call_later(self.random.random() * 3 * CONFIG.lease_s, self._resume, name)

    def _resume(self, name: str) -> None:
        if self.network.orders.get(name) == "pause":
            del self.network.orders[name]
            self._tell(name)

    def _tell(self, name: str) -> None:
        """Of an order. Not always heard: then the next renewal is what brings it."""
        if self.random.random() < 0.5:
            self._ask(lambda _: self.model.tell("howdah_node", name))

    def _crash_soon(self, name: str) -> None:
        """The claim is forgotten, and its lease is handed out again: to somebody else, or to the same node, whose answer is lost."""
        in_s = self.random.random() * 0.008
        again = self.random.random() < 0.3
        for other in self._nodes:
            if (other == name) != again:
                self.network.cut.add(other)
                self.loop.call_later(in_s + self.random.random() * 0.3, self.network.cut.discard, other)
        self.loop.call_later(in_s, self._crash, again)

    def _crash(self, again: bool) -> None:
        self.network.restart(crash=True)
        if again:
            self.network.trap = self.network.drop
            self._ask(lambda _: self.model.submit(TASKS.index("plain") + 1, 3))

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
        if not self.muffled:
            self.model.queue = 0.0
        self.network.trap = self.diary.ambush = None
        self.network.cut.clear()
        for name in sorted(self._nodes):
            self.loop.thaw(name)
        for name in sorted(self.network.orders):
            self._resume(name)
        self._start(group)

    def _disobedient(self) -> list[str]:
        return [name for name, (node, _) in self._nodes.items() if node.order != self.network.orders.get(node.name)]

    async def _settle_down(self) -> None:
        end = self.loop.time() + HEALED_S + PATIENCE_S
        while self.loop.time() < end and (len(self.model.hot) or len(self.model.inbox) or self._disobedient()):
            await asyncio.sleep(0.5)

    async def _watch_latency(self) -> None:
        """Without faults: what is ready starts soon where a slot is free, and what is due is ready soon."""
        since: dict[int, float] = {}
        while True:
            await asyncio.sleep(0.2)
            now = self.loop.time()
            free = any(self.diary.under_way(name) < CONFIG.concurrency for name in self._nodes)
            full = sum(row.run.limited and row.lease is not None for row in self.model.hot.rows()) >= WIDTH
            waiting = {
                row.run.id
                for row in self.model.hot.rows()
                if row.lease is None and (row.due is None or row.due < now) and not (row.run.limited and full)
            }
            since = {run: since.get(run, now) for run in waiting} if free else {}
            for run, began in since.items():
                if now - began > LATENCY_S:
                    self.violations.append(f"run {run} waited {now - began:.2f} s while slots were free")
                    return


@contextmanager
def played(loop: VirtualLoop, network: Network) -> Generator[None]:
    """Time and the way to Postgres are the simulation's."""
    with ExitStack() as stack:
        for module in (dispatcher, gate, guards, heart, keeper, room, stores, context, logs):
            stack.enter_context(patch.object(module, "monotonic", loop.time))
        stack.enter_context(patch.object(asyncpg, "connect", network.connect))
        yield


def simulate(seed: int, *, plant: Callable[[World], Any] | None = None) -> Report:
    """One history. Every third is calm: nothing breaks, and everything must be quick. Every sixth is muffled: nothing breaks, and
    nobody is told of anything to the end, since the queue of notifications is full. In every fifth some runs are under a limit."""
    random = Random(seed)
    global_random.seed(seed)
    loop = VirtualLoop(random, shuffled=seed % 2 == 0)
    loop.set_exception_handler(lambda _loop, _context: None)
    world = World(seed, loop, calm=seed % 3 == 0, muffled=seed % 6 == 5, limited=seed % 5 == 4)
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
