"""What is measured, by the names of OpenTelemetry's conventions for messaging, and by names of ours where they have none.

Of OpenTelemetry only the API is needed. Where the process has set up no MeterProvider there are no instruments, and nothing is
collected. With an SDK each call costs about ten microseconds: runs are counted and sampled in actors/tally.py and told in slices.
"""

import importlib.metadata
import weakref
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter_provider

Attributes = dict[str, str]

SYSTEM = "howdah"

DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Upper bounds in seconds that the conventions advise."""
LONG_DURATIONS = (*DURATIONS, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""The same, as far as attempts run and runs wait."""
SHORT_DURATIONS = (0.0001, 0.0005, 0.001, 0.0025, *DURATIONS)
"""The same, from where a healthy event loop and a free connection are."""
SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)


class QueueHolds(NamedTuple):
    """What a queue holds: runs by state, and the age in seconds of the oldest that waits for a claim."""

    queue: str
    runs: Mapping[str, int]
    oldest_age_s: float


class Gauges:
    """What one node holds at the moment. Read from whichever thread collects: each value is replaced as a whole."""

    def __init__(self, slots: Callable[[], Iterable[tuple[str, int, int]]]) -> None:
        """slots: for each room its name, how many of its slots are used, and how many it has."""
        self.slots = slots
        self._queues: Sequence[QueueHolds] = ()
        self._until = 0.0

    def set_queues(self, queues: Sequence[QueueHolds], good_for_s: float) -> None:
        """What the queues hold; nothing where another node says so. It is told no longer than this: away from the database a node
        does not know who says so now."""
        self._queues, self._until = queues, monotonic() + good_for_s

    def queues(self) -> Sequence[QueueHolds]:
        """The same, as long as it is good."""
        return self._queues if monotonic() < self._until else ()


class Instruments:
    """Those of one MeterProvider. It keeps one callback for each of its gauges, so all nodes of a process share them."""

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter("howdah", importlib.metadata.version("howdah"))

        def histogram(name: str, unit: str, description: str, bounds: Sequence[float]) -> Callable[[float, Attributes], None]:
            return meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=bounds).record

        def counter(name: str, unit: str, description: str) -> Callable[[int, Attributes], None]:
            return meter.create_counter(name, unit, description).add

        self.process_s = histogram("messaging.process.duration", "s", "Duration of attempts.", LONG_DURATIONS)
        self.operation_s = histogram("messaging.client.operation.duration", "s", "Duration of enqueues, claims and writes.", DURATIONS)
        self.wait_s = histogram("howdah.run.wait.duration", "s", "How long runs were ready before they started.", LONG_DURATIONS)
        self.loop_lag_s = histogram("howdah.loop.lag", "s", "How late the event loop answers the heart.", SHORT_DURATIONS)
        self.pool_wait_s = histogram("db.client.connection.wait_time", "s", "Wait for a connection of the pool.", SHORT_DURATIONS)
        self.batch = histogram("howdah.batch.size", "{run}", "Runs in one claim, outcomes in one write.", SIZES)
        self.sent = counter("messaging.client.sent.messages", "{message}", "Runs that were enqueued.")
        self.consumed = counter("messaging.client.consumed.messages", "{message}", "Attempts that came to an end.")
        self.retries = counter("howdah.run.retries", "{run}", "Attempts that failed and are followed by another one.")
        self.stale = counter("howdah.outcome.stale", "{outcome}", "Outcomes that were refused since the lease was lost.")
        self.lost_leases = counter("howdah.lease.lost", "{lease}", "Leases of nodes that were lost.")
        self._gauges: list[Gauges] = []
        for name, unit, description, observe in (
            ("howdah.node.slots", "{slot}", "Slots of the nodes of this process.", self._observe_slots),
            ("howdah.queue.depth", "{run}", "Runs that a queue holds; told by one node of all.", self._observe_depths),
            ("howdah.queue.oldest_age", "s", "How long the oldest run waits for a claim; told by one node of all.", self._observe_ages),
        ):
            meter.create_observable_gauge(name, [observe], unit, description)

    @contextmanager
    def showing(self, gauges: Gauges) -> Generator[None]:
        """Tells what this node holds, inside of the block."""
        self._gauges.append(gauges)
        try:
            yield
        finally:
            self._gauges.remove(gauges)

    @contextmanager
    def enqueuing(self, runs: Mapping[tuple[str, str], int]) -> Generator[None]:
        """Around the statement that enqueues so many runs of each queue and task."""
        began, error = monotonic(), None
        try:
            yield
        except BaseException as raised:
            error = _name_of(raised)
            raise
        finally:
            took_s = monotonic() - began
            for (queue, task), count in runs.items():
                said = operation("enqueue", "send", queue, error)
                self.operation_s(took_s, said)
                self.sent(count, said | {"howdah.task": task})

    @contextmanager
    def waiting_for_pool(self) -> Generator[None]:
        """Around the wait for a connection of the pool."""
        began = monotonic()
        try:
            yield
        finally:
            self.pool_wait_s(monotonic() - began, {"db.client.connection.pool.name": SYSTEM})

    def _observe_slots(self, _: CallbackOptions) -> Iterator[Observation]:
        used, free = Counter[str](), Counter[str]()
        for gauges in self._gauges.copy():
            for room, busy, slots in gauges.slots():
                used[room] += busy
                free[room] += slots - busy
        for state, counts in (("used", used), ("free", free)):
            for room, count in counts.items():
                yield Observation(count, {"howdah.room": room, "howdah.slot.state": state})

    def _observe_depths(self, _: CallbackOptions) -> Iterator[Observation]:
        for gauges in self._gauges.copy():
            for held in gauges.queues():
                for state, count in held.runs.items():
                    yield Observation(count, _of_queue(held.queue) | {"howdah.state": state})

    def _observe_ages(self, _: CallbackOptions) -> Iterator[Observation]:
        for gauges in self._gauges.copy():
            for held in gauges.queues():
                yield Observation(held.oldest_age_s, _of_queue(held.queue))


def operation(name: str, kind: str | None, queue: str | None, error: str | None = None) -> Attributes:
    """The attributes of one of our operations, as the conventions have them; kind: of those of a client."""
    said = {"messaging.system": SYSTEM, "messaging.operation.name": name}
    if kind is not None:
        said["messaging.operation.type"] = kind
    if queue is not None:
        said["messaging.destination.name"] = queue
    if error is not None:
        said["error.type"] = error
    return said


_MADE: "weakref.WeakKeyDictionary[MeterProvider, Instruments]" = weakref.WeakKeyDictionary()


def instruments() -> Instruments | None:
    """Those of the MeterProvider that this process has set up; None where it has none. Asked when an app opens."""
    provider = get_meter_provider()
    if type(provider).__module__.startswith("opentelemetry.metrics"):
        return None  # The API's own: one that does nothing, or one that waits for another to be set.
    if provider not in _MADE:
        _MADE[provider] = Instruments(provider)
    return _MADE[provider]


def _of_queue(name: str) -> Attributes:
    return {"messaging.system": SYSTEM, "messaging.destination.name": name}


def _name_of(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
