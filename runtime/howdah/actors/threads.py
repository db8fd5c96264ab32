"""Threads: where plain functions are called. A thread cannot be interrupted, so its slot stays taken until the function ends."""

import asyncio
import functools
from typing import Any

import anyio
import anyio.to_thread

from ..context import CurrentRun
from ..core.verdict import Cause
from ..definitions import Definition


class Threads:
    """Calls functions in threads, so many at once. Each sees the context of its attempt."""

    def __init__(self, count: int) -> None:
        self._limiter = anyio.CapacityLimiter(count)

    async def call(self, run: CurrentRun, definition: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Returns and raises what the function does, unless it was asked to end meanwhile: that counts when it does."""
        run.in_thread = True
        try:
            value = await anyio.to_thread.run_sync(
                functools.partial(definition.function, *args, **kwargs), limiter=self._limiter, abandon_on_cancel=True
            )
        except Exception as error:
            if _was_heeded(run):
                raise asyncio.CancelledError from error
            raise
        finally:
            run.in_thread = False
        if run.cause in (Cause.TIMEOUT, Cause.CANCEL) or _was_heeded(run):
            raise asyncio.CancelledError
        return value


def _was_heeded(run: CurrentRun) -> bool:
    """Whether the function saw that it should end: however it ended after that, it ended for this reason."""
    return run.heeded and run.cause is not None
