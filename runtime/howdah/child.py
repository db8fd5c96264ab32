"""The main of a child process: it makes attempts of one task, as the node that started it says, until that node ends.

A child is a room with one slot: dependencies, middleware, logs and verdicts are those of every other executor. What is
different is where runs come from and outcomes go: the node's socket instead of Postgres.
"""

import asyncio
import contextlib
import faulthandler
import fcntl
import functools
import importlib
import logging
import math
import multiprocessing.spawn
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import AsyncGenerator, Callable, Sequence
from time import monotonic
from types import FrameType
from typing import Any, NoReturn
from uuid import UUID

import anyio
import msgspec

from .actors.lane import Lane, Sizes, Surroundings
from .actors.room import Room
from .actors.stock import NodeStock
from .actors.threads import Threads
from .app import App
from .context import CURRENT, CurrentNode, CurrentRun, Home
from .core.retry import Retry
from .definitions import Definition, Middleware
from .errors import ConfigurationError, HowdahError
from .labels import FarLabels
from .logs import captured
from .mailbox import Mailbox
from .messages import Extended, Limited, Outcome, Reported, Standing
from .policy import Policy
from .process import place
from .process.wire import Address, Broken, Ended, FromChild, Hello, Leave, Ready, Start, ToChild, framed, heard
from .progress import Board, Reporter
from .registrar import Tasks
from .tasks import Task
from .tracing import Inherited

try:
    from uvloop import new_event_loop
except ImportError:  # On PyPy there is none.
    from asyncio import new_event_loop

_PAUSE_S = 0.1
"""Between reports of progress: a function may make a million of them."""
_WHY_MAX = 20_000
"""Characters of the error of an import."""


def main(socket_fd: int, rope_fd: int, faults_fd: int) -> None:
    """The whole life of a child. The descriptors are its node's socket, its end of the rope, and a file for what kills it."""
    place.enter_child()
    faulthandler.enable(faults_fd)
    _hold_on(rope_fd)
    for number in (signal.SIGINT, signal.SIGTERM):
        # The node is told as well, and says what becomes of us. A handler, since what we start would inherit SIG_IGN.
        signal.signal(number, _leave_it_to_the_node)
    node = Node(socket.socket(fileno=socket_fd))
    hello = node.hear()
    assert isinstance(hello, Hello)
    with contextlib.ExitStack() as around:
        try:
            if hello.scopes:
                _show_logs(hello.log_level)  # As in the node's process: what takes logs to somewhere else comes after that.
            for scope, word in hello.scopes:
                around.enter_context(_imported(scope)(word))
            definition, middlewares = _found(hello.address)
            definition.hash = hello.hash
            definition.policy = Policy(Retry(**hello.retry), hello.timeout_s)  # type: ignore[arg-type] # as Retry.stored() said it
            _show_logs(hello.log_level)
            attempts = Attempts(node, definition, middlewares, hello)
        except BaseException as error:  # noqa: BLE001 - an import is user code
            node.send(Broken(_told(error)))
            return
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(attempts.work())


