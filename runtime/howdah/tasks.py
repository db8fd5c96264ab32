"""A task in the caller's hand: it keeps the signature of its function, so type checkers see what may be enqueued and what comes back."""

from collections.abc import AsyncGenerator, AsyncIterable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, Literal, NoReturn, ParamSpec, Self, TypeVar

import anyio
import msgspec

from . import codec
from .client import CallsFailed, Client, chunked, chunked_as_they_come
from .context import CURRENT, BatchAttempt
from .core.retry import Retry
from .debounce import Debounce, debounce_of
from .definitions import Definition
from .demands import Demands
from .duration import Duration, seconds
from .errors import ArgumentsInvalid, ConfigurationError
from .limits import Given
from .placement import Preferred, Required, Sticky, stated
from .policy import check_choice, check_metadata, check_name
from .portal import refuse_on_loop
from .runs import Host, Run
from .submission import Made, Request
from .telemetry import origin
from .tracing import Sending, sending

P = ParamSpec("P")
R = TypeVar("R")


OnParentCancel = Literal["cancel", "keep"]

KEY_MAX = 500
"""Characters of a key: an entry of an index has at most a third of a page."""

KEYS = ("unique_key", "unique_args", "child", "debounce")
"""Options whose key somebody else may hold."""


class Call(msgspec.Struct, frozen=True):
    """A task with its arguments, for enqueue_many. Made by task.call(...), which checks them."""

    definition: Definition
    args: str
    keys: str | None = None


