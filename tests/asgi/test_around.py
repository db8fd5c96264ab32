"""What jobs.asgi() says to the server and to the app inside, whatever that one does with its lifespan."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import anyio
import pytest
from howdah import AppNotOpen, DatabaseAway
from howdah.asgi import Blocks, around, kept

from .protocol import served

pytestmark = pytest.mark.anyio


class Opened:
    """Blocks that note in which order they are entered and left."""

    def __init__(self, *, broken: str = "") -> None:
        self.story: list[str] = []
        self._broken = broken

    @asynccontextmanager
    async def block(self, name: str) -> AsyncGenerator[None, None]:
        if name == self._broken:
            raise ZeroDivisionError(name)
        self.story.append(f"{name} opens")
        try:
            yield
        finally:
            self.story.append(f"{name} closes")

    def check(self) -> None:
        if self.story[:1] != ["client opens"] or self.story[-1] == "client closes":
            raise AppNotOpen("not open")

    @property
    def blocks(self) -> Blocks:
        return Blocks(lambda: self.block("client"), lambda: self.block("node"), self.check, {"howdah": "the app"})


def speaker(story: list[str], startup: str = "complete", shutdown: str = "complete", state: Any = None) -> Any:
    """An app that speaks the protocol."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for phase, answer in (("startup", startup), ("shutdown", shutdown)):
            message = await receive()
            assert message == {"type": f"lifespan.{phase}"}
            story.append(f"app {phase}")
            scope.get("state", {}).update(state or {})
            await send({"type": f"lifespan.{phase}.{answer}", "message": f"{phase} {answer}"})
            if answer == "failed":
                return

    return app


async def test_the_node_works_within_the_lifespan_of_the_app_inside_and_that_within_the_clients() -> None:
    opened = Opened()
    async with served(around(speaker(opened.story, state={"mine": 1}), opened.blocks)) as talk:
        assert talk.last == "startup.complete"
        assert talk.state == {"howdah": "the app", "mine": 1}
    assert talk.last == "shutdown.complete"
    assert talk.error is None
    assert opened.story == [
        "client opens", "app startup", "node opens", "node closes", "app shutdown", "client closes",
    ]  # fmt: skip


async def refuses(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("only HTTP")


async def returns(scope: Any, receive: Any, send: Any) -> None: ...


@pytest.mark.parametrize("app", [refuses, returns], ids=lambda app: app.__name__)
async def test_an_app_without_a_lifespan_has_ours_alone_and_nothing_is_logged(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    opened = Opened()
    async with served(around(app, opened.blocks)) as talk:
        assert opened.story == ["client opens", "node opens"]
    assert [message["type"] for message in talk.said] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert opened.story[2:] == ["node closes", "client closes"]
    assert caplog.records == []


async def test_an_app_that_raises_at_its_startup_message_is_one_without_a_lifespan_and_the_log_shows_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise KeyError("a setting")

    async with served(around(app, Opened().blocks)) as talk:
        assert talk.last == "startup.complete"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "taken for one without a lifespan" in record.message
    assert record.exc_info is not None


async def test_what_the_app_inside_says_of_its_failed_start_goes_to_the_server_as_it_is() -> None:
    opened = Opened()
    async with served(around(speaker(opened.story, startup="failed"), opened.blocks)) as talk:
        assert talk.said == [{"type": "lifespan.startup.failed", "message": "startup failed"}]
    assert talk.error is None
    assert opened.story == ["client opens", "app startup", "client closes"]


async def test_an_app_that_raises_after_it_has_said_that_its_start_failed_fails_once() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        raise KeyError("no database")

    async with served(around(app, Opened().blocks)) as talk:
        assert talk.said == [{"type": "lifespan.startup.failed", "message": "no database"}]


@pytest.mark.parametrize("broken", ["client", "node"])
async def test_what_keeps_ours_from_opening_is_told_to_the_server_and_raised_bare(broken: str) -> None:
    opened = Opened(broken=broken)
    async with served(around(speaker(opened.story), opened.blocks)) as talk:
        assert talk.last == "startup.failed"
        assert "ZeroDivisionError" in talk.said[0]["message"]
        assert isinstance(talk.error, ZeroDivisionError)
    assert len(talk.said) == 1


async def test_what_the_app_inside_says_of_its_failed_end_goes_to_the_server_after_ours_has_closed() -> None:
    opened = Opened()
    async with served(around(speaker(opened.story, shutdown="failed"), opened.blocks)) as talk:
        pass
    assert talk.said[1:] == [{"type": "lifespan.shutdown.failed", "message": "shutdown failed"}]
    assert opened.story[-1] == "client closes"


async def test_an_app_whose_lifespan_raises_while_it_serves_is_logged_and_ours_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        raise KeyError("later")

    opened = Opened()
    async with served(around(app, opened.blocks)) as talk:
        while not caplog.records:
            await anyio.sleep(0)
        assert opened.story == ["client opens", "node opens"]
    assert talk.last == "shutdown.failed"
    assert "KeyError: 'later'" in talk.said[-1]["message"]


async def test_an_app_that_asks_for_a_third_message_ends_all_the_same() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})

    async with served(around(app, Opened().blocks)) as talk:
        pass
    assert talk.last == "shutdown.complete"


async def test_a_server_without_state_is_none_the_worse() -> None:
    async with served(around(returns, Opened().blocks), stateless=True) as talk:
        assert talk.last == "startup.complete"


async def test_a_node_that_was_taken_down_is_tried_again_until_it_starts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("howdah.asgi.RESTART_S", 0)
    numbers, again = count(1), anyio.Event()

    async def breaks() -> None:
        raise IndexError("a bug of ours")

    @asynccontextmanager
    async def node(_leave: anyio.Event) -> AsyncGenerator[None, None]:
        number = next(numbers)
        if number == 2:
            raise DatabaseAway("Postgres is being started")
        async with anyio.create_task_group() as group:
            if number == 1:
                group.start_soon(breaks)
            else:
                again.set()
            yield

    async with kept(node):
        await again.wait()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "it cannot start: Postgres is being started" in caplog.records[1].message
    assert next(numbers) == 4


async def test_a_node_that_starts_anew_when_the_server_ends_is_told_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("howdah.asgi.RESTART_S", 0)
    numbers, starting = count(1), anyio.Event()

    async def breaks() -> None:
        raise IndexError("a bug of ours")

    @asynccontextmanager
    async def node(leave: anyio.Event) -> AsyncGenerator[None, None]:
        if next(numbers) == 1:
            async with anyio.create_task_group() as group:
                group.start_soon(breaks)
                yield
        starting.set()
        await leave.wait()  # As one that Postgres does not let in.
        yield

    with anyio.fail_after(10):
        async with kept(node):
            await starting.wait()


async def test_other_scopes_are_passed_on_as_they_are_once_it_is_open_and_refused_before() -> None:
    seen: list[Any] = []

    async def app(*said: Any) -> None:
        seen.append(said)

    opened = Opened()
    outer = around(app, opened.blocks)
    scope = {"type": "websocket"}
    with pytest.raises(AppNotOpen):
        await outer(scope, "receive", "send")
    async with served(outer):
        seen.clear()
        await outer(scope, "receive", "send")
        ((passed, *others),) = seen
        assert passed is scope
        assert others == ["receive", "send"]
    with pytest.raises(AppNotOpen):
        await outer(scope, "receive", "send")
