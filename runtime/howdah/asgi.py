"""Inside an ASGI app: a lifespan for frameworks that take one, and a way around every other app.

Blocks are entered in the order of need: first the client, so that the user's own lifespan may enqueue; then that lifespan, since
tasks use what it opens; then the node, which has drained before any of it is closed. All of that is done by the one task in which
a server speaks the lifespan protocol. Nothing here installs a signal handler or chooses an event loop: those are the server's.
"""

import inspect
import logging
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, NamedTuple, Protocol, TypeAlias

import anyio
import anyio.abc

from .errors import ConfigurationError, DatabaseAway

log = logging.getLogger("howdah.asgi")

Block: TypeAlias = Callable[[], AbstractAsyncContextManager[object]]
"""Something that is open for as long as a server lives."""

ASGIApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application: (scope, receive, send). Frameworks type the three differently."""

OwnLifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]
"""A user's lifespan: called with the app, it gives what is entered, which may give a state for requests."""

RESTART_S = 1.0
"""Before a node takes the place of one that a bug has taken down: the bug may be there still."""


class Lifespan(Protocol):
    """A lifespan: FastAPI, Starlette and Litestar call it with the app; code of your own need not."""

    def __call__(self, app: Any = None, /) -> AbstractAsyncContextManager[dict[str, Any]]:
        """What is open while the server lives. Its state has the App as "howdah": request.state.howdah."""
        ...


class Blocks(NamedTuple):
    """What an app opens in a server."""

    client: Block
    node: Block
    """Opens nothing where the process does not work."""
    check: Callable[[], None]
    """AppNotOpen, unless the client is open."""
    state: Mapping[str, Any]
    """What requests are given of it."""


def lifespan_of(blocks: Blocks, mine: OwnLifespan | None) -> Lifespan:
    """A lifespan around the user's own. ConfigurationError: that one is none."""
    if mine is not None:
        _check_own(mine)

    @asynccontextmanager
    async def lifespan(app: Any = None, /) -> AsyncGenerator[dict[str, Any], None]:
        async with blocks.client(), nullcontext() if mine is None else mine(app) as theirs, blocks.node():
            yield {**blocks.state, **(theirs or {})}

    return lifespan


def around(app: ASGIApp, blocks: Blocks) -> ASGIApp:
    """The app, with ours in its lifespan; where it has none of its own, ours is all there is. Every other scope is passed on as it
    is, once ours is open. ConfigurationError: it is no ASGI app."""
    _check_app(app)

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _speak(app, blocks, scope, receive, send)
        else:
            blocks.check()
            await app(scope, receive, send)

    return outer


