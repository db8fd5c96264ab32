"""A pool of child processes without a node around it."""

import json
import subprocess
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
from howdah import Task
from howdah.config import Config
from howdah.messages import Claimed, Outcome
from howdah.process.address import terms
from howdah.process.pool import Children, Terms
from howdah.process.wire import Hello, Start

RUN = Claimed(77, 1, 1, 5, 0, 1, 100, "{}", ["red"], '{"a":"b"}', None)
CONFIG = Config(process_look_s=0.02)


def hello(task: Task[..., Any]) -> Hello:
    return terms(task.definition, [], None, CONFIG).hello


class Pool(Children):
    """Children, asked as a lane asks them."""

    async def call(self, task: Task[..., Any], of: Terms | None = None, **args: Any) -> Outcome:
        claimed = msgspec.structs.replace(RUN, args=json.dumps(args))
        return await self.attempt(of or Terms(hello(task)), Start(claimed, time.time() - time.monotonic()), lambda sign: None)

    async def value(self, task: Task[..., Any], of: Terms | None = None, **args: Any) -> Any:
        outcome = await self.call(task, of, **args)
        assert outcome.kind == 1, outcome.data
        return json.loads(outcome.data or "null")


@asynccontextmanager
async def children(slots: int = 2, config: Config = CONFIG) -> AsyncGenerator[Pool]:
    """A pool that is watched, and closed at the end of the block."""
    pool = Pool(slots, config)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(pool.watch)
            yield pool
            await pool.close()
            group.cancel_scope.cancel()
    finally:
        pool.kill()


def lives(pid: int) -> bool:
    """Whether there is such a process that has not ended: a zombie has."""
    stat = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(stat) and not stat.startswith("Z")


async def happens(what: Any, within_s: float = 30.0) -> None:
    """Waits until it is true."""
    with anyio.fail_after(within_s):
        while not what():
            await anyio.sleep(0.005)
