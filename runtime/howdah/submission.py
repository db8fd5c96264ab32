"""What an enqueue asks of Postgres: one statement with its values, what it answers, and what a refusal of it means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import msgspec

from . import codec
from .db.files import query
from .definitions import Definition
from .errors import ArgumentsInvalid, ConfigurationError, HowdahError
from .instruments import instruments

NO_SCHEMA = "this database has no howdah schema: run `howdah migrate`"

_ABSENT = ("42883", "3F000")
"""No such function, no such schema."""


class Request(msgspec.Struct, frozen=True):
    """Runs to enqueue: one task, their encoded arguments, their encoded options."""

    definition: Definition
    args: list[str]
    options: str | None
    alone: bool = False
    """It may wait for a key that somebody else holds, so it shares a statement with nobody."""
    keys: list[str] | None = None
    """For each run what the functions of the task's limits answered; None: it has none."""

    @property
    def queue(self) -> str:
        """The name of the queue that it goes to."""
        if self.options is None or '"queue"' not in self.options:
            return self.definition.queue
        queue = codec.decode(self.options).get("queue", self.definition.queue)
        assert isinstance(queue, str), "options are made by us"
        return queue


class Made(NamedTuple):
    """A run, and whether this request made it."""

    id: int
    created: bool


class Submitted(msgspec.Struct, frozen=True):
    """What Postgres made of a request: the ids in order, and the line that they are in. due_s: in so many seconds; None: now."""

    ids: list[int]
    queue: int
    task: int
    priority: int
    due_s: float | None
    created: list[bool] | None
    """Whether this request made each run, or found it under its key. None: it made them all."""
    told: bool = False
    """Whether the commit told the nodes itself."""

    def made(self) -> list[Made]:
        """Each run, in order."""
        return list(map(Made, self.ids, self.created or [True] * len(self.ids)))

    def made_span(self) -> tuple[int, int] | None:
        """The lowest and the highest id among the new runs; None where there are none."""
        ids = [run.id for run in self.made() if run.created] if self.created else self.ids
        return (ids[0], ids[-1]) if ids else None


Statement = tuple[str, tuple[object, ...]]
"""SQL with $1, $2 and so on, and their values."""


def one(request: Request, *, notify: bool) -> Statement:
    """Enqueues a request of a task that is in the catalogue. notify: wake nodes at the commit."""
    return query("submit"), (request.definition.name, request.args, request.options, notify, request.keys)


def one_telling(request: Request) -> Statement:
    """The same for a statement that is a transaction of its own. Its answer says whether the commit woke nodes."""
    return query("submit_telling"), (request.definition.name, request.args, request.options, request.keys)


def one_new(request: Request, *, notify: bool) -> Statement:
    """The same where the task may not be in the catalogue yet."""
    rest = introduction(request.definition)[1:]
    return query("submit_new"), (request.definition.name, request.args, request.options, notify, *rest, request.keys)


def several(requests: Sequence[Request]) -> Statement:
    """Enqueues all of them or none. Their nodes are to be told after the commit."""
    return query("submit_all"), (
        [request.definition.name for request in requests],
        [request.options for request in requests],
        [len(request.args) for request in requests],
        [args for request in requests for args in request.args],
        _all_keys(requests),
    )


def _all_keys(requests: Sequence[Request]) -> list[str | None] | None:
    if all(request.keys is None for request in requests):
        return None
    keys: list[str | None] = []
    for request in requests:
        keys += [None] * len(request.args) if request.keys is None else request.keys
    return keys


def introduction(definition: Definition) -> tuple[str, str, int, str, str | None]:
    """What the catalogue holds of a task that no node has registered: name, queue, priority, defaults, limits."""
    said = definition.catalogue()
    limits = None if said["limits"] is None else codec.encode(said["limits"])
    return definition.name, definition.queue, definition.priority, codec.encode(said["defaults"]), limits


def answer(row: Iterable[Any] | None) -> Submitted:
    """The row that a statement answered."""
    assert row is not None
    return Submitted(*row)


def enqueuing(requests: Sequence[Request]) -> AbstractContextManager[None]:
    """Around the statement that enqueues them: it is measured, if anybody wants to know."""
    found = instruments()
    if found is None:
        return nullcontext()
    runs = Counter[tuple[str, str]]()
    for request in requests:
        runs[request.queue, request.definition.name] += len(request.args)
    return found.enqueuing(runs)


@contextmanager
def refusals(name: str) -> Generator[None, None, None]:
    """Inside of the block a refusal by Postgres, through whatever driver, becomes one of ours that says what to do about it."""
    try:
        yield
    except Exception as error:
        ours = _refusal(name, error)
        if ours is None:
            raise
        raise ours from error


def _refusal(name: str, error: BaseException) -> HowdahError | None:
    state = next(_sqlstates(error), "")
    if state in _ABSENT:
        return ConfigurationError(NO_SCHEMA)
    if state.startswith("22"):
        return ArgumentsInvalid(f"Postgres refused to enqueue {name!r}: {error}")
    return None


def _sqlstates(error: BaseException) -> Iterator[str]:
    """Of asyncpg and psycopg, of what SQLAlchemy has wrapped as `orig`, and of what Django has raised from."""
    inner: BaseException | None = error
    while inner is not None:
        state = getattr(inner, "sqlstate", None)
        if isinstance(state, str):
            yield state
        orig = getattr(inner, "orig", None)
        inner = orig if isinstance(orig, BaseException) else inner.__cause__
