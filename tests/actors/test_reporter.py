"""What the reporter tells OpenTelemetry, when, and what it does while the database is away."""

from collections.abc import Sequence
from time import monotonic
from typing import Any

import anyio
import msgspec
import pytest
from howdah import DatabaseAway
from howdah.actors.reporter import Reporter
from howdah.actors.tally import Tally
from howdah.core.states import Kind
from howdah.instruments import Gauges, Instruments, QueueHolds
from howdah.messages import Standing
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from .stage import CONFIG, NODE, RUN, claimed

pytestmark = pytest.mark.anyio


class Readings:
    def __init__(self) -> None:
        self.away = False
        self.gone = False
        self.waits = 0
        self.queues = [QueueHolds("mail", {"ready": 7, "running": 0, "later": 1}, 3.0)]

    def _check(self) -> None:
        if self.away:
            raise DatabaseAway("away")

    async def queue_names(self, numbers: Sequence[int]) -> dict[int, str]:
        self._check()
        return {} if self.gone else {number: f"queue {number}" for number in numbers}

    async def ready_since(self, attempts: Sequence[tuple[int, int, int]]) -> list[tuple[int, float]]:
        self._check()
        self.waits += len(attempts)
        return [(place, 99.0) for place in range(len(attempts))]

    async def report_queues(self, node: int, queues_max: int) -> Sequence[QueueHolds]:
        self._check()
        assert (node, queues_max) == (NODE, 1000)
        return self.queues


class Desk:
    """A reporter with everything around it."""

    def __init__(self, **settings: Any) -> None:
        self.reader = InMemoryMetricReader()
        self.instruments = Instruments(MeterProvider([self.reader]))
        self.config = msgspec.structs.replace(CONFIG, report_s=0.01, queue_report_s=0.02, **settings)
        self.tally, self.readings = Tally(self.config.report_values), Readings()
        self.gauges = Gauges(lambda: [("async", 1, 4)])
        self.standing: Standing | None = Standing(NODE, monotonic() + 60, 0.0)
        self.reporter = Reporter(
            self.tally, self.instruments, self.gauges, self.readings, {RUN.task: "work"}, lambda: self.standing, self.config
        )

    def end(self, count: int, kind: Kind = Kind.SUCCEEDED) -> None:
        for run in range(count):
            self.tally.end(claimed(run), int(kind), None, 100.5, 0.25)

    def points(self, name: str) -> list[tuple[Any, Any]]:
        data = self.reader.get_metrics_data()
        metrics = [one for resource in data.resource_metrics for scope in resource.scope_metrics for one in scope.metrics] if data else []
        return [
            (dict(point.attributes or {}), getattr(point, "count", None) or getattr(point, "value", None))
            for metric in metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


async def test_counters_are_exact_and_histograms_a_sample_of_which_fewer_are_looked_up() -> None:
    desk = Desk(report_values=100, report_waits=10)
    desk.end(1000)
    await desk.reporter.tell()
    [(said, count)] = desk.points("messaging.client.consumed.messages")
    assert (said["messaging.destination.name"], said["howdah.task"], said["howdah.outcome"], count) == (
        "queue 1",
        "work",
        "succeeded",
        1000,
    )
    [(_, values)] = desk.points("messaging.process.duration")
    assert 50 <= values < 100
    [(_, waits)] = desk.points("howdah.run.wait.duration")
    assert waits == desk.readings.waits <= 10


async def test_a_cancelled_attempt_is_an_error_and_one_that_was_handed_back_is_none() -> None:
    desk = Desk()
    desk.end(1, Kind.STOPPED)
    desk.end(1, Kind.RELEASED)
    await desk.reporter.tell()
    errors = {said["howdah.outcome"]: said.get("error.type") for said, _ in desk.points("messaging.client.consumed.messages")}
    assert errors == {"stopped": "cancelled", "released": None}


async def test_counts_wait_while_the_database_is_away_and_nothing_is_told_twice() -> None:
    desk = Desk()
    desk.readings.away = True
    desk.end(3)
    await desk.reporter.tell()
    assert desk.points("messaging.client.consumed.messages") == []
    desk.readings.away = False
    desk.end(2)
    await desk.reporter.tell()
    await desk.reporter.tell()
    assert [count for _, count in desk.points("messaging.client.consumed.messages")] == [5]


async def test_a_queue_that_is_not_there_any_more_is_told_of_without_a_name() -> None:
    desk = Desk()
    desk.readings.gone = True
    desk.end(3)
    await desk.reporter.tell()
    [(said, count)] = desk.points("messaging.client.consumed.messages")
    assert ("messaging.destination.name" in said, said["howdah.task"], count) == (False, "work", 3)


async def test_it_reports_until_nothing_more_happens_and_tells_what_happened_last() -> None:
    desk = Desk()
    over = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(desk.reporter.report, over)
        with anyio.fail_after(30):
            while not desk.gauges.queues():
                await anyio.sleep(0.001)
        desk.end(3)
        over.set()
    assert [count for _, count in desk.points("messaging.client.consumed.messages")] == [3]


async def test_what_queues_hold_is_told_as_long_as_it_is_fresh() -> None:
    desk = Desk()
    over = anyio.Event()
    with desk.instruments.showing(desk.gauges):
        async with anyio.create_task_group() as group:
            group.start_soon(desk.reporter.report, over)
            with anyio.fail_after(30):
                while not desk.points("howdah.queue.depth"):
                    await anyio.sleep(0.001)
                assert {said["howdah.state"]: count for said, count in desk.points("howdah.queue.depth")}["ready"] == 7
                assert [count for _, count in desk.points("howdah.queue.oldest_age")] == [3.0]
                desk.readings.away = True
                while desk.gauges.queues():
                    await anyio.sleep(0.001)
            over.set()


async def test_what_happens_during_a_report_is_told_also_when_that_was_thought_to_be_the_last() -> None:
    desk = Desk()
    over = anyio.Event()
    names = desk.readings.queue_names

    async def meanwhile(numbers: Sequence[int]) -> dict[int, str]:
        if not over.is_set():
            desk.end(2)
            over.set()
        return await names(numbers)

    desk.readings.queue_names = meanwhile
    desk.end(1)
    with anyio.fail_after(30):
        await desk.reporter.report(over)
    assert [count for _, count in desk.points("messaging.client.consumed.messages")] == [3]
