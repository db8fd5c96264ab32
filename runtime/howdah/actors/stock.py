"""What providers with per="node" made: each at its first use, one for the node, closed in reverse order when the node stops.

Each lives in a task of its own, which both enters and leaves it, so that task groups and cancel scopes may be part of it.
It belongs to no attempt: the timeout of the one that needed it first does not end its making.
"""

import logging
from collections.abc import Mapping
from contextvars import Context, copy_context
from typing import Any

import anyio
import anyio.abc

from ..context import is_taken_down
from ..dependencies import Provider
from ..scopes import Scope, enter, name_of, unwind

log = logging.getLogger("howdah.node")


class _Resource:
    """One of them, on its way or there."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.decided = anyio.Event()
        self.error: BaseException | None = None
        self.closing = anyio.Event()
        self.closed = anyio.Event()


class NodeStock:
    """The resources of one node. Open between `serve` and `close`."""

    def __init__(self) -> None:
        self.kept: dict[Provider, Any] = {}
        self._resources: dict[Provider, _Resource] = {}
        self._group: anyio.abc.TaskGroup | None = None
        self._clean: Context | None = None

    def serve(self, group: anyio.abc.TaskGroup) -> None:
        """Resources live in this group from now on, in the context of the node."""
        self._group = group
        self._clean = copy_context()

    async def make(self, provider: Provider, given: Mapping[str, Any]) -> Any:
        """Makes it, or waits for whoever does. Raises what the provider raises; the next use tries again."""
        resource = self._resources.get(provider)
        if resource is None:
            assert self._group is not None, "a node serves its stock"
            assert self._clean is not None, "the same"
            resource = self._resources[provider] = _Resource(provider)
            self._clean.run(self._group.start_soon, self._live, resource, given)
        await resource.decided.wait()
        if resource.error is not None:
            raise resource.error
        return self.kept[provider]

    async def close(self) -> None:
        """Closes them, the last one made first. No attempt may be under way."""
        for provider in reversed(list(self.kept)):
            resource = self._resources[provider]
            resource.closing.set()
            await resource.closed.wait()

    async def _live(self, resource: _Resource, given: Mapping[str, Any]) -> None:
        provider = resource.provider
        opened: list[Scope] = []
        try:
            self.kept[provider] = await enter(provider(**given), opened)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) or is_taken_down():
                raise
            del self._resources[provider]
            resource.error = error
            return
        finally:
            resource.decided.set()
        try:
            await resource.closing.wait()
        except BaseException as taken_down:
            await unwind(opened, None, taken_down)
            raise
        error = await unwind(opened, None, None)
        if error is not None:
            log.error("%s raised while its resource was closed at the end of the node", name_of(provider), exc_info=error)
        resource.closed.set()
