"""Spans, by OpenTelemetry's conventions for messaging: `send` where a run is enqueued, `process` around each attempt.

Where nobody has set OpenTelemetry up there are none, and an attempt pays one look at an attribute for that. Arguments and
results are in no attribute: they are the user's, and traces are read by many.
"""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    set_span_in_context,
)

from . import codec
from .config import Config
from .context import BatchAttempt, CurrentRun
from .core.ancestry import is_child, read
from .core.states import Kind
from .core.verdict import Cause
from .definitions import Definition
from .messages import Claimed, Failure
from .sampling import Foresight, foreseen
from .telemetry import context_of, tracer

SYSTEM = "messaging.system"
OPERATION, OPERATION_TYPE = "messaging.operation.name", "messaging.operation.type"
QUEUE, TASK = "messaging.destination.name", "messaging.destination.template"
RUN, BATCH = "messaging.message.id", "messaging.batch.message_count"
ERROR = "error.type"
ATTEMPT, WAIT_MS, OUTCOME, CREATED = "howdah.attempt", "howdah.queue.wait_ms", "howdah.outcome", "howdah.created"

_NOWHERE: Final = Context()
"""What the program does where its node was started is nobody's parent: each attempt begins from here."""
_SPAN: Final = next(iter(set_span_in_context(INVALID_SPAN, _NOWHERE)))
"""The key of the current span: a context with nothing else is made in a third of the time that the API takes."""

_read_failure = codec.decoder(Failure).decode


class Tracing:
    """The `process` spans of one node. tracer: what makes them; None: nobody has set that up so far."""

    def __init__(self, config: Config) -> None:
        self.tracer: Tracer | None = None
        self._config = config
        self._queues: dict[int, str] = {}
        self._foresight: Foresight | None = None
        self._known: dict[tuple[int, int], tuple[str, Mapping[str, Any]]] = {}

    def look(self) -> None:
        """Whether somebody has set OpenTelemetry up: asked for each batch of runs."""
        if self._config.tracing and (found := tracer()) is not self.tracer:
            self.tracer = found
            self._foresight = None if found is None else foreseen(found)

    def missing(self, queues: Iterable[int]) -> list[int]:
        """Which of these queues have names that are needed and not known. Numbers are all that a claim sees."""
        self.look()
        return [] if self.tracer is None else [queue for queue in queues if queue not in self._queues]

    def learn(self, names: Iterable[tuple[int, str]]) -> None:
        """What they are called."""
        self._queues.update(names)

    def begin(self, run: CurrentRun, unix: float) -> Span | None:
        """Starts the span of an attempt and makes it the current one, until the next attempt begins here. unix: the time."""
        foresight = self._foresight
        assert foresight is not None, "whoever begins a span has looked"
        claimed = run.claimed
        origin, parent, waited_s = None, None, None
        if claimed.trace is not None:
            waited_s = max(0.0, unix - (claimed.asked or unix))
            may_be_child = self._is_child(claimed, waited_s)
            if may_be_child and foresight.drops_child(claimed.trace):
                attach(foresight.child)
                return None
            if (origin := read(claimed.trace)) is not None and may_be_child and not origin.apart:
                parent = context_of(origin)
        if parent is None and foresight.drops_root():
            attach(foresight.root)
            return None
        links = None if origin is None else [Link(parent or context_of(origin))]
        return self._start(run, foresight, parent, links, waited_s)

    def _start(
        self, run: CurrentRun, foresight: Foresight, parent: SpanContext | None, links: list[Link] | None, waited_s: float | None
    ) -> Span | None:
        around = _NOWHERE if parent is None else set_span_in_context(NonRecordingSpan(parent), _NOWHERE)
        claimed = run.claimed
        name, shared = self._known.get((claimed.task, claimed.queue)) or self._know(run)
        attributes = {**shared, RUN: str(claimed.id)}
        if isinstance(run, BatchAttempt):
            attributes = {**shared, BATCH: len(run.runs)}
            asked = [one.claimed.trace for one in run.runs if one.claimed.trace is not None]
            links = [Link(context_of(origin)) for trace in asked if (origin := read(trace)) is not None]
        if claimed.attempt > 1:  # Each attribute costs the SDK as much as a tenth of the span.
            attributes[ATTEMPT] = claimed.attempt
        if waited_s is not None:
            attributes[WAIT_MS] = round(waited_s * 1000)
        span = foresight.tracer.start_span(name, around, SpanKind.CONSUMER, attributes, links)
        attach(Context({_SPAN: span}))
        return span if span.is_recording() else None

    def end(self, span: Span, run: CurrentRun, kind: Kind, data: str | None) -> None:
        """Ends it as the attempt has ended. data: what is stored of that."""
        if run.cause is Cause.LOST:
            span.set_attribute(OUTCOME, "lost")
            span.set_status(StatusCode.ERROR, "another attempt has taken over")
        elif kind is not Kind.SUCCEEDED and not run.completed:
            span.set_attribute(OUTCOME, kind.name.lower())
            if kind in (Kind.FAILED, Kind.RETRIED):
                _record(span, Failure() if data is None else _read_failure(data))
        span.end()

    def _is_child(self, claimed: Claimed, waited_s: float) -> bool:
        config = self._config
        return is_child(config.trace_parenting, attempt=claimed.attempt, waited_s=waited_s, prompt_s=config.trace_prompt_s)

    def _know(self, run: CurrentRun) -> tuple[str, Mapping[str, Any]]:
        queue = self._queues.get(run.claimed.queue)
        shared = _shared("process", run.task, queue)
        known = f"process {run.task}", shared
        if queue is not None:
            self._known[run.claimed.task, run.claimed.queue] = known
        return known


