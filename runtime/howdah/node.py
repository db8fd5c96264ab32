"""One running node: builds the mailboxes, starts the actors in one task group, and owns how they stop.

The task group is the supervisor: an actor that fails is a bug and brings the node down, loudly; what restarts a node
is the process above it. Postgres holds everything that matters.

    stop    the dispatcher claims no more and hands back what has not started; slots, then the writer, end by themselves
    hurry   functions still running are cancelled and handed back without burning an attempt (also after the grace)
    kill    the task group is cancelled; the lease runs out and other nodes take over: the crash path
"""

import asyncio
import functools
import importlib.metadata
import logging
import math
import os
import platform
import random
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic

import anyio
import anyio.abc
import anyio.to_thread

from . import notices
from .actors.dispatcher import dispatch
from .actors.gathering import GatheringSlot
from .actors.heart import Heart, Watch
from .actors.keeper import ASK, keep_house
from .actors.lane import Lane, Surroundings
from .actors.listener import listen
from .actors.processes import Attempts
from .actors.reporter import Reporter
from .actors.room import Room, Slot
from .actors.stock import NodeStock
from .actors.tally import Tally
from .actors.writer import write
from .config import Config
from .context import CURRENT, CurrentNode, CurrentRun, Home
from .core.lines import Hints
from .core.verdict import Cause
from .db.catalogue import register
from .db.leases import Leases, Member
from .db.pool import Pool
from .db.readings import Readings
from .db.stores import Bell, Claims, Outcomes, Upkeep
from .definitions import Definition
from .gatehouse import Gatehouse
from .instruments import Gauges
from .labels import Labels
from .logs import captured
from .mailbox import Mailbox
from .messages import Outcome, Sign, Standing, Stop, ToDispatcher, Woken
from .nearby import Nearby
from .policy import ServedQueues
from .process.address import terms
from .process.pool import Children, Terms
from .process.wire import Start
from .progress import Board
from .registry import Registry
from .rooms import Furniture, build_rooms, held_max
from .telemetry import origin
from .tracing import Tracing
from .transactions import Transactions

log = logging.getLogger("howdah.node")

CHANNELS = ("howdah_work", "howdah_timer", "howdah_cancel", "howdah_node", "howdah_pause")

HEART_ANSWERS_S = 2.0
"""A heart that has not answered within this time is stuck."""

REMINDERS_MAX = 1024
"""Reminders kept for upkeep while it is busy: when so many wait, it runs at once anyway."""


