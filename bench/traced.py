"""What tracing costs a drain: not compiled in, off, 1% of the runs, all of them; in turns. `python -m bench drain --otel`.

off: a process in which nobody has set OpenTelemetry up, beside one in which howdah's tracing is switched off. Spans go through
the SDK's batch processor to an exporter in memory that drops them: what sending costs belongs to the exporter and to how many it
sends, and is not counted.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from math import exp, log, sqrt
from statistics import mean, stdev
from time import process_time

from howdah.tracing import OPERATION, OPERATION_TYPE, QUEUE, RUN, SYSTEM, TASK
from opentelemetry import trace
from opentelemetry.context import Context, attach
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from .drain import drain_once
from .floor import ABOUT
from .measure import Figure, Sample, alone
from .server import Bed

RUNS = 60_000
PAIRS = 10
T_95 = 2.262
"""Student's t for ten pairs and 95%."""


class _Dropped(SpanExporter):
    def __init__(self) -> None:
        self.count = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.count += len(spans)
        return SpanExportResult.SUCCESS


@contextmanager
def _sampled(share: float) -> Generator[None]:
    """OpenTelemetry set up for this process, and taken away again, which its API does not do."""
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(share)), shutdown_on_exit=False)
    # Room for all of them: a full queue would have the SDK make a log record for each span that it throws away.
    provider.add_span_processor(BatchSpanProcessor(_Dropped(), max_queue_size=2 * RUNS))
    before = trace._TRACER_PROVIDER  # pyright: ignore[reportPrivateUsage] - there is no other way
    trace._TRACER_PROVIDER = provider  # pyright: ignore[reportPrivateUsage] - there is no other way
    try:
        yield
    finally:
        trace._TRACER_PROVIDER = before  # pyright: ignore[reportPrivateUsage] - there is no other way
        provider.shutdown()


async def _drain(bed: Bed, *, tracing: bool = True, share: float | None = None) -> Sample:
    if share is None:
        return (await drain_once(bed, RUNS, tracing=tracing)).sample
    # Enqueued by a program without OpenTelemetry: each run begins a trace, so that the sampler is asked for each.
    return (await drain_once(bed, RUNS, around=lambda: _sampled(share))).sample


def _sdk_us() -> float:
    """CPU that the SDK alone takes for a span with the attributes of ours, started, made the current one and ended."""
    attributes = dict.fromkeys((SYSTEM, OPERATION, OPERATION_TYPE, QUEUE, TASK), "process")
    with _sampled(1.0):
        tracer, nowhere = trace.get_tracer("bench"), Context()
        began = process_time()
        for number in range(RUNS):
            span = tracer.start_span("process noop", nowhere, trace.SpanKind.CONSUMER, attributes | {RUN: str(number)})
            attach(trace.set_span_in_context(span, nowhere))
            span.end()
        return (process_time() - began) / RUNS * 1e6


async def measure(bed: Bed, runs: int) -> list[Figure]:
    pairs: list[tuple[Sample, Sample]] = []
    for number in range(min(PAIRS, runs)):
        with alone():
            first = await _drain(bed, tracing=number % 2 == 0)
            second = await _drain(bed, tracing=number % 2 == 1)
        pairs.append((first, second) if number % 2 == 0 else (second, first))
    rounds: list[tuple[Sample, Sample, Sample]] = []
    sdk: list[float] = []
    for _ in range(max(5, runs // 2)):
        with alone():
            rounds.append((await _drain(bed), await _drain(bed, share=0.01), await _drain(bed, share=1.0)))
            sdk.append(_sdk_us())
    about = {"runs": RUNS, "spans": "batch processor, exporter in memory that drops them", "server": ABOUT["server"]}
    ratios = [off.per_s / absent.per_s for off, absent in pairs]
    low, high = _interval(ratios)
    return [
        Figure("drain.otel.off.ratio", "ratio", ratios, {"of": "nobody has set it up / tracing=False, pair by pair", "95%": [low, high]}),
        Figure("drain.otel.off.outside", "ratio", [max(0.0, low - 1, 1 - high)], {"of": "how far 1 lies outside of the 95% interval"}),
        Figure("drain.otel.off", "runs/s", [off.per_s for off, _, _ in rounds], about),
        Figure("drain.otel.some", "runs/s", [some.per_s for _, some, _ in rounds], about | {"sampled": 0.01}),
        Figure("drain.otel.all", "runs/s", [every.per_s for _, _, every in rounds], about | {"sampled": 1.0}),
        Figure("drain.otel.some.ratio", "ratio", [some.per_s / off.per_s for off, some, _ in rounds], {"of": "1% / off, round by round"}),
        Figure("drain.otel.all.ratio", "ratio", [every.per_s / off.per_s for off, _, every in rounds], {"of": "all / off, round by round"}),
        Figure("drain.otel.some.added", "us/run", [some.python_us - off.python_us for off, some, _ in rounds], about | {"sampled": 0.01}),
        Figure("drain.otel.sdk", "us/run", sdk, {"of": "the SDK by itself: such a span started, made the current one, ended, exported"}),
        Figure("drain.otel.all.added", "us/run", [every.python_us - off.python_us for off, _, every in rounds], about | {"sampled": 1.0}),
    ]


def _interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Of the mean ratio, by the logarithms."""
    logs = [log(ratio) for ratio in ratios]
    middle, wide = mean(logs), T_95 * stdev(logs) / sqrt(len(logs))
    return round(exp(middle - wide), 4), round(exp(middle + wide), 4)
