"""The app: it registers tasks, is a client, and runs nodes. Constructing one does no I/O."""

import asyncio
import importlib
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
import anyio.abc
import msgspec

from .asgi import ASGIApp, Blocks, Lifespan, OwnLifespan, around, kept, lifespan_of
from .client import Client
from .config import Config, configure
from .definitions import Definition, Middleware
from .doctor import Examination, examine
from .duration import Duration, seconds
from .errors import ConfigurationError, HowdahError
from .management.catalogue import Catalogue, Nodes, Queues
from .management.glance import Glance, glance
from .management.limits import Limits
from .management.runs import Runs
from .node import Node
from .policy import SILENT, Defaults, ServedQueues, check_weight
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
        self.queues, self.nodes, self.limits = Queues(self._client), Nodes(self._client), Limits(self._client)
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
            self.client.check_here()
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

    async def glance(self, *, queues: int = 20, nodes: int = 20, runs: int = 20) -> Glance:
        """What goes on now: the busiest queues, nodes, and runs that are held, at most so many of each, and the sums over all. One
        statement, whose cost is that of what is pending: what `howdah top` asks each second. AppNotOpen, DatabaseAway."""
        return await glance(self._client, queues, nodes, runs)

    async def examine(self, *, older_than: Duration = "5m") -> Examination:
        """What is not as it should be with the server, the way to it, our tables, the nodes and this process, each with its mend: what
        `howdah doctor` prints. It only reads, on connections of its own: the app need not be open. older_than: from this age on
        transactions, pauses and the like are findings. DatabaseAway, ConfigurationError: the database cannot be reached."""
        return await examine(self.config, old_s=seconds(older_than))

    @contextmanager
    def redirected(self, dsn: str) -> Generator[None, None, None]:
        """Points the closed app to another database until the block ends: for tests. HowdahError: the app is open."""
        if self._users:
            raise HowdahError("the app is open and connected: point it to another database before `async with jobs:`")
        before = self.config
        self._point(msgspec.structs.replace(before, dsn=dsn, direct_dsn=None, pooler=None))
        try:
            yield
        finally:
            self._point(before)

    def _point(self, config: Config) -> None:
        self.config = config
        self._client.point(config)
        self._portal.point(config)

    def work(
        self, *, queues: Sequence[str] | Mapping[str, float] | None = None, stop: anyio.Event | None = None
    ) -> AbstractAsyncContextManager[Node]:
        """Runs a node inside this process: its tasks are executed here until the block ends, then it drains.

        queues: the queues to serve; default all of them. A list of names: the best priority of all goes first. With weights, as in
        queues={"mail": 10, "default": 1}, they take turns: while all of them have runs, ten of mail start for each one of default,
        priority counts within a queue, and what a queue leaves goes to the others. ConfigurationError: a weight is no positive number.
        stop: the node also drains when this is set; one that has not started by then, since Postgres lets nobody in, gives up: the
        block begins with a node that has stopped.
        """
        if isinstance(queues, str):
            raise ConfigurationError(f"queues={queues!r} is one text: pass a list, as in queues=[{queues!r}]")
        if isinstance(queues, Mapping):
            queues = dict(queues)
            for name, weight in queues.items():
                check_weight(name, weight)
        return self._work(queues, self.config, anyio.Event() if stop is None else stop)

    @property
    def lifespan(self) -> Lifespan:
        """A lifespan: with `FastAPI(lifespan=jobs.lifespan)` the server's process enqueues and works. So with Starlette;
        Litestar takes a list of them. It is that of lifespan_with(), which says more."""
        return self.lifespan_with()

    def lifespan_with(self, mine: OwnLifespan | None = None, *, work: bool = True, grace: Duration | None = None) -> Lifespan:
        """A lifespan around one of your own: yours may enqueue, and the tasks that run here may use what it opens, until the last of
        them has ended. The state that it yields is passed on, with this app as "howdah" in it.

        work: whether tasks are executed in this process, or only enqueued. grace: how long the end of it all takes at most, from when
        the server asks for it; default lifespan_grace_s, 8 s. Nothing is claimed from then on, what runs may end until hand_back_s (2 s)
        before that time, then it is cancelled and handed back; so it is also where the grace is shorter than that.
        """
        return lifespan_of(self._blocks(work=work, grace=grace), mine)

    def asgi(self, app: ASGIApp, *, work: bool = True, grace: Duration | None = None) -> ASGIApp:
        """Any ASGI app, Django's included, with the same around it: the one that is returned goes to the server. An app without
        a lifespan of its own needs none. Words as in lifespan_with().
        """
        return around(app, self._blocks(work=work, grace=grace))

    def _blocks(self, *, work: bool, grace: Duration | None) -> Blocks:
        """What a server opens. The grace is all there is: what handing back takes is a part of it."""
        given = None if grace is None else seconds(grace)
        self._client.unrun, self._client.unworked = True, work

        def client() -> AbstractAsyncContextManager[object]:
            self._client.unrun = self._client.unworked = False
            return self

        def node() -> AbstractAsyncContextManager[object]:
            if not work:
                return nullcontext()
            config = self.config
            running_s = max(0.0, (config.lifespan_grace_s if given is None else given) - config.hand_back_s)
            config = msgspec.structs.replace(config, grace_s=running_s, hard_grace_s=config.hand_back_s)
            return kept(lambda leave: self._work(None, config, leave))

        return Blocks(client, node, self._client.check_open, {"howdah": self})

    @asynccontextmanager
    async def _work(self, queues: ServedQueues, config: Config, stop: anyio.Event) -> AsyncGenerator[Node, None]:
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
            node = Node(config, self.registry, self.client.pool, self.client.nearby, queues, self._module())
            group.start_soon(_stop_when, stop, node)
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
            group.cancel_scope.cancel()
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


async def _stop_when(told: anyio.Event, node: Node) -> None:
    await told.wait()
    node.stop()