class Node:
    """Runs the tasks of a registry until it is stopped."""

    def __init__(
        self, config: Config, registry: Registry, pool: Pool, nearby: Nearby, queues: ServedQueues, app: str | None = None
    ) -> None:
        config = self._config = config.reached(pooler=pool.config.pooler)
        self._registry = registry
        self._pool = pool
        self._nearby = nearby
        self._queues = queues
        self._app = app
        # Unique in the database: a claim connection that hangs is found, and ended, by its name.
        self.name = f"{platform.node()[:16]}-{os.getpid()}-{random.getrandbits(32):08x}"
        self.labels = Labels(config.labels or {}, lambda: self._heart and self._heart.ask())
        """What it says of itself. set() and remove() take effect within a second."""
        self.started = False
        self.order: str | None = None
        """What somebody told this node by howdah.order_node: pause, drain, or nothing."""
        self.stopping = anyio.Event()
        self.stopped = anyio.Event()
        self._hurrying = anyio.Event()
        self._bell_gone = anyio.Event()
        self._has_listened = False
        self._rooms: list[Room] = []
        self._tally = None if pool.instruments is None else Tally(config.report_values)
        self._stock = NodeStock()
        self._tracing = Tracing(config)
        self._children = Children(config.processes, config)
        self._heart: Heart | None = None
        self._claims: Claims | None = None
        self._transactions = Transactions(pool, config.lease_s, self._offset_s)
        # One outcome, and at most one receipt, for each run held; beside them one Woken and one Stop.
        held = held_max(registry, config)
        self._ledger = Mailbox[Outcome](held)
        # As many Admitted, each with a run of those held.
        self._desk = Mailbox[ToDispatcher](2 * held + 2)
        self._reminders = Mailbox[float](REMINDERS_MAX)
        self._hints = Hints()
        self._gatehouse = Gatehouse(config, self.name, self._desk, self._hints, self._standing)
        self._served: frozenset[int] | None = None

    @property
    def running(self) -> list[CurrentRun]:
        """The attempts under way."""
        return [run for room in self._rooms for run in room.running]

    @property
    def ended(self) -> int:
        """How many attempts have come to an end here."""
        return sum(room.ended for room in self._rooms)

    async def trouble(self) -> str | None:
        """Why the process had better be started anew: its heart does not answer. That this was asked at all tells that its loop turns."""
        if self.started and not self.stopped.is_set() and self._heart is not None and not await self._heart.answers(HEART_ANSWERS_S):
            return f"the thread that renews the lease has not answered for {HEART_ANSWERS_S:g} s"
        return None

    def unready(self) -> str | None:
        """Why it claims nothing at the moment; None: it does."""
        if self.stopping.is_set():
            return "it drains"
        if not self.started:
            return "it starts"
        if self.paused:
            return "it was told to pause"
        standing, config = self._standing(), self._config
        if standing is None or standing.renewed + config.heartbeat_s + config.probe_timeout_s < monotonic():
            return "Postgres does not answer"
        return None

    @property
    def paused(self) -> bool:
        """Whether it starts nothing new until it is resumed."""
        return self.order == "pause"

    def stop(self) -> None:
        """Claim no more, finish what runs, flush, leave; after grace_s hurry."""
        self.stopping.set()

    def hurry(self) -> None:
        """Stop, and cancel what runs now."""
        self.stopping.set()
        self._hurrying.set()

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Runs until stopped; returns when every outcome is durable. Says started when its lease holds, or it is stopped before that."""
        config = self._config
        tasks, queues, installation = await register(self._pool, self._registry, None if self._queues is None else list(self._queues))
        self._served = None if queues is None else frozenset(queues)
        joined = anyio.Event()
        heart = self._heart = Heart(
            config,
            Leases(config, self._member(tasks, queues)),
            joined=lambda: (joined.set(), self._look()),
            fenced=self._fenced,
            unsettled=lambda: self._remind(-1.0),
            ordered=self._obey,
        )
        board = self._hang_board()
        home = Home(self._transactions.open, board, installation, config.dsn, CurrentNode(self.name, self.labels))
        self._rooms = self._build_rooms(tasks, home)
        claims = self._claims = Claims(config, self.name, queues, lambda: self._remind(ASK), self._tracing)
        outcomes, upkeep = Outcomes(config, self.name), Upkeep(config, self.name)
        bell = Bell(config, self.name, (*CHANNELS, *self._gatehouse.channels), self._heard)
        written, reported, left = anyio.Event(), anyio.Event(), anyio.Event()
        try:
            with self._nearby.listening(self._told), captured(functools.partial(_run_at, home), config.log_level, config.log_max):
                async with anyio.create_task_group() as group:
                    self._stock.serve(group)
                    group.start_soon(self._shut_down, group.cancel_scope)
                    group.start_soon(self._beat, heart, left)
                    if config.hears:
                        group.start_soon(listen, bell, self._listened, self._listening, config.probe_s)
                    group.start_soon(keep_house, self._reminders, upkeep, self._rooms, self._cancel, board, config)
                    group.start_soon(
                        functools.partial(dispatch, weights=self._weights(queues), paused=lambda: self.paused, gate=self._gatehouse),
                        *(self._desk, self._hints, self._rooms, claims, self._ledger, self._standing, config),
                    )
                    group.start_soon(self._gatehouse.keep, queues, self._rooms)
                    group.start_soon(self._write, outcomes, written)
                    for room in self._rooms:
                        group.start_soon(room.watch, config.deadline_tick_s)
                    group.start_soon(self._children.watch)
                    group.start_soon(self._report, tasks, written, reported)
                    await joined.wait()
                    self.started = True
                    task_status.started()
                    async with anyio.create_task_group() as slots:
                        for room in self._rooms:
                            for slot in room.slots:
                                slots.start_soon(room.serve, slot, slots)
                    self._ledger.close()
                    await self._children.close()
                    await self._stock.close()
                    await reported.wait()
                    heart.stop(leave=True)
                    await left.wait()
                    group.cancel_scope.cancel()
            if not self.started:  # It was told to stop before.
                task_status.started()
        finally:
            heart.stop(leave=False)
            self._children.kill()
            for store in (claims, outcomes, upkeep, bell):
                await store.close()
            self.stopped.set()

    def _member(self, tasks: dict[int, Definition], queues: list[int] | None) -> Member:
        numbers = sorted(tasks)
        hashes = [tasks[number].hash for number in numbers]
        return Member(self.name, platform.node(), os.getpid(), importlib.metadata.version("howdah"), numbers, hashes, queues, self.labels)

    def _weights(self, queues: list[int] | None) -> dict[int, float] | None:
        return dict(zip(queues or (), self._queues.values(), strict=True)) if isinstance(self._queues, Mapping) else None

    def _build_rooms(self, tasks: dict[int, Definition], home: Home) -> list[Room]:
        def build(kind: type[Room], name: str, slots: int, lanes: dict[int, Lane]) -> Room:
            return kind(
                *(name, slots, lanes, self._ledger, self._standing),
                slice_s=self._config.slice_s,
                tally=self._tally,
                tracing=self._tracing,
                permits=self._gatehouse.permits,
            )

        around = Surroundings(tuple(self._registry.middlewares), self._stock)

        def attempts(definition: Definition) -> Attempts:
            return functools.partial(self._attempt, terms(definition, around.middlewares, self._app, self._config))

        return build_rooms(self._registry, tasks, build, Furniture(home, around, attempts), self._config)

    def _attempt(self, terms: Terms, run: CurrentRun, hear: Callable[[Sign], None]) -> Awaitable[Outcome]:
        span = None if self._tracing.tracer is None else origin()
        start = Start(run.claimed, self._offset_s(), run.home.installation, span, self.name, dict(self.labels))
        return self._children.attempt(terms, start, hear)

    async def _beat(self, heart: Heart, left: anyio.Event) -> None:
        late = None if self._tally is None else self._tally.lags.add
        watch = Watch((Slot.work.__code__, GatheringSlot.together.__code__), self._config.block_warning_s, late)
        await anyio.to_thread.run_sync(
            heart.beat, asyncio.get_running_loop(), watch, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
        )
        left.set()

    async def _write(self, outcomes: Outcomes, written: anyio.Event) -> None:
        await write(self._ledger, outcomes, self._desk, self._remind, self._gatehouse, self._config.write_max, self._tally)
        self._desk.close()
        written.set()

    async def _report(self, tasks: dict[int, Definition], written: anyio.Event, reported: anyio.Event) -> None:
        """Tells OpenTelemetry what is done here, if the process wants that, until every outcome is durable."""
        instruments, tally = self._pool.instruments, self._tally
        if instruments is not None and tally is not None:
            gauges = Gauges(lambda: [(room.name, room.at_work, len(room.slots)) for room in self._rooms])
            names = {number: definition.name for number, definition in tasks.items()}
            reporter = Reporter(tally, instruments, gauges, Readings(self._pool), names, self._standing, self._config)
            with instruments.showing(gauges):
                await reporter.report(written)
        await written.wait()
        reported.set()

    async def _shut_down(self, everything: anyio.CancelScope) -> None:
        config = self._config
        await self.stopping.wait()
        if self._heart is not None and self._standing() is None and not self.started:
            # It waits for Postgres to let it in, for as long as that takes, and holds nothing.
            self._heart.stop(leave=True)
            everything.cancel()
            return
        self._gatehouse.leave()
        self._desk.put_nowait(Stop())
        with anyio.move_on_after(config.grace_s):
            await self._hurrying.wait()
        with anyio.move_on_after(config.hard_grace_s):
            while True:  # What waits may still start, as long as a claim keeps the dispatcher from hearing of the stop.
                for room in self._rooms:
                    room.interrupt(Cause.SHUTDOWN)
                await anyio.sleep(config.deadline_tick_s)
        log.error(
            "the node did not end within %.0f s of being asked: %d functions ignore their cancellation, %d outcomes wait for Postgres."
            " It is taken down; its runs come back when its lease ends",
            config.grace_s + config.hard_grace_s,
            len(self.running),
            len(self._ledger),
        )
        everything.cancel()

    def _offset_s(self) -> float:
        return self._rooms[0].offset_s()

    def _standing(self) -> Standing | None:
        return self._heart.standing if self._heart is not None else None

    def _look(self) -> None:
        if self._hints.add_all():
            self._desk.offer(Woken())  # Has room; no more than closed when the node is ending.

    def _listened(self) -> None:
        self._look()
        if self._has_listened and self._heart is not None:
            # What was said meanwhile, orders to it and cancels, was heard by nobody. A node that is new has been told nothing.
            self._heart.ask()
            self._remind(ASK)
            self._gatehouse.asked()
        self._has_listened = True

    def _obey(self, order: str | None) -> None:
        """Does what somebody told this node in the database (howdah.order_node), at most once for each order."""
        self.order = order
        if order == "drain":
            log.warning("node %s was told to drain: it claims no more, and leaves when what runs has ended", self.name)
            self.stop()
        else:
            log.warning("node %s was told to %s", self.name, "pause: it starts nothing new" if self.paused else "resume")
            self._look()

    def _remind(self, in_s: float) -> None:
        # A full mailbox holds reminders enough: upkeep runs at once.
        self._reminders.offer(in_s)

    def _fenced(self, node: int) -> None:
        if self._tally is not None:
            self._tally.lost_leases += 1
        for room in self._rooms:
            room.fence(node)

    def _cancel(self, run: int, lease: int) -> None:
        for room in self._rooms:
            room.interrupt(Cause.CANCEL, run=run, lease=lease)

    def _listening(self) -> anyio.Event:
        self._bell_gone = anyio.Event()
        return self._bell_gone

    def _told(self, queue: int, task: int, priority: int, number: int) -> None:
        # Notifications are for all queues: a hint alone would make this node claim from those that it does not serve.
        if (self._served is None or queue in self._served) and self._hints.add((queue, task), (priority, number)):
            self._desk.offer(Woken())  # Has room; no more than closed when the node is ending.

    def _heard(self, channel: str, payload: str) -> None:
        match channel:
            case "howdah_work":
                heard = notices.ready(payload)
                if heard is not None and heard[4] != self._nearby.origin:
                    self._told(*heard[:4])
            case "howdah_timer":
                self._remind(notices.seconds(payload))
            case "howdah_cancel":
                self._heard_of_cancels(set(notices.pairs(payload)))
            case "howdah_node":
                if payload == self.name and self._heart is not None:
                    self._heart.ask()
            case "howdah_pause":
                self._hints.add_pause(notices.paused(payload))
                self._look()
                self._gatehouse.look()
            case "":
                self._bell_gone.set()
            case _:
                self._gatehouse.heard(channel, payload)

    def _heard_of_cancels(self, asked: set[tuple[int, int]]) -> None:
        # Anybody may have said so: whether it was asked for stands in the database.
        if asked and any((claimed.id, claimed.lease) in asked for room in self._rooms for claimed in room.held):
            self._remind(ASK)
        elif asked and self._claims is not None:
            self._claims.note_cancel()

    def _hang_board(self) -> Board:
        loop = asyncio.get_running_loop()
        # Infinity: nothing is due, but progress waits to be stored. It may be reported by a thread.
        return Board(lambda: loop.call_soon_threadsafe(self._remind, math.inf))


def _run_at(home: Home) -> CurrentRun | None:
    """The attempt that is running here, if its node is the one of this home: there may be several in a process."""
    run = CURRENT.get(None)
    return run if run is not None and run.home is home else None
