"""A room is one executor of a node, with its own slots: async functions in one, functions in threads in another.

A slot is a long-lived loop: a Task, a timeout and a semaphore for each run would cost more than everything else.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import anyio
import anyio.abc

from ..context import CURRENT, CurrentRun, is_taken_down
from ..core.lines import Pause, is_paused
from ..core.states import Kind
from ..core.verdict import Cause
from ..mailbox import Mailbox
from ..messages import Claimed, Outcome, Standing
from ..tracing import Inherited, Tracing
from .lane import DROPPED, Lane
from .permits import Permits
from .tally import LEASE_LOST, Tally

STAMP_S = 0.0001
"""Precision of the recorded start of an attempt."""


class Slot:
    """A place where one attempt at a time runs: a long-lived loop, since a Task for each run costs more than the rest."""

    __slots__ = ("_room", "interrupted", "run", "soiled", "task")

    def __init__(self, room: "Room") -> None:
        self._room = room
        self.task: asyncio.Task[Any]
        self.run: CurrentRun | None = None
        self.interrupted = False
        self.soiled = False

    def interrupt(self, cause: Cause) -> None:
        """Asks the attempt to end, once. A function in a thread only sees the flag."""
        if self.run is None or self.run.cause is not None:
            return
        self.run.cause = cause
        if not self.run.in_thread:
            self.interrupted = True
            self.task.cancel()

    async def work(self, claimed: Claimed, now: float, offset_s: float) -> Outcome:
        """One attempt, whatever happens in it. offset_s: Unix time of the database minus monotonic time here."""
        room = self._room
        lane = room.lanes[claimed.task]
        run = CurrentRun(claimed, lane.name, now, lane.home)
        CURRENT.set(run)
        tracing = room.tracing
        span = None if tracing.tracer is None else tracing.begin(run, now + offset_s)
        before = copy_context()
        policy, delay_s = lane.policy, None
        try:
            if claimed.options is not None:
                policy = lane.policy_of(claimed.options)
            run.deadline = now + policy.timeout_s
            self.run = run
            kind, data = await lane.attempt(run)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            self.run = None
            if self._is_ours_to_end(error):
                raise
            kind, data, delay_s = lane.judge(run, policy, error)
        finally:
            self.run = None
            run.ended = True
            if self.interrupted:
                self.interrupted = False
                self.task.uncancel()
        # A cancellation that the function left behind would end the loop at its next await.
        self.soiled = self.task.cancelling() > 0 or differs(before)
        if span is not None:
            tracing.end(span, run, kind, data)
        dropped = run.completed or run.cause is Cause.LOST
        if run.limited is not None and not dropped:
            room.closings[claimed.id, claimed.lease] = run.limited
        delay = None if delay_s is None else timedelta(seconds=delay_s)
        unix = now + offset_s
        if room.tally is not None:
            # As a plain int, since an enum hashes by its name, and by the cheapest way.
            how = +(kind if not dropped else Kind.SUCCEEDED if run.completed else LEASE_LOST)
            room.tally.end(claimed, how, data, unix, monotonic() - now)
        started = room.stamp if 0 <= unix - room.stamped < STAMP_S else room.stamp_at(unix)
        return Outcome(
            claimed.id, claimed.lease, claimed.node, started, DROPPED if dropped else kind, delay, data, claimed.task, run.encoded_logs()
        )

    def _is_ours_to_end(self, error: BaseException) -> bool:
        """Whether the cancellation is meant for this loop, since the node is being taken down, and not for the attempt.
        The scope tells: a count of the task's cancellations would take one that the function asked for itself for ours."""
        return isinstance(error, asyncio.CancelledError) and is_taken_down()


