"""Tells OpenTelemetry what a node has done, off the hot path: in its own time, in slices, and what the queues hold, if it is this node
that was found to say so for all.

There is none where the process has no MeterProvider.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Protocol, TypeVar

import anyio
import anyio.lowlevel

from ..config import Config
from ..core.states import Kind
from ..errors import DatabaseAway
from ..instruments import Attributes, Gauges, Instruments, QueueHolds, operation
from ..messages import Standing
from .tally import LEASE_LOST, Attempt, Ended, Tally

V = TypeVar("V")

SLICE = 20
"""Values that are told before others have their turn: a fifth of a millisecond."""

_FINE = (int(Kind.SUCCEEDED), int(Kind.SNOOZED), int(Kind.RELEASED))


class Readings(Protocol):
    """What the reporter needs of the database. Each raises DatabaseAway."""

    async def queue_names(self, numbers: Sequence[int]) -> dict[int, str]: ...
    async def ready_since(self, attempts: Sequence[tuple[int, int, int]]) -> list[tuple[int, float]]: ...
    async def report_queues(self, node: int, queues_max: int) -> Sequence[QueueHolds]: ...


class Reporter:
    """Reports of one node. tasks: the names of those that it runs, by their numbers."""

    def __init__(
        self,
        tally: Tally,
        instruments: Instruments,
        gauges: Gauges,
        readings: Readings,
        tasks: Mapping[int, str],
        standing: Callable[[], Standing | None],
        config: Config,
    ) -> None:
        self._tally = tally
        self._instruments = instruments
        self._gauges = gauges
        self._readings = readings
        self._tasks = tasks
        self._standing = standing
        self._config = config
        self._queues: dict[int, str] = {}

    async def report(self, over: anyio.Event) -> None:
        """Until nothing more will happen; what happened last is told, too."""
        look_at = monotonic()
        is_last = False
        while not is_last:
            standing = self._standing()
            if standing is not None and monotonic() >= look_at:
                look_at = monotonic() + self._config.queue_report_s
                await self._look_at_queues(standing.node)
            with anyio.move_on_after(self._config.report_s):
                await over.wait()
            is_last = over.is_set()  # Asked before: what happens during a report waits for the next one.
            await self.tell()

    async def tell(self) -> None:
        """Everything since the last time. While the database is away, what needs it waits (counts) or is left out (of samples)."""
        await self._tell_work()
        ended, attempts = self._tally.take_ended(), self._tally.attempts.take()
        try:
            await self._learn_queues({each[0] for each in ended})
        except DatabaseAway:
            self._tally.put_back(ended)
            return
        for each, count in ended.items():
            said = self._attributes(each)
            self._instruments.consumed(count, said)
            if each[2] == Kind.RETRIED:
                self._instruments.retries(count, said)
        async for attempt in _in_slices(attempts):
            self._instruments.process_s(attempt.took_s, self._attributes(attempt.ended))
        await self._tell_waits(attempts)

    async def _tell_work(self) -> None:
        """What the node's own work was like."""
        tally, instruments = self._tally, self._instruments
        stale, tally.stale = tally.stale, 0
        lost, tally.lost_leases = tally.lost_leases, 0
        instruments.stale(stale, {})  # Also nothing: a counter that has never been told is no series, and no alert can look at it.
        instruments.lost_leases(lost, {})
        for name, kind, sample in (("claim", "receive", tally.claims), ("write", "settle", tally.writes)):
            said = operation(name, kind, None)
            async for count, took_s in _in_slices(sample.take()):
                instruments.operation_s(took_s, said)
                if count:
                    instruments.batch(count, said)
        async for lag_s in _in_slices(tally.lags.take()):
            instruments.loop_lag_s(lag_s, {})

    async def _tell_waits(self, attempts: Sequence[Attempt]) -> None:
        """Of a smaller sample: each is looked up."""
        step = -(-len(attempts) // self._config.report_waits)
        some = attempts[::step] if step else ()
        try:
            found = (
                await self._readings.ready_since([(one.claimed.id, one.claimed.task, one.claimed.lease) for one in some]) if some else ()
            )
        except DatabaseAway:
            return
        async for number, since in _in_slices(found):
            attempt = some[number]
            queue, task = attempt.ended[:2]
            said = operation("process", None, self._queues.get(queue)) | {"howdah.task": self._tasks[task]}
            self._instruments.wait_s(max(0.0, attempt.started - since), said)

    async def _look_at_queues(self, node: int) -> None:
        try:
            queues = await self._readings.report_queues(node, self._config.report_queues)
        except DatabaseAway:
            return
        self._gauges.set_queues(queues, 2 * self._config.queue_report_s)

    async def _learn_queues(self, numbers: set[int]) -> None:
        """What they are called. One that is not there any more, as after a restore, is told of without its name."""
        unknown = sorted(numbers - self._queues.keys())
        if unknown:
            self._queues |= await self._readings.queue_names(unknown)

    def _attributes(self, ended: Ended) -> Attributes:
        queue, task, kind, error = ended
        if error is None and kind not in _FINE:
            error = "lease_lost" if kind == LEASE_LOST else "cancelled"
        said = operation("process", None, self._queues.get(queue), error)
        said["howdah.task"] = self._tasks[task]
        said["howdah.outcome"] = "lease_lost" if kind == LEASE_LOST else Kind(kind).name.lower()
        return said


async def _in_slices(values: Iterable[V]) -> AsyncGenerator[V, None]:
    for number, value in enumerate(values, 1):
        yield value
        if number % SLICE == 0:
            await anyio.lowlevel.checkpoint()
