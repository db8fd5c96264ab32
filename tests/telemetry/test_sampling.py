"""Runs that the sampler would drop cost next to nothing, and are dropped as it would have dropped them."""

from collections.abc import Iterator
from itertools import cycle

import anyio
import asyncpg
import pytest
from howdah import App, sampling
from howdah.sampling import foreseen
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased

from .conftest import Spans

pytestmark = pytest.mark.anyio

HALF = 2**63
"""Half of what the lower 64 bits of a trace id can be: a share of a half samples those below."""


class Ids(RandomIdGenerator):
    """Trace ids that are counted in their upper half."""

    def __init__(self) -> None:
        self.given = 0

    def generate_trace_id(self) -> int:
        self.given += 1
        return self.given << 64 | super().generate_trace_id() & (2**64 - 1)


@pytest.fixture
def ids() -> Ids:
    return Ids()


@pytest.fixture
def halved(ids: Ids, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    """Spans of a program that samples half of its traces: here every other one."""
    provider = TracerProvider(ParentBased(TraceIdRatioBased(0.5)), id_generator=ids)
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    monkeypatch.setattr(sampling, "random", cycle((0.4, 0.6)).__next__)
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
    assert [context.trace_id & (2**64 - 1) < HALF for context in seen] == [True, False, True, False]
    assert [context.trace_flags & 1 for context in seen] == [1, 0, 1, 0]
    recorded = {found.trace_id for span in halved.all() if (found := span.get_span_context())}
    assert recorded == {seen[0].trace_id, seen[2].trace_id}
    assert sorted({span.name for span in halved.all()}) == ["process child", "process task", "send child"]
    assert len(halved.all()) == 6, "what a dropped run leads to is dropped as well"


async def test_a_dropped_run_that_nobody_asks_for_its_trace_draws_no_id(
    jobs: App, db: "asyncpg.Connection[asyncpg.Record]", halved: Spans, ids: Ids
) -> None:
    @jobs.task
    async def task() -> None: ...

    async with jobs.work():
        for _ in range(4):
            await task.attach(await db.fetchval("select howdah.enqueue('task')")).result("10s")
    assert (len(halved.all()), ids.given) == (2, 2)


async def test_attempts_at_once_that_are_dropped_have_a_trace_each(
    jobs: App, db: "asyncpg.Connection[asyncpg.Record]", halved: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "random", lambda: 0.9)
    seen: list[trace.SpanContext] = []
    both = anyio.Event()

    @jobs.task
    async def task() -> bool:
        span = trace.get_current_span()
        seen.append(span.get_span_context())
        if len(seen) == 2:
            both.set()
        await both.wait()
        return span.get_span_context() in seen

    async with jobs.work():
        numbers = [await db.fetchval("select howdah.enqueue('task')") for _ in range(2)]
        assert [await task.attach(number).result("10s") for number in numbers] == [True, True]
    assert len({context.trace_id for context in seen}) == 2
    assert trace.get_current_span().get_span_context() == trace.INVALID_SPAN_CONTEXT


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
    assert not foreseen(tracer).drops_root()


def test_of_another_tracer_nothing_is_foreseen() -> None:
    tracer = trace.NoOpTracer()

    assert foreseen(tracer).tracer is tracer
    assert not foreseen(tracer).drops_child(f"00-{7:032x}-{9:016x}-00")
