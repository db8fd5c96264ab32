"""Runs a command's coroutine, and says what signals mean to it: the first drains, the second hurries, the third exits."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

try:
    from uvloop import new_event_loop
except ImportError:  # On Windows and PyPy there is none.
    from asyncio import new_event_loop

T = TypeVar("T")

INTERRUPTED = 130


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs it to its end on the fastest loop there is."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


@contextmanager
def signals(
    drain: Callable[[signal.Signals], None], hurry: Callable[[], None], leave: Callable[[], None] = lambda: None
) -> Generator[None, None, None]:
    """Inside of the block the first SIGINT or SIGTERM drains, the second hurries, the third ends the process at once,
    with 130 or 1, after leave(), which is called inside of the handler. The handlers are Python's own and not the loop's, so
    that the third works also while a task blocks the loop.
    """
    loop = asyncio.get_running_loop()
    seen = 0

    def obey(number: int, _frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        if seen == 1:
            loop.call_soon_threadsafe(drain, signal.Signals(number))
        elif seen == 2:
            loop.call_soon_threadsafe(hurry)
        else:
            leave()
            os._exit(INTERRUPTED if number == signal.SIGINT else 1)

    before = {number: signal.signal(number, obey) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