@asynccontextmanager
async def kept(node: Callable[[anyio.Event], AbstractAsyncContextManager[object]]) -> AsyncGenerator[None, None]:
    """A node until the block ends; and another one whenever a bug has taken it down. The process above, which would start a worker
    anew, cannot see that here: the server lives on. node: opens one, which is told to leave, perhaps before it has started."""

    async def keep(leave: anyio.Event, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        started = False
        while not leave.is_set():
            try:
                async with node(leave):
                    if not started:
                        started = True
                        task_status.started()
                    await leave.wait()
            except DatabaseAway as away:
                if not started:
                    raise
                log.warning("no node works in this server, since it cannot start: %s", away)
            except Exception:
                if not started:
                    raise
                log.exception("the node in this server was taken down, which is a bug; another one takes its place in %g s", RESTART_S)
            with anyio.move_on_after(RESTART_S):
                await leave.wait()

    async with _beside(keep):
        yield


class _Live(Protocol):
    def __call__(self, leave: anyio.Event, *, task_status: anyio.abc.TaskStatus[None]) -> Coroutine[Any, Any, None]: ...


@asynccontextmanager
async def _beside(live: _Live) -> AsyncGenerator[None, None]:
    """Something that lives in a task of its own until the block ends; it is told to leave, and may take its time. Errors of the block,
    and of its start, come out as they are and not as a group."""
    failure: BaseException | None = None
    leave = anyio.Event()
    async with anyio.create_task_group() as group:
        try:
            await group.start(live, leave)
            yield
        except BaseException as error:  # noqa: BLE001 - raised again below, bare
            failure = error
        leave.set()
    if failure is not None:
        raise failure


async def _speak(app: ASGIApp, blocks: Blocks, scope: Any, receive: Any, send: Any) -> None:
    """The lifespan protocol of one server, from its first message to the last."""
    inner = _Inner(app, scope)
    phase = "startup"
    try:
        await receive()
        if "state" in scope:
            scope["state"].update(blocks.state)
        async with blocks.client(), _beside(inner.live), blocks.node():
            await send({"type": "lifespan.startup.complete"})
            phase = "shutdown"
            await receive()
    except _Refused as refused:
        await send({"type": "lifespan.startup.failed", "message": str(refused)})
    except Exception:
        await send({"type": f"lifespan.{phase}.failed", "message": traceback.format_exc()})
        raise
    else:
        failed = inner.failed
        await send({"type": "lifespan.shutdown.complete"} if failed is None else {"type": "lifespan.shutdown.failed", "message": failed})


class _Refused(Exception):
    """The app inside says that it cannot start."""


class _Inner:
    """The lifespan of the app inside, if it has one. It is spoken to as its server would."""

    def __init__(self, app: ASGIApp, scope: Any) -> None:
        self.failed: str | None = None
        """What it says of its end, if that went wrong."""
        self._app = app
        self._scope = scope
        self._asked = 0
        self._leave = anyio.Event()
        self._answered = anyio.Event()
        self._ended = anyio.Event()
        self._refusal: str | None = None
        self._started = False

    async def live(self, leave: anyio.Event, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """From its start to its end. _Refused: it says that it cannot start."""
        self._leave = leave
        async with anyio.create_task_group() as group:
            group.start_soon(self._run)
            await self._answered.wait()
            if self._refusal is None:
                task_status.started()
                await leave.wait()
                await self._ended.wait()
            group.cancel_scope.cancel()
        if self._refusal is not None:
            raise _Refused(self._refusal)

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - user code: what it means is judged
            self._judge(error)
        finally:
            self._answered.set()
            self._ended.set()

    def _judge(self, error: Exception) -> None:
        """What it means that the app has raised. Before it has said anything: by the protocol, that it has no lifespan."""
        if self._started:
            log.error("the lifespan of the app inside jobs.asgi() has raised", exc_info=error)
            self.failed = self.failed or "".join(traceback.format_exception(error))
        elif self._asked and self._refusal is None:
            log.warning("the app inside jobs.asgi() has raised at lifespan.startup: it is taken for one without a lifespan", exc_info=error)

    async def _receive(self) -> dict[str, str]:
        self._asked += 1
        if self._asked == 1:
            return {"type": "lifespan.startup"}
        if self._asked > 2:  # There is no third message, and its task is cancelled at the end.
            await anyio.sleep_forever()
        await self._leave.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Mapping[str, Any]) -> None:
        match message["type"]:
            case "lifespan.startup.complete":
                self._started = True
                self._answered.set()
            case "lifespan.startup.failed":
                self._refusal = message.get("message", "")
                self._answered.set()
            case "lifespan.shutdown.failed":
                self.failed = message.get("message", "")
                self._ended.set()
            case _:
                self._ended.set()


def _check_own(mine: object) -> None:
    if inspect.isasyncgenfunction(mine) or inspect.isgeneratorfunction(mine):
        raise ConfigurationError(
            f"jobs.lifespan_with was given {mine!r}, a bare generator function: decorate it with @contextlib.asynccontextmanager"
        )
    if not callable(mine) or inspect.iscoroutinefunction(mine) or inspect.iscoroutinefunction(getattr(mine, "__call__", None)):  # noqa: B004
        raise ConfigurationError(
            f"jobs.lifespan_with was given {mine!r}, which is no lifespan: pass a function of the app that gives an async context"
            " manager, or nothing, as in FastAPI(lifespan=jobs.lifespan_with()). An app goes to jobs.asgi(app)"
        )


def _check_app(app: object) -> None:
    try:
        if callable(app):
            inspect.signature(app).bind(None, None, None)
            return
    except (TypeError, ValueError):
        pass
    raise ConfigurationError(
        f"jobs.asgi was given {app!r}, which is no ASGI app: it must take (scope, receive, send). Of Django take get_asgi_application();"
        " a WSGI app needs an adapter, such as a2wsgi.WSGIMiddleware"
    )
