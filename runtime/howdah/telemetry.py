"""The trace that an enqueue belongs to, as W3C writes it down. Of OpenTelemetry only the API is needed: without an SDK no span is valid."""

from opentelemetry.trace import get_current_span


def traceparent() -> str | None:
    """The span under way here, as a traceparent header; None where none is."""
    context = get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
