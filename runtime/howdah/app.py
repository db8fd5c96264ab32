"""The app: it registers tasks, is a client, and runs nodes. Constructing one does no I/O."""

import asyncio
import importlib
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
import anyio.abc

from .client import Client
from .config import Config, configure
from .definitions import Definition, Middleware
from .errors import ConfigurationError, HowdahError
from .management.catalogue import Catalogue, Nodes, Queues
from .management.runs import Runs
from .node import Node
from .policy import SILENT, Defaults
from .portal import Portal
from .process.place import in_child
from .registrar import Registrar, Tasks

M = TypeVar("M", bound=Middleware)


class App(Registrar):
    """Tasks, a client for them, and nodes that run them.

    dsn: where Postgres is; default HOWDAH_DSN. imports: modules with tasks, imported before a worker starts.
    defaults: policy of tasks that say nothing themselves. settings: any field of howdah.config.Config, or HOWDAH_*.
    """

    def __init__(self, dsn: str | None = None, *, imports: Sequence[str] = (), defaults: Defaults | None = None, **settings: Any) -> None:
        super().__init__(defaults)
        self.config: Config = configure({"dsn": dsn, **settings})
        self._client = Client(self.config)
        self._portal = Portal(self.config)
        self.runs, self.tasks = Runs(self._client), Catalogue(self._client)
        self.queues, self.nodes = Queues(self._client), Nodes(self._client)
        if isinstance(imports, str):
            raise ConfigurationError(f"imports={imports!r} is one text: pass a list, as in imports=[{imports!r}]")
        self._imports = imports
        self._users = 0
        self._door = anyio.Lock()
        self._inside: defaultdict[asyncio.Task[Any] | None, list[tuple[anyio.abc.TaskGroup, AsyncExitStack]]] = defaultdict(list)

    @property
    def client(self) -> Client:
        """What the app does with its database."""
        return self._client

    @property
    def portal(self) -> Portal:
        """How threads reach it."""
        return self._portal

    def include(self, tasks: Tasks) -> None:
        """Adds the tasks of a Tasks(), which a module may define without knowing the app."""
        if not isinstance(tasks, Tasks):  # pyright: ignore[reportUnnecessaryIsInstance] - a module is easily taken for the Tasks in it
            raise ConfigurationError(f"jobs.include was given {tasks!r}: pass the Tasks() itself, as in jobs.include(shop.tasks.tasks)")
        tasks.join(self)

    def take(self, definition: Definition, nearer: Defaults = SILENT) -> None:
        """Takes a new task in. nearer: defaults that go before the app's."""
        definition.fill(nearer.over(self._defaults).over(Defaults(timeout=self.config.default_timeout_s)))
        self.registry.add(definition)

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
            try:
                importlib.import_module(module)
            except ModuleNotFoundError as error:
                if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                    raise
                raise ConfigurationError(f"imports= names {module!r}, and there is no module {error.name!r} on Python's path") from error

    async def __aenter__(self) -> Self:
        """Opens the app as a client: a pool, and a connection for results at the first one awaited.
        Any number of blocks, in any tasks, share them."""
        async with self._door:
            if not self._users:
                await self.client.open()
            self._users += 1
        # Each block offers to serve results, enqueues and threads, and one of them does: it may leave in any order.
        block = AsyncExitStack()
        group = await block.enter_async_context(anyio.create_task_group())
        group.start_soon(self.client.serve)
        await block.enter_async_context(self.portal.open(self.client))
        self._inside[asyncio.current_task()].append((group, block))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Closes it when the last user leaves."""
        task = asyncio.current_task()
        if not self._inside[task]:
            raise HowdahError("`async with jobs:` was left by another task than the one that entered it")
        group, block = self._inside[task].pop()
        if not self._inside[task]:
            del self._inside[task]
        self._users -= 1
        if not self._users:
            await self.client.close()
        group.cancel_scope.cancel()
        await block.aclose()

    @asynccontextmanager
    async def work(self, *, queues: Sequence[str] | None = None) -> AsyncGenerator[Node, None]:
        """Runs a node inside this process: its tasks are executed here until the block ends, then it drains.

        queues: the queues to serve; default all of them.
        """
        if isinstance(queues, str):
            raise ConfigurationError(f"queues={queues!r} is one text: pass a list, as in queues=[{queues!r}]")
        if in_child():
            raise HowdahError(
                "jobs.work() was called in a child process of a node, which imports this module for its tasks and starts nothing: put"
                ' what starts your program under `if __name__ == "__main__":`'
            )
        self.load()
        if not len(self.registry):
            raise ConfigurationError(
                "this app has no tasks to work on: decorate functions with @jobs.task, or name their modules in imports="
            )
        failure: BaseException | None = None
        async with self, anyio.create_task_group() as group:
            node = Node(self.config, self.registry, self.client.pool, self.client.nearby, queues, self._module())
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

    def _module(self) -> str | None:
        """The module at whose top level the app stands, the first that was imported of several. For child processes."""
        if all(definition.isolation is None for definition in self.registry):
            return None
        for name, module in list(sys.modules.items()):
            if any(value is self for value in list(getattr(module, "__dict__", {}).values())):
                return name
        return None
