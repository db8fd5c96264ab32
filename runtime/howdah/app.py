"""The app: it registers tasks, is a client, and runs nodes. Constructing one does no I/O.

A Task keeps the signature of its function: type checkers see what may be enqueued and what comes back.
"""

import asyncio
import importlib
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Generic, Literal, ParamSpec, Self, TypeVar, overload

import anyio
import anyio.abc
import msgspec

from . import codec
from .client import CallsFailed, Client, Request, chunked, chunked_as_they_come
from .config import Config, configure
from .core.retry import Retry
from .core.states import Kind, State
from .db.migrate import check
from .duration import Duration, seconds
from .errors import ArgumentsInvalid, ConfigurationError, HowdahError, RunCancelled, RunExpired, RunFailed
from .messages import Ended
from .node import Node
from .tasks import Defaults, Definition, Registry, check_name, policy

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Cancellation = Literal["cancelled", "requested", "ended", "unknown"]


class Run(Generic[R_co]):
    """One request to execute a task. `id` is a positive integer below 2**53; runs sort by it."""

    def __init__(self, run_id: int, definition: Definition, client: Client) -> None:
        self.id = run_id
        self.task = definition.name
        self._definition = definition
        self._client = client

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.task}>"

    async def result(self, timeout: Duration | None = None) -> R_co:  # noqa: ASYNC109 - the caller's own limit, as asyncio.timeout
        """What the function returned, as soon as it is durable; at once if the run has ended already.

        Raises RunFailed, RunCancelled or RunExpired; TimeoutError after the caller's own timeout.
        """
        self._client.check_open()
        async with asyncio.timeout(None if timeout is None else seconds(timeout)):
            ended = await self._client.results.wait(self.id)
        return self._read(ended)

    async def status(self) -> State:
        """Where the run is now. HowdahError: there is no such run, or its history has been dropped."""
        state = await self._client.state(self.id)
        if state is None:
            raise HowdahError(_no_run(self.id))
        return state

    async def cancel(self, reason: str | None = None) -> Cancellation:
        """Cancels the run. cancelled: it had not started and never will. requested: it runs, and was asked to stop.
        ended: it had ended before. unknown: there is no such run."""
        answers = await self._client.cancel([self.id], reason)
        return answers.get(self.id, "unknown")  # type: ignore[return-value] # the words of functions/cancel.sql

    def _read(self, ended: Ended) -> R_co:
        if not ended.known:
            raise HowdahError(_no_run(self.id))
        name = self.task
        match ended.kind:
            case Kind.SUCCEEDED:
                data = "null" if ended.data is None else ended.data
                try:
                    return self._definition.result_decoder.decode(data)
                except (msgspec.MsgspecError, TypeError) as error:
                    raise HowdahError(
                        f"the result of run {self.id} is not what {name!r} says it returns: {error}. The run has succeeded; mend the"
                        " annotation, or what the function returns (json has no NaN and no infinity: they are stored as null)."
                    ) from error
            case Kind.CANCELLED | Kind.STOPPED:
                reason = ended.reason()
                raise RunCancelled(
                    f"run {self.id} of {name} was cancelled" + (f": {reason}" if reason else ""),
                    run_id=self.id, task=name, state=State.CANCELLED, reason=reason,
                )  # fmt: skip
            case Kind.EXPIRED:
                raise RunExpired(
                    f"run {self.id} of {name} expired: nobody started it in time", run_id=self.id, task=name, state=State.EXPIRED
                )
            case _:
                said = ended.failure()
                raise RunFailed(
                    run_id=self.id, task=name, state=State.FAILED, attempt=ended.attempt or 0, error_type=said.type,
                    message=said.message, traceback=said.traceback, bases=said.bases,
                )  # fmt: skip


def _no_run(run_id: int) -> str:
    return f"there is no run {run_id}: its transaction has not committed or was rolled back, or its history has been dropped"


class Call(msgspec.Struct, frozen=True):
    """A task with its arguments, for enqueue_many. Made by task.call(...), which checks them."""

    definition: Definition
    args: str