class Task(Generic[P, R]):
    """A durable function. Calling it runs it here and now, without a queue; enqueue() hands it to the workers."""

    def __init__(self, definition: Definition, host: Host, options: Mapping[str, Any]) -> None:
        self.definition = definition
        self.name = definition.name
        self._host = host
        self._given = options
        self._conn = options.get("conn")
        self._demands: Demands = options.get("demands", definition.demands)
        self._said = {name: value for name, value in options.items() if name not in {"conn", "demands"}}
        self._options = codec.encode(self._said) if self._said else None
        self._canonical = "unique_args" in self._said
        self._alone = definition.demands.debounce is not None or not self._said.keys().isdisjoint(KEYS)

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    async def enqueue(self, /, *args: P.args, **kwargs: P.kwargs) -> Run[R]:
        """Enqueues one run, durably, or in your transaction with options(conn=). ArgumentsInvalid: they do not fit."""
        client = self._host.client
        payload = self._encode(args, kwargs)
        keys = self._keys(payload)
        with self._sending() as span:
            made = await client.enqueue(Request(self.definition, [payload], self._asked(), self._alone, keys), self._conn)
            span.note(made.id, created=made.created)
        return self._run(made)

    def enqueue_sync(self, /, *args: P.args, **kwargs: P.kwargs) -> Run[R]:
        """The same for code that cannot await: a view, a thread, a script. With options(conn=) of a sync driver it uses only
        that connection; without, the open app of another thread, or a background thread of its own. HowdahError on a
        running event loop."""
        host, name = self._host, self.name
        call, instead = f"{name}.enqueue_sync", f"await {name}.enqueue(...) instead"
        refuse_on_loop(call, instead)
        payload = self._encode(args, kwargs)
        keys = self._keys(payload)
        with self._sending() as span:
            request = Request(self.definition, [payload], self._asked(), self._alone, keys)

            async def send(client: Client) -> Made:
                with anyio.CancelScope(shield=True):  # Not to be sent twice.
                    return await client.enqueue(request, None)
                raise AssertionError  # A scope may swallow what is raised in it, as type checkers see it.

            conn = self._conn
            made = host.portal.call(call, instead, send) if conn is None else host.client.enqueue_sync(request, conn)
            span.note(made.id, created=made.created)
        return self._run(made)

    def call(self, /, *args: P.args, **kwargs: P.kwargs) -> Call:
        """The task with these arguments, checked, for enqueue_many."""
        payload = self._encode(args, kwargs)
        return Call(self.definition, payload, self.definition.keys_of(payload))

    async def enqueue_many(self, calls: Iterable[Call] | AsyncIterable[Call]) -> list[Run[R]]:
        """Enqueues calls of this task in one transaction, whatever their number, and returns the runs in their order.
        Memory holds one chunk of arguments and the runs."""
        client = self._host.client
        if "child" in self._said:
            raise ConfigurationError(
                f"child={self._said['child']!r} is the key of one run, and enqueue_many of {self.name!r} makes several: enqueue them"
                " one by one, each with a key of its own"
            )
        definition, host = self.definition, self._host
        runs: list[Run[R]] = []
        with self._sending() as span:
            try:
                submitted = await client.enqueue_many(definition, self._requests(calls, self._asked(batch=True)), self._conn)
            except CallsFailed as failed:
                raise failed.error from failed.error.__cause__
            span.note_batch(sum(len(each.ids) for each in submitted))
        for each in submitted:
            if each.created is None:  # Written out: a call for each run costs a tenth of what it takes to enqueue it.
                runs += [Run(number, definition, host, created=True) for number in each.ids]
            else:
                runs += map(self._run, each.made())
        return runs

    def options(
        self,
        *,
        delay: Duration | None = None,
        at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        expires: Duration | None = None,
        timeout: Duration | None = None,
        retry: Retry | int | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, str] | None = None,
        unique: bool | str | None = None,
        unique_for: Duration | None = None,
        child: str | None = None,
        on_parent_cancel: OnParentCancel | None = None,
        debounce: Debounce | Duration | None = None,
        requires: Mapping[str, Required] | None = None,
        prefers: Mapping[str, Preferred] | None = None,
        prefer_for: Duration | None = None,
        sticky: Sticky | None = None,
        keys: Mapping[str, Given] | None = None,
        conn: object = None,
    ) -> Self:
        """The task with these options for enqueue.

        delay: start no sooner than this from now. at: start no sooner than this (with a time zone). priority: higher first,
        default 0. expires: give up if nobody has started it this long after it was ready. timeout: of each attempt. retry:
        attempts in all, or a Retry. unique: a key, or True for task and arguments: while a run holds it, that run is
        returned and none is made (run.created). unique_for: the key is held for this time, whatever the run does; default
        until the run ends; a retry of that run does not take it again. child: a key, once per parent run, however often
        that is retried. on_parent_cancel: "cancel" (default) or "keep" this run when its parent is cancelled. debounce: start
        so long after the last enqueue of its kind, with what that one gave: a Debounce, or a duration that takes the place of the
        task's own and leaves the rest of it. requires, prefers, prefer_for, sticky: which nodes may run it, and which best, each in
        the place of what the task says. keys: for limits whose key is a function, by their names: a key, or another function of the
        arguments. conn: a connection of asyncpg, psycopg or Django, or a connection or session of SQLAlchemy; the run appears when
        its transaction commits.
        """
        _check_start(at, priority, timeout, queue)
        if on_parent_cancel is not None:
            check_choice("on_parent_cancel", on_parent_cancel, ("cancel", "keep"))
        if isinstance(tags, str):
            raise ConfigurationError(f"tags={tags!r} is one text: pass a list, as in tags=[{tags!r}]")
        if metadata is not None:
            check_metadata(metadata)
        given: dict[str, Any] = {
            "delay": None if delay is None else seconds(delay),
            "at": None if at is None else at.astimezone(UTC).isoformat(),
            "priority": priority,
            "queue": queue,
            "expires": None if expires is None else seconds(expires),
            "timeout": None if timeout is None else seconds(timeout),
            "retry": None if retry is None else (Retry(retry) if isinstance(retry, int) else retry).stored(),
            "tags": None if tags is None else list(tags),
            "metadata": None if metadata is None else dict(metadata),
            **_keys(unique=unique, unique_for=unique_for, child=child),
            "on_parent_cancel": on_parent_cancel,
            **stated(f"a call of {self.name!r}", requires=requires, prefers=prefers, prefer_for=prefer_for, sticky=sticky),
            "conn": conn,
            **self._demanded(keys, debounce),
        }
        said = {name: value for name, value in given.items() if value is not None}
        merged = {**self._given, **said}
        if "child" in merged and not merged.keys().isdisjoint(("unique_key", "unique_args")):
            raise ConfigurationError(
                "child= and unique= are two keys for one run: child= is unique within its parent, so leave the other out"
            )
        self._check_debounce(merged)
        return type(self)(self.definition, self._host, merged)

    def _demanded(self, keys: Mapping[str, Given] | None, debounce: Debounce | Duration | None) -> dict[str, Any]:
        """The options that say what runs demand of limits, and how they are debounced."""
        demands = self._demands if keys is None else self._demands.given(keys, elsewhere=self.definition.stub)
        own = {} if keys is None else {"demands": demands}
        if debounce is None:
            return own
        if isinstance(debounce, Debounce):
            demands, said = self.definition.debounced(debounce, demands)
            return {"demands": demands, "debounce": said}
        short = debounce_of(debounce)
        assert short is not None, "it is a duration"
        return own | {"debounce": {**self._said.get("debounce", {}), **short.terms()}}

    def _check_debounce(self, merged: Mapping[str, Any]) -> None:
        if "debounce" not in merged and self.definition.demands.debounce is None:
            return
        other = next((word for word in ("delay", "at", "unique_key", "unique_args", "child") if word in merged), None)
        if other is not None:
            raise ConfigurationError(
                f"runs of {self.name!r} are debounced, which says when they start and that one of a kind waits:"
                f" leave {other.partition('_')[0]}= out"
            )

    def attach(self, run_id: int) -> Run[R]:
        """A run of this task that was enqueued earlier, perhaps by another process."""
        if not isinstance(run_id, int) or not 0 < run_id < 2**53:  # pyright: ignore[reportUnnecessaryIsInstance] - ids come from outside
            raise ArgumentsInvalid(f"{run_id!r} is not the id of a run: pass what run.id was")
        return Run(run_id, self.definition, self._host)

    def _encode(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        payload = self.definition.encode(args, kwargs, self._host.client.config.payload_max)
        return self.definition.canonical(payload) if self._canonical else payload

    def _keys(self, payload: str) -> list[str] | None:
        """What the task's limits say of one run."""
        demands = self._demands
        return [demands.keys(*self.definition.decode(payload))] if demands.asked else None

    def _run(self, made: Made) -> Run[R]:
        return Run(made.id, self.definition, self._host, created=made.created)

    def _sending(self) -> Sending:
        return sending(self._host.client.config, self.definition, self._said.get("queue"))

    def _asked(self, *, batch: bool = False) -> str | None:
        """The options of an enqueue here and now: a run and a span that it happens in go along."""
        run, trace = CURRENT.get(None), origin(apart=batch)
        if isinstance(run, BatchAttempt) or (run is not None and run.home.dsn != self._host.client.config.dsn):
            run = None  # A run of another database is nobody's parent here, and of those of a batch none is.
        if run is None and "child" in self._said:
            raise ConfigurationError(
                f"{self.name!r} was enqueued with child={self._said['child']!r} outside of a run: child= is a key within the run"
                " that enqueues; use unique= here"
            )
        if run is None and trace is None:
            return self._options
        around: dict[str, Any] = {} if run is None else {"parent": run.id, "node": run.claimed.node}
        if trace is not None:
            around["trace"] = trace
        return codec.encode({**self._said, **around})

    async def _requests(self, calls: Iterable[Call] | AsyncIterable[Call], options: str | None) -> AsyncGenerator[Request, None]:
        config = self._host.client.config
        most = config.enqueue_chunk, config.enqueue_chunk_characters
        keys: list[str] = []  # Of the chunk that is being filled.
        payload = partial(self._keyed_payload, keys) if self._demands.asked else self._payload
        try:
            if isinstance(calls, AsyncIterable):
                async for chunk in chunked_as_they_come((payload(call) async for call in calls), *most):
                    yield Request(self.definition, chunk, options, keys=_emptied(keys))
            else:
                for chunk in chunked(map(payload, calls), *most):
                    yield Request(self.definition, chunk, options, keys=_emptied(keys))
        except Exception as error:
            raise CallsFailed(error) from error

    def _payload(self, call: Call) -> str:
        if not isinstance(call, Call):  # pyright: ignore[reportUnnecessaryIsInstance] - the mistake is an easy one
            raise ArgumentsInvalid(f"enqueue_many of {self.name!r} was given {call!r}: pass calls, as in {self.name}.call(...)")
        if call.definition is not self.definition:
            raise ArgumentsInvalid(f"enqueue_many of {self.name!r} was given a call of {call.definition.name!r}")
        return self.definition.canonical(call.args) if self._canonical else call.args

    def _keyed_payload(self, keys: list[str], call: Call) -> str:
        """The same, and notes what the task's limits say of it."""
        payload = self._payload(call)
        if self._demands is self.definition.demands:
            assert call.keys is not None, "a call of a task with such limits was made with them"
            keys.append(call.keys)
        else:
            keys.append(self._demands.keys(*self.definition.decode(payload)))
        return payload


def _check_start(at: datetime | None, priority: int | None, timeout: Duration | None, queue: str | None) -> None:
    """ConfigurationError: no run could start so."""
    if at is not None and at.tzinfo is None:
        raise ConfigurationError(f"at={at!r} has no time zone, so it names no instant: use datetime.now(UTC) and the like")
    if priority is not None and not -32767 <= priority <= 32767:
        raise ConfigurationError(f"priority={priority} is out of range: it is from -32767 to 32767")
    if timeout is not None and seconds(timeout) == 0:
        raise ConfigurationError("timeout=0 would end each attempt at its start; a timeout is positive")
    if queue is not None:
        check_name("queue", queue)


def _emptied(keys: list[str]) -> list[str] | None:
    """What the list held, if anything."""
    taken = keys[:]
    keys.clear()
    return taken or None


def _keys(*, unique: bool | str | None, unique_for: Duration | None, child: str | None) -> dict[str, Any]:
    """The options that make an enqueue happen once."""
    for word, key in (("unique", unique), ("child", child)):
        if isinstance(key, str) and (not 0 < len(key) <= KEY_MAX or "\0" in key):
            raise ConfigurationError(f"{word}={key[:40]!r} cannot be a key: it has {len(key)} characters of 1 to {KEY_MAX}, and no NUL")
    if unique_for is not None and not unique:
        raise ConfigurationError("unique_for= says how long a key is held: say which, with unique=True or unique='a key'")
    if unique_for is not None and seconds(unique_for) == 0:
        raise ConfigurationError("unique_for=0 would hold the key for no time; leave it out to hold the key until the run ends")
    return {
        "unique_args": True if unique is True else None,
        "unique_key": unique if isinstance(unique, str) else None,
        "unique_for": None if unique_for is None else seconds(unique_for),
        "child": child,
    }


class AsyncTask(Task[P, R]):
    """A task of an async function."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Runs the function here and now. ArgumentsInvalid: a dependency is missing, since no node is there to fill it."""
        if self.definition.plan:
            self.definition.check_call(args, kwargs)
        return self.definition.function(*args, **kwargs)


class SyncTask(Task[P, R]):
    """A task of a plain function, which runs in a thread."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs the function here and now. ArgumentsInvalid: a dependency is missing, since no node is there to fill it."""
        if self.definition.plan:
            self.definition.check_call(args, kwargs)
        return self.definition.function(*args, **kwargs)


class Stub(Task[P, R]):
    """A task that lives in another program: it can be enqueued and its results read, never run here."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> NoReturn:  # noqa: ARG002 - whatever it is called with
        """ConfigurationError: there is no function to run."""
        raise ConfigurationError(f"{self.name!r} is a stub, its function lives in another program: enqueue it instead of calling it")


def task_of(definition: Definition, host: Host) -> Task[Any, Any]:
    """The task that this definition makes."""
    if definition.stub:
        return Stub(definition, host, {})
    return AsyncTask(definition, host, {}) if definition.is_async else SyncTask(definition, host, {})
