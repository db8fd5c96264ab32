"""OpenTelemetry as a library meets it: whoever runs the program sets it up, or nobody does. Of its packages only the API is needed.

Nothing is set up here, and nothing is kept of a provider but the tracer that it gave out.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version

from opentelemetry import context
from opentelemetry.trace import (
    NoOpTracer,
    NoOpTracerProvider,
    ProxyTracerProvider,
    SpanContext,
    TraceFlags,
    Tracer,
    TracerProvider,
    TraceState,
    get_current_span,
    get_tracer_provider,
)

from .core.ancestry import Origin, headers, written

_SUPPRESS = "suppress_instrumentation"
"""The key by which instrumentations are told to look away, as opentelemetry-instrumentation has it."""


def tracer() -> Tracer | None:
    """What makes spans; None as long as nobody has set OpenTelemetry up, or it was set up to do nothing."""
    return _tracer_of(get_tracer_provider())


@lru_cache(maxsize=1)
def _tracer_of(provider: TracerProvider) -> Tracer | None:
    if isinstance(provider, ProxyTracerProvider | NoOpTracerProvider):
        return None
    made = provider.get_tracer("howdah", version("howdah"))
    return None if isinstance(made, NoOpTracer) else made


def origin(*, apart: bool = False) -> str | None:
    """The span under way here, as a run carries it along; None where none is."""
    around = get_current_span().get_span_context()
    return _written(around, apart=apart) if around.is_valid else None


def current_ids() -> tuple[str, str] | None:
    """Trace and span under way here, as hexadecimal text; None where none is."""
    around = get_current_span().get_span_context()
    return (f"{around.trace_id:032x}", f"{around.span_id:016x}") if around.is_valid else None


def traced_ids(trace: str) -> tuple[str, str] | None:
    """The same of a trace that a run carries along."""
    told = headers(trace)
    if told is None:
        return None
    _, trace_id, span_id, _ = told["traceparent"].split("-")
    return trace_id, span_id


def context_of(origin: Origin) -> SpanContext:
    """The span that asked for a run."""
    state = TraceState.from_header([origin.state]) if origin.state else None
    return SpanContext(origin.trace_id, origin.span_id, is_remote=True, trace_flags=TraceFlags(origin.flags), trace_state=state)


@contextmanager
def unseen() -> Generator[None]:
    """Inside of the block instrumentations look away: a statement of ours, on a connection of the user's."""
    token = context.attach(context.set_value(_SUPPRESS, True))  # noqa: FBT003 - the signature is OpenTelemetry's
    try:
        yield
    finally:
        context.detach(token)


def _written(around: SpanContext, *, apart: bool) -> str:
    state = around.trace_state.to_header() if around.trace_state else ""
    return written(Origin(around.trace_id, around.span_id, around.trace_flags, state, apart))