class Room:
    """Runs that wait for a slot, and the slots. Owned by its node: the dispatcher fills it, slots empty it."""

    slot_kind = Slot

    def __init__(
        self,
        name: str,
        slots: int,
        lanes: Mapping[int, Lane],
        ledger: Mailbox[Outcome],
        standing: Callable[[], Standing | None],
        *,
        slice_s: float,
        tally: Tally | None = None,
        tracing: Tracing | Inherited,
        permits: Permits | None = None,
    ) -> None:
        self.name = name
        self.lanes = lanes
        self.tasks = frozenset(lanes)
        self.once = frozenset(number for number, lane in lanes.items() if lane.definition.delivery == "at_most_once")
        self.slots = [self.slot_kind(self) for _ in range(slots)]
        self.waiting: deque[Claimed] = deque()
        self.tally = tally
        """Where ends are counted; None: nobody wants to know."""
        self.limited = frozenset(n for n, lane in lanes.items() if lane.definition.demands.limits or lane.definition.placement)
        """The tasks whose runs go by the gate, or some of whose do."""
        self.wide = {n: width for n, lane in lanes.items() if (width := min(lane.definition.slots, slots)) > 1}
        """How many slots a run of these tasks takes, never more than there are; of all others one."""
        self._more = 0
        """How many slots more than one each the attempts under way take."""
        self.batched: dict[int, int] = {}
        """How many runs of a task are started at once, where they are gathered: see actors/gathering.py."""
        self._permits = permits
        self.closings: dict[tuple[int, int], str] = {} if permits is None else permits.closings
        """The rates that runs (run, lease) have asked to pause, until their outcomes are taken."""
        self._ledger = ledger
        self._standing = standing
        self._slice_s = slice_s
        self.tracing = tracing
        self._idle: list[asyncio.Future[None]] = []
        self._at_work = 0
        self._ended = False
        self._clean: Context | None = None
        self._stirred = anyio.Event()
        self._since = 0.0
        self.ended = 0
        self.stamped = 0.0
        self.stamp = datetime.fromtimestamp(0, UTC)

    @property
    def running(self) -> list[CurrentRun]:
        """The attempts under way."""
        return [slot.run for slot in self.slots if slot.run is not None]

    @property
    def held(self) -> list[Claimed]:
        """The runs that wait for a slot, and those in one."""
        return [*self.waiting, *(run.claimed for run in self.running)]

    @property
    def at_work(self) -> int:
        """How many slots are used."""
        return self._at_work + self._more

    def gathering(self, tasks: frozenset[int]) -> int:  # noqa: ARG002 - of each kind of room
        """How many runs of these tasks wait for others to start with."""
        return 0

    def unstarted(self, tasks: frozenset[int]) -> int:  # noqa: ARG002 - the same
        """The same, and those of batches that wait for a slot."""
        return 0

    @property
    def unfinished(self) -> int:
        """How many slots the runs take that are in one, and will take that wait."""
        return len(self.waiting) + self._at_work + self.surplus

    @property
    def surplus(self) -> int:
        """How many slots more than one each they take."""
        if not self.wide:
            return 0
        return self._more + sum(self.wide.get(run.task, 1) - 1 for run in self.waiting)

    def offset_s(self) -> float:
        """Unix time of the database minus monotonic time here, as last measured."""
        standing = self._standing()
        return 0.0 if standing is None else standing.offset_s

    def stamp_at(self, unix: float) -> datetime:
        """The instant. Short runs share theirs for STAMP_S, since making one costs as much as they do."""
        self.stamped = unix
        self.stamp = datetime.fromtimestamp(unix, UTC)
        return self.stamp

    def offer(self, batch: Sequence[Claimed]) -> None:
        """Runs to start, in order, as slots become free; those taken aside start first: a slot is free for them."""
        if batch[0].aside:
            self.waiting.extendleft([run for run in batch if run.aside])
            self.waiting.extend([run for run in batch if not run.aside])
        else:
            self.waiting.extend(batch)
        self._stirred.set()
        self._rouse(len(batch))

    def drain(self, pauses: Collection[Pause] | None = None) -> list[Claimed]:
        """Takes back the runs that have not started: all of them, or those that are paused."""
        if pauses is not None and not pauses:
            return []
        unstarted: list[Claimed] = []
        for _ in range(len(self.waiting)):
            run = self.waiting.popleft()
            (unstarted if pauses is None or is_paused((run.queue, run.task), pauses) else self.waiting).append(run)
        self._reconsider()
        return unstarted

    def take_back(self, late: set[int], tasks: frozenset[int]) -> list[Claimed]:
        """Takes back those of these runs, of these tasks, that have not started."""
        unstarted = [run for run in self.waiting if run.id in late and run.task in tasks]
        for run in unstarted:
            self.waiting.remove(run)
        self._reconsider()
        return unstarted

    def end(self) -> None:
        """Nothing more will be offered: slots end when they are done."""
        self._ended = True
        self._rouse(len(self._idle))

    def interrupt(self, cause: Cause, *, run: int | None = None, lease: int | None = None) -> None:
        """Asks attempts to end: all that are under way, or that of one run under one lease, which ends unstarted where it waits."""
        for slot in self.slots:
            if slot.run is not None and (run is None or (slot.run.id == run and slot.run.claimed.lease == lease)):
                slot.interrupt(cause)
        for claimed in [one for one in self.waiting if one.id == run and one.lease == lease] if run is not None else ():
            self.waiting.remove(claimed)
            self._end_unstarted(claimed, Kind.STOPPED)
            self._reconsider()

    def fence(self, node: int) -> None:
        """The lease of this identity is lost: what it held must not start, and what runs must stop."""
        for claimed in self.drain():
            self._end_unstarted(claimed, DROPPED)
        for slot in self.slots:
            if slot.run is not None and slot.run.claimed.node == node:
                slot.interrupt(Cause.LOST)

    async def serve(self, slot: Slot, group: anyio.abc.TaskGroup) -> None:  # noqa: C901 - written out: a call more is paid by each run
        """The loop of one slot. A function that left context variables changed costs the loop its context:
        a new one takes over, so that nothing of one run is seen by the next."""
        slot.task = _this_task()
        # Slots begin where the node was started: a task made by a soiled one would inherit what the function left.
        if self._clean is None:
            self._clean = copy_context()
        waiting, wide = self.waiting, self.wide
        while True:
            while not waiting or (wide and not self._fits(waiting[0])):
                if self._ended and not waiting:
                    return
                rest = asyncio.get_running_loop().create_future()
                self._idle.append(rest)
                await rest
            now = monotonic()
            if now - self._since > self._slice_s:
                # All slots share one slice, and the first that is back begins the next one: each with its own, they would
                # keep the loop from its connections in turns.
                since = self._since
                await asyncio.sleep(0)
                if self._since == since:
                    self._since = monotonic()
                continue
            claimed = waiting.popleft()
            standing = self._standing()
            if (
                standing is None
                or standing.node != claimed.node
                or now >= standing.until
                or (claimed.lane is not None and self._permits is not None and not self._permits.start(claimed))
            ):
                self._end_unstarted(claimed, DROPPED)
                self._reconsider()
                continue
            self._at_work += 1
            if wide:
                self._more += wide.get(claimed.task, 1) - 1
            outcome = await slot.work(claimed, now, standing.offset_s)
            self._at_work -= 1
            if wide:
                self._make_way(wide.get(claimed.task, 1) - 1)
            self.ended += 1
            self._ledger.put_nowait(outcome)  # Has room: one for each run held.
            if slot.soiled:
                if slot.task.cancelling():
                    await _swallow_cancellation()
                self._clean.run(group.start_soon, self.serve, slot, group)
                return

    async def watch(self, tick_s: float) -> None:
        """Interrupts attempts whose time is over, as long as there are slots."""
        while True:
            if not any(slot.run for slot in self.slots):
                self._stirred = anyio.Event()
                if not self.waiting:
                    await self._stirred.wait()
            await anyio.sleep(tick_s)
            now = monotonic()
            for slot in self.slots:
                if slot.run is not None and slot.run.deadline <= now:
                    slot.interrupt(Cause.TIMEOUT)

    def _fits(self, claimed: Claimed) -> bool:
        """Whether as many slots are free as this run takes. While the first one waits for them nobody overtakes it: what ends makes
        way for it alone, so that it waits for no longer than what runs now."""
        return self._at_work + self._more + self.wide.get(claimed.task, 1) <= len(self.slots)

    def _make_way(self, more: int) -> None:
        """A run has ended that took so many slots beside its own, which looks for another one by itself."""
        self._more -= more
        self._rouse(more)

    def _reconsider(self) -> None:
        """Another run may be the first one now, and need less."""
        if self.wide:
            self._rouse(len(self.waiting))

    def _rouse(self, count: int) -> None:
        """Has so many slots that rest, if there are, look for a run."""
        for _ in range(min(len(self._idle), count)):
            rest = self._idle.pop()
            if not rest.done():
                rest.set_result(None)

    def _end_unstarted(self, claimed: Claimed, kind: int) -> None:
        # Has room: one outcome for each run held.
        self._ledger.put_nowait(Outcome(claimed.id, claimed.lease, claimed.node, None, int(kind), None, None, claimed.task))


async def _swallow_cancellation() -> None:
    """Takes what a function's cancellation of its own task left pending: it would take the task group down."""
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        if is_taken_down():
            raise


def differs(before: Context) -> bool:
    """Whether context variables changed. Nothing is compared where nothing was set: a context that is unchanged
    shares its inside with its copy."""
    try:
        return copy_context() != before
    except Exception:  # noqa: BLE001 - the values, and how they compare, are user code
        return True


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None, "a slot is served by a task"
    return task