class Node:
    """The node, as its child sees it."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._turn = threading.Lock()

    def hear(self) -> ToChild:
        """The next message, waited for. There is none when the node is gone, and so are we then."""
        message = heard(self._socket)
        if message is None:
            os.killpg(0, signal.SIGKILL)
            raise SystemExit
        return message

    def send(self, message: FromChild) -> None:
        """From any thread. Waits until the node takes it."""
        with self._turn, contextlib.suppress(ConnectionError):
            self._socket.sendall(framed(message))


class FarBoard(Board):
    """Progress on its way to the node: the latest, ten times a second. Deadlines are told at once."""

    def __init__(self, node: Node) -> None:
        super().__init__(self._come_back)
        self._node = node
        self._sent = 0.0
        self.loop: asyncio.AbstractEventLoop | None = None

    def post(self, reporter: Reporter, value: str) -> None:
        """From any thread."""
        super().post(reporter, value)
        if monotonic() - self._sent >= _PAUSE_S:
            self.flush()

    def moved(self, deadline: float) -> None:
        """From any thread."""
        self._node.send(Extended(deadline))

    def flush(self) -> None:
        """Tells the node what it has not heard yet."""
        self._sent = monotonic()
        for value in self.take().values():
            self._node.send(Reported(value))

    def _come_back(self) -> None:
        """There is something new. What is not sent now is sent later, unless more comes first."""
        if self.loop is not None and monotonic() - self._sent < _PAUSE_S:
            self.loop.call_soon_threadsafe(self.loop.call_later, _PAUSE_S, self.flush)


class Attempts:
    """One task in this process: a room with one slot and one lane."""

    def __init__(self, node: Node, definition: Definition, middlewares: Sequence[Middleware], hello: Hello) -> None:
        config = hello.config
        self._node = node
        # One outcome at a time: the node asks for the next attempt when it has had it.
        self._ledger = Mailbox[Outcome](1)
        self._standing: Standing | None = None
        self._stock = NodeStock()
        self._slice_s = config.slice_s
        self._tracing = Inherited()
        sizes, around = Sizes(config.payload_max, config.error_max), Surroundings(middlewares, self._stock)
        self._board = FarBoard(node)
        self._home = Home(_refuse_transaction, self._board, UUID(int=0), config.dsn, CurrentNode("", FarLabels({})))
        self._lane = Lane(definition, self._home, sizes, around, None if definition.is_async else Threads(1))
        self._lane.rates = hello.rates
        self._logs = captured(functools.partial(CURRENT.get, None), config.log_level, config.log_max)

    async def work(self) -> None:
        """Makes attempts until the node says that it is enough."""
        lanes = dict[int, Lane]()
        room = Room("process", 1, lanes, self._ledger, lambda: self._standing, slice_s=self._slice_s, tracing=self._tracing)

        def obey(message: ToChild) -> None:
            match message:
                case Start(claimed, offset_s, installation, trace, name, labels):
                    self._tracing.follow(trace)
                    node = CurrentNode(name, FarLabels(labels))
                    self._lane.home = msgspec.structs.replace(self._home, installation=installation, node=node)
                    lanes[claimed.task] = self._lane
                    self._standing = Standing(claimed.node, math.inf, offset_s)
                    room.offer([claimed])
                case Leave() | Hello():
                    room.end()

        loop = self._board.loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop, obey), name="howdah-node", daemon=True).start()
        app = _app_of(self._lane.definition)
        if app is not None:
            app.client.opener = functools.partial(self._stock.make, functools.partial(_opened, app), {})
        self._node.send(Ready())
        with self._logs:
            await self._serve(room)

    async def _serve(self, room: Room) -> None:
        async with anyio.create_task_group() as group:
            self._stock.serve(group)
            group.start_soon(self._report, room)
            async with anyio.create_task_group() as slots:
                slots.start_soon(room.serve, room.slots[0], slots)
            await self._stock.close()
            self._ledger.close()

    async def _report(self, room: Room) -> None:
        while not self._ledger.ended:
            for outcome in await self._ledger.take(1):
                self._board.flush()
                if (limit := room.closings.pop((outcome.run, outcome.lease), None)) is not None:
                    self._node.send(Limited(limit))
                self._node.send(Ended(outcome))

    def _listen(self, loop: asyncio.AbstractEventLoop, obey: Callable[[ToChild], None]) -> None:
        with contextlib.suppress(RuntimeError):  # The loop has ended, and so has the process in a moment.
            while True:
                loop.call_soon_threadsafe(obey, self._node.hear())


def _refuse_transaction(run: CurrentRun) -> NoReturn:
    raise HowdahError(
        f"transaction() was called in the process of {run!r}, and its connection belongs to the node: leave isolation= out, or commit"
        " on a connection of your own and be ready to be run again"
    )


def _found(address: Address) -> tuple[Definition, list[Middleware]]:
    """The task and what stands around its attempts. Middleware first: where modules define some of it, that is its order."""
    sys.argv[:] = address.argv
    if address.main:
        multiprocessing.spawn.prepare(dict(address.main))
    middlewares = [_imported(middleware) for middleware in address.middlewares]
    found = _imported(address.function)
    if address.app is not None and _has_homeless(address.function):
        importlib.import_module(address.app)
    if isinstance(found, Task) and found.name == address.task:
        return found.definition, middlewares
    # The name stands for the bare function where the task was made of it elsewhere, or for another task of it.
    return Definition(found.definition.function if isinstance(found, Task) else found, name=address.task), middlewares


def _app_of(definition: Definition) -> App | None:
    """The app that has the task, where it stands in a module."""
    for module in list(sys.modules.values()):
        for value in list(getattr(module, "__dict__", {}).values()):
            if issubclass(type(value), App) and value.registry.get(definition.name) is definition:
                app: App = value
                return app
    return None


async def _opened(app: App) -> AsyncGenerator[None, None]:
    """The app as something that is made at its first use, and lives as long as this process: with one connection, since a
    child makes one attempt at a time, and a node may have as many children as the machine has cores."""
    app.client.pool.config = msgspec.structs.replace(app.client.config, pool_size=1)
    async with app:
        yield


def _imported(name: str) -> Any:
    module, _, attributes = name.partition(":")
    found: Any = importlib.import_module(module)
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            raise ConfigurationError(f"{module} was imported, and there is no {attributes!r} in it")
        found = getattr(found, attribute)
    return found


def _has_homeless(function: str) -> bool:
    """Whether its module collects tasks for an app that nobody has imported yet, so that they could not be enqueued."""
    module = sys.modules[function.partition(":")[0]]
    return any(isinstance(value, Tasks) and not value.included for value in vars(module).values())


def _told(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename and f.filename != __file__]
    text = "".join([*traceback.format_list(frames), *traceback.format_exception_only(error)])
    return text[-_WHY_MAX:].strip()


def _hold_on(rope_fd: int) -> None:
    """When the node ends, the kernel closes its end of the rope and tells our group so by SIGIO, which ends it. That
    needs nothing of us: a function in native code may hold the GIL for ever."""
    if sys.platform == "linux":
        fcntl.fcntl(rope_fd, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(rope_fd, fcntl.F_SETFL, fcntl.fcntl(rope_fd, fcntl.F_GETFL) | os.O_ASYNC)


def _show_logs(level: int) -> None:
    """On stderr, as the node does, unless the program has set logging up."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def _leave_it_to_the_node(_number: int, _frame: FrameType | None) -> None: ...
