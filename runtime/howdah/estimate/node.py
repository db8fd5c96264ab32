"""A node of an estimate: `python -m howdah.estimate.node`. It does what its stdin says, a word on each line: work, rest, tell.

It answers each with a line of JSON, and ends when its stdin does, as where the process that measures was killed.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter, process_time

import msgspec

from ..app import App
from ..context import transaction
from .shape import TASK, Shape, Told, Used

REST_S = 0.2
"""What runs may take to end when the node rests: a run that is handed back is counted at the next level."""


def build(shape: Shape) -> tuple[App, Used]:
    """The program that is measured, on HOWDAH_DSN and with the settings in force; and what its runs use."""
    jobs, used = App(grace_s=REST_S, hard_grace_s=2.0), Used()

    @jobs.task(name=TASK)
    async def _(data: str) -> None:  # noqa: ARG001 - decoded, as arguments are
        began = entered = perf_counter()
        if shape.transaction:
            async with transaction():
                entered = perf_counter()
                await asyncio.sleep(shape.task_s)
            used.held_s += perf_counter() - entered
        elif shape.task_s:
            await asyncio.sleep(shape.task_s)
        used.waiting_s += entered - began
        used.busy_s += perf_counter() - entered
        used.ended += 1

    return jobs, used


async def obey(shape: Shape) -> None:
    """Until stdin ends."""
    jobs, used = build(shape)

    def say(state: str) -> None:
        used.cpu_s = process_time()
        print(msgspec.json.encode(Told(state, used, jobs.config.concurrency, jobs.config.pool_size)).decode(), flush=True)  # noqa: T201 - its way to answer

    async with jobs, _words() as words, AsyncExitStack() as stack:
        say("open")
        while word := (await words.readline()).decode().strip():
            match word:
                case "work":
                    await stack.enter_async_context(jobs.work())
                    say("working")
                case "rest":
                    await stack.aclose()
                    say("resting")
                case _:
                    say("told")


@asynccontextmanager
async def _words() -> AsyncGenerator[asyncio.StreamReader, None]:
    reader = asyncio.StreamReader()
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        yield reader
    finally:
        pipe.close()


if __name__ == "__main__":
    try:
        from uvloop import new_event_loop
    except ImportError:  # On PyPy there is none.
        from asyncio import new_event_loop
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(obey(msgspec.json.decode(sys.argv[1], type=Shape)))
