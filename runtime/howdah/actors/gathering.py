"""A room in which runs of some tasks wait for each other: what is gathered takes one slot, and one attempt.

Items of one task, queue, key and timeout are gathered until there are enough, or the first has waited for so long. A run with limits
spends its permit when it is gathered: from then on it is used, and is not for others to have.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import copy_context
from datetime import timedelta
from time import monotonic
from typing import Any

import msgspec

from ..batches import BatchDefinition
from ..context import CURRENT, BatchAttempt, CurrentRun
from ..core.lines import Pause, is_paused
from ..core.states import Kind
from ..core.verdict import Cause
from ..mailbox import Mailbox
from ..messages import Claimed, Outcome, Standing
from ..policy import Policy
from .lane import DROPPED, Lane
from .permits import Permits
from .room import Room, Slot, differs
from .tally import LEASE_LOST

Group = tuple[int, int, str, float]
"""Task, queue, key and timeout in seconds: what may be in one batch."""


class Gathered(Claimed, frozen=True, gc=False):
    """Runs that are started together. It waits in the room like any run, under the task of its items."""

    items: list[Claimed] = msgspec.field(default_factory=list[Claimed])
    odd: bool = False
    """It is one run, of which nobody could tell whom it is to start with."""


class _Gathering(msgspec.Struct, gc=False):
    items: list[Claimed]
    timer: asyncio.TimerHandle


class GatheringSlot(Slot):
    """A slot that takes batches as well."""

    __slots__ = ()
    _room: "GatheringRoom"

    def interrupt(self, cause: Cause) -> None:
        """Asks the attempt to end, that of each run in a batch."""
        super().interrupt(cause)
        if isinstance(self.run, BatchAttempt):
            for one in self.run.runs:
                one.cause = cause if cause is Cause.LOST else one.cause or cause

    async def work(self, claimed: Claimed, now: float, offset_s: float) -> Outcome:
        """One attempt, of one run or of all of a batch. The outcomes of these are written but for the last, which is returned."""
        if not isinstance(claimed, Gathered):
            return await super().work(claimed, now, offset_s)
        *others, last = await self.together(claimed, now, offset_s)
        self._room.write(others)
        return last

    async def together(self, gathered: Gathered, now: float, offset_s: float) -> list[Outcome]:
        """One attempt of all of them, whatever happens in it."""
        room = self._room
        room.started(gathered)
        lane = room.lanes[gathered.task]
        runs = [CurrentRun(item, lane.name, now, lane.home) for item in gathered.items]
        run = BatchAttempt(gathered, lane.name, now, lane.home, runs=runs)
        CURRENT.set(run)
        tracing = room.tracing
        span = None if tracing.tracer is None else tracing.begin(run, now + offset_s)
        before = copy_context()
        failure: BaseException | None = None
        try:
            run.deadline = now + room.policy_of(gathered.items[0]).timeout_s
            self.run = run
            if gathered.odd:
                room.group_of(gathered.items[0])
            await lane.attempt(run)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            self.run = None
            if self._is_ours_to_end(error):
                raise
            failure = error
        finally:
            self.run = None
            run.ended = True
            for one in runs:
                one.ended, one.deadline = True, run.deadline
            if self.interrupted:
                self.interrupted = False
                self.task.uncancel()
        self.soiled = self.task.cancelling() > 0 or differs(before)
        outcomes = [self._end(lane, run, place, failure, offset_s) for place in range(len(runs))]
        if span is not None:
            first = outcomes[0]
            tracing.end(span, run, Kind.SUCCEEDED if failure is None or not first.kind else Kind(first.kind), first.data)
        return outcomes

    def _end(self, lane: Lane, batch: BatchAttempt, place: int, failure: BaseException | None, offset_s: float) -> Outcome:
        """What the attempt means for one of its runs."""
        room, run = self._room, batch.runs[place]
        answer = batch.answers.get(place, failure)
        kind, data, delay_s = Kind.SUCCEEDED, None, None
        if failure is not None and not isinstance(answer, BaseException):
            answer = failure  # What stands around the function failed behind it.
        if run.cause is Cause.CANCEL:
            kind = Kind.STOPPED
        elif isinstance(answer, BaseException):
            kind, data, delay_s = lane.judge(run, room.policy_of(run.claimed), answer)
        else:
            data = answer
        dropped = run.completed or run.cause is Cause.LOST
        if run.limited is not None and not dropped:
            room.closings[run.claimed.id, run.claimed.lease] = run.limited
        if room.tally is not None:
            how = +(kind if not dropped else Kind.SUCCEEDED if run.completed else LEASE_LOST)
            room.tally.end(run.claimed, how, data, run.started + offset_s, monotonic() - run.started)
        logs = batch.encoded_logs() if place == 0 or kind is not Kind.SUCCEEDED else None
        delay = None if delay_s is None else timedelta(seconds=delay_s)
        claimed, started = run.claimed, room.stamp_at(run.started + offset_s)
        return Outcome(claimed.id, claimed.lease, claimed.node, started, DROPPED if dropped else kind, delay, data, claimed.task, logs)


class GatheringRoom(Room):
    """A room with tasks whose runs are gathered, beside others."""

    slot_kind = GatheringSlot

    def __init__(
        self,
        name: str,
        slots: int,
        lanes: Mapping[int, Lane],
        ledger: Mailbox[Outcome],
        standing: Callable[[], Standing | None],
        *,
        permits: Permits | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(name, slots, lanes, ledger, standing, permits=permits, **rest)
        self.batched = {
            number: lane.definition.batch.size for number, lane in lanes.items() if isinstance(lane.definition, BatchDefinition)
        }
        self._open: dict[Group, _Gathering] = {}
        self._gathering: Counter[int] = Counter()
        """Items that are being gathered, by task."""
        self._ready: Counter[int] = Counter()
        """Items of batches that wait for a slot."""

    @property
    def running(self) -> list[CurrentRun]:
        """The attempts under way, one for each run."""
        return [one for run in super().running for one in (run.runs if isinstance(run, BatchAttempt) else [run])]

    @property
    def held(self) -> list[Claimed]:
        """Each run: those that are gathered, those that wait for a slot, and those in one."""
        gathering = [item for gathering in self._open.values() for item in gathering.items]
        return gathering + _flat(self.waiting) + [run.claimed for run in self.running]

    def gathering(self, tasks: frozenset[int]) -> int:
        """How many items of these tasks are being gathered."""
        return sum(self._gathering[task] for task in tasks)

    def unstarted(self, tasks: frozenset[int]) -> int:
        """The same, and those of batches that wait for a slot."""
        return sum(self._gathering[task] + self._ready[task] for task in tasks)

    def policy_of(self, claimed: Claimed) -> Policy:
        """That of one run."""
        lane = self.lanes[claimed.task]
        return lane.policy if claimed.options is None else lane.policy_of(claimed.options)

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Of the runs of a batch; the slot writes the last one, as that of any attempt."""
        self.ended += len(outcomes)
        for outcome in outcomes:
            self._ledger.put_nowait(outcome)  # Has room: one for each run held.

    def started(self, gathered: Gathered) -> None:
        """They wait no more."""
        self._ready[gathered.task] -= len(gathered.items)

    def offer(self, batch: Sequence[Claimed]) -> None:
        """Runs to start, or to gather: a claim brings those of one kind."""
        if batch[0].task not in self.batched:
            super().offer(batch)
            return
        for run in batch:
            if run.lane is not None and self._permits is not None and not self._permits.start(run):
                self._end_unstarted(run, DROPPED)
            else:
                self._gather(run)

    def group_of(self, run: Claimed) -> Group:
        """Which others it may start with. Raises what a function as key raises, and what the stored run makes it raise."""
        return run.task, run.queue, self._batch_task(run).group_of(run.args), self.policy_of(run).timeout_s

    def _batch_task(self, run: Claimed) -> BatchDefinition:
        definition = self.lanes[run.task].definition
        assert isinstance(definition, BatchDefinition), "those are gathered"
        return definition

    def _gather(self, run: Claimed) -> None:
        batch = self._batch_task(run).batch
        try:
            group = self.group_of(run)
        except Exception:  # noqa: BLE001 - user code, or a payload that does not fit: its attempt will say so, alone
            self._make_ready([run], odd=True)
            return
        if run.aside:
            self._make_ready([run])
            return
        gathering = self._open.get(group)
        if gathering is None:
            timer = asyncio.get_running_loop().call_later(batch.within_s, self._close, group)
            gathering = self._open[group] = _Gathering([], timer)
        gathering.items.append(run)
        self._gathering[run.task] += 1
        if len(gathering.items) >= batch.size:
            self._close(group)

    def _close(self, group: Group) -> None:
        """There are enough of them, or the first has waited for long enough."""
        self._make_ready(self._take(group))

    def _take(self, group: Group) -> list[Claimed]:
        gathering = self._open.pop(group)
        gathering.timer.cancel()
        self._gathering[group[0]] -= len(gathering.items)
        return gathering.items

    def _make_ready(self, items: list[Claimed], *, odd: bool = False) -> None:
        first = items[0]
        self._ready[first.task] += len(items)
        # Nobody's id and no lease: whoever looks for one of the items finds it in the list.
        super().offer([Gathered(first.node, 0, first.queue, first.task, first.priority, 0, 0, "", None, None, None, items=items, odd=odd)])

    def drain(self, pauses: Collection[Pause] | None = None) -> list[Claimed]:
        """Takes back the runs that have not started, those that are being gathered among them: all of them, or those that are paused."""
        taken = [group for group in self._open if pauses is None or is_paused((group[1], group[0]), pauses)]
        unstarted = [item for group in taken for item in self._take(group)]
        waiting = super().drain(pauses)
        for one in waiting:
            if isinstance(one, Gathered):
                self.started(one)
        return unstarted + _flat(waiting)

    def interrupt(self, cause: Cause, *, run: int | None = None, lease: int | None = None) -> None:
        """As in any room. One run of a batch that has begun is flagged: its answer counts for nothing. The last one of them ends it."""
        super().interrupt(cause, run=run, lease=lease)
        if run is None:
            return
        self._stop_waiting(run, lease)
        for slot in self.slots:
            if isinstance(slot.run, BatchAttempt):
                for one in slot.run.runs:
                    if one.id == run and one.claimed.lease == lease:
                        one.cause = one.cause or cause
                if all(one.cause is cause for one in slot.run.runs):
                    slot.interrupt(cause)

    def _stop_waiting(self, run: int, lease: int | None) -> None:
        """Ends a run that waits among others, and what is empty without it."""
        for gathering in self._open.values():
            self._gathering.subtract(one.task for one in self._stop(gathering.items, run, lease))
        for group in [group for group, gathering in self._open.items() if not gathering.items]:
            self._take(group)
        for batch in [one for one in self.waiting if isinstance(one, Gathered)]:
            self._ready.subtract(one.task for one in self._stop(batch.items, run, lease))
            if not batch.items:
                self.waiting.remove(batch)

    def _stop(self, items: list[Claimed], run: int, lease: int | None) -> list[Claimed]:
        """Ends a run among these, which have not started."""
        found = [one for one in items if one.id == run and one.lease == lease]
        for one in found:
            items.remove(one)
            self._end_unstarted(one, Kind.STOPPED)
        return found

    def _end_unstarted(self, claimed: Claimed, kind: int) -> None:
        if isinstance(claimed, Gathered):
            self.started(claimed)
            for one in claimed.items:
                super()._end_unstarted(one, kind)
            return
        super()._end_unstarted(claimed, kind)


def _flat(waiting: Collection[Claimed]) -> list[Claimed]:
    return [item for one in waiting for item in (one.items if isinstance(one, Gathered) else (one,))]
