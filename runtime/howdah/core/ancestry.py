"""How the span of an attempt stands to the one that asked for its run: under it, or in a trace of its own that is linked with it.

A trace is read as a story with a beginning and an end. What follows at once belongs to it; what comes an hour later, or a
thousand times, would make it a story that never ends.
"""

import re
from typing import Literal, NamedTuple

Parenting = Literal["parent", "link"]
"""The setting trace_parenting: whether a prompt first attempt is a child of the span that asked for it, or nothing is."""

_APART = "apart "
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?: (.+))?", re.DOTALL)
_UNSAMPLED = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f][02468ace](?: .+)?", re.DOTALL)


class Origin(NamedTuple):
    """The span that asked for a run, as howdah.run has it in `trace`. apart: the run was not to start at once, or is one of a batch."""

    trace_id: int
    span_id: int
    flags: int
    state: str
    apart: bool = False


def read(text: str) -> Origin | None:
    """What is stored of an origin. None: that is no trace, and is passed over, as W3C Trace Context wants it."""
    apart = text.startswith(_APART)
    found = _TRACEPARENT.fullmatch(text.removeprefix(_APART))
    if found is None:
        return None
    return Origin(int(found[1], 16), int(found[2], 16), int(found[3], 16), found[4] or "", apart)


def is_unsampled(text: str) -> bool:
    """Whether nothing is recorded of this origin, and a run was to follow it at once. Cheaper than to read it."""
    return _UNSAMPLED.fullmatch(text) is not None


def written(origin: Origin) -> str:
    """The same as text."""
    state = f" {origin.state}" if origin.state else ""
    return f"{_APART if origin.apart else ''}00-{origin.trace_id:032x}-{origin.span_id:016x}-{origin.flags:02x}{state}"


def headers(text: str) -> dict[str, str] | None:
    """What is stored of an origin as the headers of W3C Trace Context. None: that is no trace."""
    origin = read(text)
    if origin is None:
        return None
    told = {"traceparent": written(origin._replace(state="", apart=False))}
    return told | {"tracestate": origin.state} if origin.state else told


def is_child(parenting: Parenting, *, attempt: int, waited_s: float, prompt_s: float) -> bool:
    """Whether the span of an attempt may be a child of the origin's, as it is unless that is apart; otherwise it begins a trace and has
    a link to it.

    attempt: 1 for the first. waited_s: since it was asked for. prompt_s: what counts as at once.
    """
    return parenting == "parent" and attempt == 1 and waited_s <= prompt_s
