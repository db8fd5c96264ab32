"""A server's side of the lifespan protocol, for apps in this process."""

from collections.abc import AsyncGenerator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from howdah.asgi import ASGIApp

Message = MutableMapping[str, Any]


class Talk:
    """One lifespan as a server speaks it."""

    def __init__(self, app: ASGIApp, *, stateless: bool = False) -> None:
        self.state: dict[str, Any] = {}
        self.said: list[Message] = []
        self.error: BaseException | None = None
        self.shutting_down = anyio.Event()
        self.answered = anyio.Event()
        self.ended = anyio.Event()
        self._app = app
        self._scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0"}} | ({} if stateless else {"state": self.state})
        self._asked = False

    @property
    def last(self) -> str:
        """The kind of the last message."""
        return self.said[-1]["type"].removeprefix("lifespan.")

    async def run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except Exception as error:
            self.error = error
        finally:
            self.answered.set()
            self.ended.set()

    async def _receive(self) -> Message:
        if self._asked:
            await self.shutting_down.wait()
            return {"type": "lifespan.shutdown"}
        self._asked = True
        return {"type": "lifespan.startup"}

    async def _send(self, message: Message) -> None:
        self.said.append(message)
        self.answered.set()


@asynccontextmanager
async def served(app: ASGIApp, *, stateless: bool = False) -> AsyncGenerator[Talk, None]:
    """A server that has started the app, or was told that it does not start; at the end it is shut down."""
    talk = Talk(app, stateless=stateless)
    async with anyio.create_task_group() as group:
        group.start_soon(talk.run)
        await talk.answered.wait()
        yield talk
        talk.shutting_down.set()
        with anyio.fail_after(20):
            await talk.ended.wait()