class Inherited:
    """The same in a child process: the span is the node's, and what happens here belongs to it."""

    def __init__(self) -> None:
        self.tracer: bool | None = None
        self._span: SpanContext | None = None

    def look(self) -> None:
        """Nothing is to be found: the node says with each attempt what it belongs to."""

    def follow(self, trace: str | None) -> None:
        """The next attempt belongs to this span."""
        origin = None if trace is None else read(trace)
        self._span = None if origin is None else context_of(origin)
        # Once there was a span, an attempt without one must be told so: the context of the last one is still there.
        self.tracer = True if self._span is not None else self.tracer

    def begin(self, run: CurrentRun, unix: float) -> None:  # noqa: ARG002 - as of a node
        """Makes it the current one."""
        attach(_NOWHERE if self._span is None else set_span_in_context(NonRecordingSpan(self._span), _NOWHERE))

    def end(self, span: Span, run: CurrentRun, kind: Kind, data: str | None) -> None:  # noqa: ARG002 - the same
        """The node does."""
        raise AssertionError("no span was begun here")


class Sending:
    """A `send` span around an enqueue. What was made is noted before it ends."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Self:
        self._token = attach(set_span_in_context(self._span))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        detach(self._token)
        span = self._span
        if error is not None and span.is_recording():
            span.record_exception(error)
            span.set_attribute(ERROR, _dotted(type(error)))
            span.set_status(StatusCode.ERROR, f"{type(error).__name__}: {error}")
        span.end()

    def note(self, run: int, *, created: bool) -> None:
        """The run that the request made, or found under its key."""
        self._span.set_attribute(RUN, str(run))
        if not created:
            self._span.set_attribute(CREATED, False)  # noqa: FBT003 - the signature is OpenTelemetry's

    def note_batch(self, runs: int) -> None:
        """How many runs a request for many has come to."""
        self._span.set_attribute(BATCH, runs)


class _Unsent(Sending):
    """No span."""

    def __init__(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def note(self, run: int, *, created: bool) -> None: ...

    def note_batch(self, runs: int) -> None: ...


_UNSENT: Final = _Unsent()


def sending(config: Config, definition: Definition, queue: str | None) -> Sending:
    """Around an enqueue of this task: a span, if somebody has set that up. queue: the one that the request names, if any."""
    made = tracer() if config.tracing else None
    if made is None:
        return _UNSENT
    # What a stub stands for may live in any queue.
    shared = _shared("send", definition.name, queue or (None if definition.stub else definition.queue))
    return Sending(made.start_span(f"send {definition.name}", kind=SpanKind.PRODUCER, attributes=shared))


def _shared(operation: str, task: str, queue: str | None) -> dict[str, Any]:
    shared = {SYSTEM: "howdah", OPERATION: operation, OPERATION_TYPE: operation, TASK: task}
    return shared if queue is None else shared | {QUEUE: queue}


def _record(span: Span, failure: Failure) -> None:
    span.set_attribute(ERROR, failure.type or "_OTHER")
    span.add_event(
        "exception",
        {"exception.type": failure.type, "exception.message": failure.message, "exception.stacktrace": failure.traceback},
    )
    span.set_status(StatusCode.ERROR, failure.message)


def _dotted(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
