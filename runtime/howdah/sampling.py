"""Foresees which spans the SDK's sampler would drop, so that next to nothing is made for these.

One run in a hundred is traced, and the SDK takes 4 us of each of the others to say no: as much as half of all that we do for a run.
Where its sampler decides by the trace id alone, and says so by the description that the specification wants of it, we throw the
dice first, and draw an id that fits what came of it once one is asked for: that is the one that the SDK then makes its span with.
"""

import copy
import re
from random import random, randrange
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from .context import CURRENT
from .core.ancestry import is_unsampled, read
from .messages import Claimed
from .telemetry import context_of

_BY_ID = re.compile(r"(?:ParentBased\{root:)?TraceIdRatioBased\{([0-9.e-]+)\}")
_DROPPED_WITH_PARENT = re.compile(r"ParentBased\{.*remoteParentNotSampled:AlwaysOffSampler\b")
_LOW = (1 << 64) - 1
"""The bits of a trace id that are compared with the share of them that is sampled."""

_UNSAMPLED = TraceFlags(TraceFlags.DEFAULT)


class Foresight:
    """What is known of a tracer's sampler. tracer: makes its spans with the trace id that was drawn last.

    root, child: the context of an attempt that is dropped, as one without a parent or as one under a parent that was dropped. All
    of them share these: which attempt it is, is found out when somebody asks.
    """

    def __init__(self, tracer: Tracer, share: float | None, *, drops_with_parent: bool) -> None:
        self._share = 1.0 if share is None else share
        self._drops_with_parent = drops_with_parent
        self._drawn = _DrawnIds(getattr(tracer, "id_generator", None), round(self._share * (_LOW + 1)))
        self.tracer = tracer
        if share is not None:
            # A copy, since the tracer belongs to its provider: it may be handed out to others.
            self.tracer = copy.copy(tracer)
            self.tracer.id_generator = self._drawn  # type: ignore[attr-defined] # of the SDK's tracer: see foreseen()
        nowhere = Context()
        self.root: Final = set_span_in_context(_Dropped(self._drawn), nowhere)
        self.child: Final = set_span_in_context(_DroppedChild(self._drawn), nowhere)

    def drops_root(self) -> bool:
        """Whether a span without a parent would be dropped. False: make it, now."""
        return random() >= self._share  # noqa: S311 - a sample, not a secret

    def drops_child(self, trace: str) -> bool:
        """Whether a child of this origin, as a run has it, would be dropped."""
        return self._drops_with_parent and is_unsampled(trace)


class _DrawnIds:
    """Ids as the provider's generator makes them, except that a trace id is one of those that are sampled, or one of the others."""

    def __init__(self, ids: Any, bound: int) -> None:
        self._ids = ids
        self._bound = bound

    def generate_trace_id(self) -> int:
        return self._with_low(randrange(self._bound))  # noqa: S311 - as the SDK draws them

    def unsampled(self) -> SpanContext:
        """Of a span that is dropped."""
        trace_id = self._with_low(randrange(self._bound, _LOW + 1))  # noqa: S311 - the same
        return SpanContext(trace_id, self._ids.generate_span_id(), is_remote=False, trace_flags=_UNSAMPLED)

    def _with_low(self, low: int) -> int:
        drawn: int = self._ids.generate_trace_id()
        return drawn & ~_LOW | (low or 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ids, name)


class _Dropped(NonRecordingSpan):
    """The span of whichever attempt asks, not recorded. It has a context like any other: what it leads to is dropped, too."""

    def __init__(self, ids: _DrawnIds) -> None:
        super().__init__(INVALID_SPAN_CONTEXT)
        self._ids = ids

    def get_span_context(self) -> SpanContext:
        """As of any span; after the attempt, one that belongs to no trace."""
        run = CURRENT.get(None)
        if run is None:
            return INVALID_SPAN_CONTEXT
        if run.unrecorded is None:
            run.unrecorded = self._of(run.claimed)
        return run.unrecorded

    def _of(self, claimed: Claimed) -> SpanContext:  # noqa: ARG002 - of each kind
        return self._ids.unsampled()


class _DroppedChild(_Dropped):
    """The same of an attempt that belongs to its parent's trace: that is the one that goes on."""

    def _of(self, claimed: Claimed) -> SpanContext:
        origin = None if claimed.trace is None else read(claimed.trace)
        return INVALID_SPAN_CONTEXT if origin is None else context_of(origin)


def foreseen(tracer: Tracer) -> Foresight:
    """What can be known of this tracer: nothing, where it is not the SDK's."""
    sampler: Any = getattr(tracer, "sampler", None)
    if sampler is None or not hasattr(tracer, "id_generator"):
        return Foresight(tracer, None, drops_with_parent=False)
    said = str(sampler.get_description())
    by_id = _BY_ID.match(said)
    share = float(by_id[1]) if by_id else 1.0
    return Foresight(tracer, share if share < 1 else None, drops_with_parent=_DROPPED_WITH_PARENT.match(said) is not None)