class Task(Generic[P, R]):
    """A durable function. Calling it runs it here and now, without a queue; enqueue() hands it to the workers."""

    def __init__(self, definition: Definition, app: "App", options: Mapping[str, Any]) -> None:
        self.definition = definition
        self.name = definition.name
        self._app = app
        self._given = options
        self._conn = options.get("conn")
        stored = {name: value for name, value in options.items() if name != "conn"}
        self._options = codec.encode(stored) if stored else None

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    async def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Run[R]:
        """Enqueues one run, durably, or in your transaction with options(conn=). ArgumentsInvalid: they do not fit."""
        client = self._app.client
        payload = self.definition.encode(args, kwargs, client.config.payload_max)
        ids = await client.enqueue(Request(self.definition, [payload], self._options), self._conn)
        return Run(ids[0], self.definition, client)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        """The task with these arguments, checked, for enqueue_many."""
        return Call(self.definition, self.definition.encode(args, kwargs, self._app.client.config.payload_max))

    async def enqueue_many(self, calls: Iterable[Call] | AsyncIterable[Call]) -> list[Run[R]]:
        """Enqueues calls of this task in one transaction, whatever their number, and returns the runs in their order.
        Memory holds one chunk of arguments and the runs."""
        client = self._app.client
        try:
            ids = await client.enqueue_many(self._requests(calls), self._conn)
        except CallsFailed as failed:
            raise failed.error from failed.error.__cause__
        return [Run(number, self.definition, client) for number in ids]

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
        conn: object = None,
    ) -> Self:
        """The task with these options for enqueue.

        delay: start no sooner than this from now. at: start no sooner than this (with a time zone). priority: higher first,
        default 0. expires: give up if nobody has started it this long after it was ready. timeout: of each attempt.
        retry: attempts in all, or a Retry. conn: an asyncpg connection; the run appears when its transaction commits.
        """
        if at is not None and at.tzinfo is None:
            raise ConfigurationError(f"at={at!r} has no time zone, so it names no instant: use datetime.now(UTC) and the like")
        if priority is not None and not -32767 <= priority <= 32767:
            raise ConfigurationError(f"priority={priority} is out of range: it is from -32767 to 32767")
        if timeout is not None and seconds(timeout) == 0:
            raise ConfigurationError("timeout=0 would end each attempt at its start; a timeout is positive")
        if queue is not None:
            check_name("queue", queue)
        if isinstance(tags, str):
            raise ConfigurationError(f"tags={tags!r} is one text: pass a list, as in tags=[{tags!r}]")
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
            "conn": conn,
        }
        said = {name: value for name, value in given.items() if value is not None}
        return type(self)(self.definition, self._app, {**self._given, **said})

    def attach(self, run_id: int) -> Run[R]:
        """A run of this task that was enqueued earlier, perhaps by another process."""
        if not isinstance(run_id, int) or not 0 < run_id < 2**53:  # pyright: ignore[reportUnnecessaryIsInstance] - ids come from outside
            raise ArgumentsInvalid(f"{run_id!r} is not the id of a run: pass what run.id was")
        return Run(run_id, self.definition, self._app.client)

    async def _requests(self, calls: Iterable[Call] | AsyncIterable[Call]) -> AsyncGenerator[Request, None]:
        config = self._app.client.config
        most = config.enqueue_chunk, config.enqueue_chunk_characters
        try:
            if isinstance(calls, AsyncIterable):
                async for chunk in chunked_as_they_come((self._payload(call) async for call in calls), *most):
                    yield Request(self.definition, chunk, self._options)
            else:
                for chunk in chunked(map(self._payload, calls), *most):
                    yield Request(self.definition, chunk, self._options)
        except Exception as error:
            raise CallsFailed(error) from error

    def _payload(self, call: Call) -> str:
        if not isinstance(call, Call):  # pyright: ignore[reportUnnecessaryIsInstance] - the mistake is an easy one
            raise ArgumentsInvalid(f"enqueue_many of {self.name!r} was given {call!r}: pass calls, as in {self.name}.call(...)")
        if call.definition is not self.definition:
            raise ArgumentsInvalid(f"enqueue_many of {self.name!r} was given a call of {call.definition.name!r}")
        return call.args


class AsyncTask(Task[P, R]):
    """A task of an async function."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Runs the function here and now."""
        return self.definition.function(*args, **kwargs)


class SyncTask(Task[P, R]):
    """A task of a plain function, which runs in a thread."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs the function here and now."""
        return self.definition.function(*args, **kwargs)


class _Decorator:
    """@jobs.task(...): keeps the function's signature."""

    def __init__(self, make: Callable[[Callable[..., Any]], Task[..., Any]]) -> None:
        self._make = make

    @overload
    def __call__(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload] - the first that fits wins
        self, function: Callable[P, Coroutine[Any, Any, R]]
    ) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R]) -> SyncTask[P, R]: ...
    def __call__(self, function: Callable[..., Any]) -> Task[..., Any]:
        return self._make(function)


