"""Foresees which spans the SDK's sampler would drop, so that next to nothing is made for these.

One run in a hundred is traced, and the SDK takes 4 us of each of the others to say no: as much as half of all that we do for a run.
Where its sampler decides by the trace id alone, and says so by the description that the specification wants of it, we draw the id
and see. An id that passes is the one that the SDK then makes its span with: nothing is decided twice.
"""

import copy
import re
from typing import Any

from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags, Tracer

_BY_ID = re.compile(r"(?:ParentBased\{root:)?TraceIdRatioBased\{([0-9.e-]+)\}")
_DROPPED_WITH_PARENT = re.compile(r"ParentBased\{.*remoteParentNotSampled:AlwaysOffSampler\b")
_LOW = (1 << 64) - 1
"""The bits of a trace id that are compared with the share of them that is sampled."""

_UNSAMPLED = TraceFlags(TraceFlags.DEFAULT)


class Foresight:
    """What is known of a tracer's sampler. tracer: makes its spans with the trace id that was drawn last."""

    def __init__(self, tracer: Tracer, share: float | None, *, drops_with_parent: bool) -> None:
        self._ids: Any = getattr(tracer, "id_generator", None)
        self._bound = None if share is None else round(share * (_LOW + 1))
        self._drops_with_parent = drops_with_parent
        self.tracer = tracer
        self._drawn: _DrawnIds | None = None
        if self._bound is not None:
            self._drawn = _DrawnIds(self._ids)
            # A copy, since the tracer belongs to its provider: it may be handed out to others.
            self.tracer = copy.copy(tracer)
            self.tracer.id_generator = self._drawn  # type: ignore[attr-defined] # of the SDK's tracer: see foreseen()

    def dropped_root(self) -> Span | None:
        """What stands for a span without a parent that would be dropped. None: make it, now."""
        if self._drawn is None:
            return None
        drawn: int = self._ids.generate_trace_id()
        if drawn & _LOW < self._bound:  # type: ignore[operator] # there is a bound where there is something drawn
            self._drawn.next = drawn
            return None
        return _Dropped(drawn, self._ids)

    def drops_child_of(self, parent: SpanContext) -> bool:
        """Whether a child of this span, which another process made, would be dropped."""
        return self._drops_with_parent and not parent.trace_flags & TraceFlags.SAMPLED


class _DrawnIds:
    """Ids as the provider's generator makes them, except for a trace id that was drawn from it before."""

    def __init__(self, ids: Any) -> None:
        self._ids = ids
        self.next = 0

    def generate_trace_id(self) -> int:
        return self.next

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ids, name)


class _Dropped(NonRecordingSpan):
    """A span that is not recorded. It has a context like any other, once somebody asks: what it leads to is dropped, too."""

    def __init__(self, trace_id: int, ids: Any) -> None:
        self._trace_id = trace_id
        self._ids = ids
        self._told: SpanContext | None = None

    def get_span_context(self) -> SpanContext:
        """As of any span."""
        if self._told is None:
            self._told = SpanContext(self._trace_id, self._ids.generate_span_id(), is_remote=False, trace_flags=_UNSAMPLED)
        return self._told


def foreseen(tracer: Tracer) -> Foresight:
    """What can be known of this tracer: nothing, where it is not the SDK's."""
    sampler: Any = getattr(tracer, "sampler", None)
    if sampler is None or not hasattr(tracer, "id_generator"):
        return Foresight(tracer, None, drops_with_parent=False)
    said = str(sampler.get_description())
    by_id = _BY_ID.match(said)
    share = float(by_id[1]) if by_id else 1.0
    return Foresight(tracer, share if share < 1 else None, drops_with_parent=_DROPPED_WITH_PARENT.match(said) is not None)
