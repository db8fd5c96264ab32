"""The app: it registers tasks, is a client, and runs nodes. Constructing one does no I/O."""

import asyncio
import importlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, overload

import anyio
import anyio.abc

from .client import Client
from .config import Config, configure
from .core.retry import Retry
from .db.migrate import check
from .definitions import Defaults, Definition, Middleware, Registry, policy
from .duration import Duration
from .errors import ConfigurationError, HowdahError
from .node import Node
from .tasks import AsyncTask, Decorator, SyncTask, Task

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=Middleware)


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
    ) -> Decorator: ...
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
    ) -> Task[..., Any] | Decorator:
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

        return Decorator(make) if function is None else make(function)

    def middleware(self, function: M) -> M:
        """Wraps each attempt: an async generator function without parameters that yields once, which gives what the task's
        function returned, or raises what it raised. The first one defined is the outermost. current_run() tells the run.
        An exception passes through: one that a middleware does not raise again fails the attempt all the same.
        """
        self.registry.surround(function)
        return function

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
