"""Filters of runs: keywords in, the json of functions/find_runs.sql out."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict

from ..core.states import State
from ..duration import Duration, seconds
from ..errors import ArgumentsInvalid

Names = str | Iterable[str]

_STATES = frozenset(str(state) for state in State)


class Filter(TypedDict, total=False):
    """Which runs: all that is said must hold. Several states, tasks or queues: any of them. Several tags: all of them."""

    state: Names | None
    task: Names | None
    queue: Names | None
    tags: Names | None
    metadata: Mapping[str, str] | None
    parent: int | None
    root: int | None
    """The whole tree of this run, itself included."""
    error: str | None
    """The fingerprint of an error, as `howdah todo` prints it."""
    since: datetime | Duration | None
    """Enqueued since then: a time, or how long ago."""
    before: int | None
    """Older than this run: the cursor of a page."""


def said(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The filter as it is sent. ArgumentsInvalid: it makes no sense."""
    told: dict[str, Any] = {}
    for name, value in keywords.items():
        if value is None:
            continue
        match name:
            case "state":
                told[name] = _states(value)
            case "task" | "queue" | "tags":
                told[name] = _names(value)
            case "metadata":
                told[name] = dict(value)
            case "since":
                told[name] = _since(value)
            case "parent" | "root" | "error" | "before":
                told[name] = value
            case _:
                raise ArgumentsInvalid(f"runs have no filter {name!r}; the filters are {', '.join(Filter.__annotations__)}")
    return told


def _names(value: Names) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _states(value: Names) -> list[str]:
    names = [str(name) for name in _names(value)]
    for name in names:
        if name not in _STATES:
            raise ArgumentsInvalid(f"{name!r} is no state of a run; the states are {', '.join(State)}")
    return names


def _since(value: datetime | Duration) -> str | float:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ArgumentsInvalid(f"since={value!r} has no time zone: say which, as in datetime.now(UTC)")
        return value.isoformat()
    try:
        return seconds(value)
    except ValueError as error:
        raise ArgumentsInvalid(f"since= takes a time or how long ago: {error}") from error
