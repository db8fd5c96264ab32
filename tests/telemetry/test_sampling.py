"""Runs that the sampler would drop cost next to nothing, and are dropped as it would have dropped them."""

from collections.abc import Iterator

import asyncpg
import pytest
from howdah import App
from howdah.sampling import foreseen
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased

from .conftest import Spans

pytestmark = pytest.mark.anyio

LOW, HIGH = 5, 2**64 - 5
"""Trace ids under half of the range, which a share of a half samples, and over it."""


class Ids(RandomIdGenerator):
    """Trace ids that are low and high in turns."""

    def __init__(self) -> None:
        self.given = 0

    def generate_trace_id(self) -> int:
        self.given += 1
        return (self.given << 64) + (LOW if self.given % 2 else HIGH)


@pytest.fixture
def ids() -> Ids:
    return Ids()


@pytest.fixture
def halved(ids: Ids, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    """Spans of a program that samples half of its traces."""
    provider = TracerProvider(ParentBased(TraceIdRatioBased(0.5)), id_generator=ids)
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield Spans(exporter)
    provider.shutdown()


async def test_a_run_is_sampled_by_the_id_that_its_span_then_has(
    jobs: App, db: "asyncpg.Connection[asyncpg.Record]", halved: Spans, ids: Ids
) -> None:
    seen: list[trace.SpanContext] = []

    @jobs.task
    async def child() -> None: ...

    @jobs.task
    async def task() -> int:
        seen.append(trace.get_current_span().get_span_context())
        return (await child.enqueue()).id

    async with jobs.work():
        for _ in range(4):
            number = await db.fetchval("select howdah.enqueue('task')")
            await child.attach(await task.attach(number).result("10s")).result("10s")
    assert [context.trace_id >> 64 for context in seen] == [1, 2, 3, 4], "one id is drawn for each, and none twice"
    assert [context.trace_flags & 1 for context in seen] == [1, 0, 1, 0]
    recorded = {found.trace_id for span in halved.all() if (found := span.get_span_context())}
    assert recorded == {seen[0].trace_id, seen[2].trace_id}
    assert sorted({span.name for span in halved.all()}) == ["process child", "process task", "send child"]
    assert len(halved.all()) == 6, "what a dropped run leads to is dropped as well"


async def test_the_child_of_a_span_that_was_not_sampled_is_not_either(
    jobs: App, db: "asyncpg.Connection[asyncpg.Record]", halved: Spans, ids: Ids
) -> None:
    seen: list[trace.SpanContext] = []

    @jobs.task
    async def task() -> None:
        seen.append(trace.get_current_span().get_span_context())

    async with jobs.work():
        number = await db.fetchval("select howdah.enqueue('task', traceparent => $1)", f"00-{7:032x}-{9:016x}-00")
        await task.attach(number).result("10s")
    assert [context.trace_id for context in seen] == [7]
    assert (halved.all(), ids.given) == ((), 0)


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ParentBased(ALWAYS_ON)])
def test_of_another_sampler_nothing_is_foreseen(sampler: Sampler) -> None:
    tracer = TracerProvider(sampler).get_tracer("test")

    assert foreseen(tracer).tracer is tracer
    assert foreseen(tracer).dropped_root() is None


def test_of_another_tracer_nothing_is_foreseen() -> None:
    tracer = trace.NoOpTracer()

    assert foreseen(tracer).tracer is tracer
    assert not foreseen(tracer).drops_child_of(trace.SpanContext(1, 2, is_remote=True))