class App:
    """Tasks, a client for them, and nodes that run them.

    dsn: where Postgres is; default HOWDAH_DSN. imports: modules with tasks, imported before a worker starts.
    defaults: policy of tasks that say nothing themselves. settings: any field of howdah.config.Config, or HOWDAH_*.
    """

    def __init__(self, dsn: str | None = None, *, imports: Sequence[str] = (), defaults: Defaults | None = None, **settings: Any) -> None:
        self.config: Config = configure({"dsn": dsn, **settings})
        self.registry = Registry()
        self.client = Client(self.config)
        self._imports = imports
        self._defaults = defaults or Defaults()
        self._users = 0
        self._door = anyio.Lock()
        self._inside: defaultdict[asyncio.Task[Any] | None, list[anyio.abc.TaskGroup]] = defaultdict(list)

    @overload
    def task(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload] - the first that fits wins
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> SyncTask[P, R]: ...
    @overload
    def task(
        self,
        /,
        *,
        name: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        retry: Retry | int | None = None,
        timeout: Duration | None = None,
    ) -> _Decorator: ...
    def task(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        retry: Retry | int | None = None,
        timeout: Duration | None = None,
    ) -> Task[..., Any] | _Decorator:
        """Makes a function a task. Async functions run in the event loop, plain ones in threads.

        name: default the function's. queue: default "default". priority: higher first. retry: attempts in all, or a Retry
        (default 3, with full jitter). timeout: of each attempt (default 15 minutes).
        """

        def make(function: Callable[..., Any]) -> Task[..., Any]:
            said = self._defaults
            definition = Definition(
                function,
                name=name,
                queue=queue or said.queue,
                priority=said.priority if priority is None else priority,
                policy=policy(retry, timeout, said, self.config.default_timeout_s),
            )
            self.registry.add(definition)
            return (AsyncTask if definition.is_async else SyncTask)(definition, self, {})

        return _Decorator(make) if function is None else make(function)

    def load(self) -> None:
        """Imports the modules given as imports=, so that their tasks are known."""
        for module in self._imports:
            importlib.import_module(module)

    async def __aenter__(self) -> Self:
        """Opens the app as a client: a pool, and a connection for results at the first one awaited.
        Any number of blocks, in any tasks, share them."""
        async with self._door:
            if not self._users:
                await self._open()
            self._users += 1
        # Each block offers to serve results, and one of them does: it may leave in any order.
        group = anyio.create_task_group()
        await group.__aenter__()
        group.start_soon(self.client.results.serve)
        self._inside[asyncio.current_task()].append(group)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Closes it when the last user leaves."""
        task = asyncio.current_task()
        if not self._inside[task]:
            raise HowdahError("`async with jobs:` was left by another task than the one that entered it")
        group = self._inside[task].pop()
        if not self._inside[task]:
            del self._inside[task]
        self._users -= 1
        if not self._users:
            await self.client.close()
        group.cancel_scope.cancel()
        await group.__aexit__(None, None, None)

    @asynccontextmanager
    async def work(self, *, queues: Sequence[str] | None = None) -> AsyncGenerator[Node, None]:
        """Runs a node inside this process: its tasks are executed here until the block ends, then it drains.

        queues: the queues to serve; default all of them.
        """
        if isinstance(queues, str):
            raise ConfigurationError(f"queues={queues!r} is one text: pass a list, as in queues=[{queues!r}]")
        self.load()
        if not len(self.registry):
            raise ConfigurationError(
                "this app has no tasks to work on: decorate functions with @jobs.task, or name their modules in imports="
            )
        failure: BaseException | None = None
        async with self, anyio.create_task_group() as group:
            node = Node(self.config, self.registry, self.client.pool, self.client.nearby, queues)
            try:
                await group.start(node.run)
                self.client.know(self.registry)
                yield node
            except BaseException as error:  # noqa: BLE001 - raised again below, bare: the block's error is not a group
                failure = error
            if node.started:
                node.stop()
                with anyio.CancelScope(shield=True):
                    await node.stopped.wait()
        if failure is not None:
            raise failure

    async def _open(self) -> None:
        await self.client.open()
        try:
            async with self.client.pool.ours() as connection:
                await check(connection)
        except BaseException:
            await self.client.close()
            raise
