"""Runs go to the nodes that they require, and to those that they prefer: on nodes with different labels."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import howdah
import pytest
from howdah import App
from howdah.node import Node
from howdah.placement import at_least, weight

pytestmark = pytest.mark.anyio

SOON_S = 5.0


@asynccontextmanager
async def nodes(dsn: str, make: Callable[[App], Any], *labels: dict[str, Any], **settings: Any) -> AsyncGenerator[tuple[Any, list[Node]]]:
    """Nodes with these labels, each of which has the tasks that `make` defines; and what that returned for the first, as a client."""
    async with AsyncExitStack() as stack:
        made, started = None, []
        for one in labels:
            jobs = App(dsn, labels=one, grace_s=2, hard_grace_s=2, **settings)
            mine = make(jobs)
            made = made or mine
            started.append(await stack.enter_async_context(jobs.work()))
        yield made, started


def where(jobs: App, **words: Any) -> Any:
    """A task that tells which node it runs on."""

    @jobs.task(**words)
    async def place() -> str:
        return howdah.current_node().name

    return place


async def test_a_run_goes_to_a_node_that_has_what_its_task_requires(dsn: str) -> None:
    def make(jobs: App) -> Any:
        return where(jobs, requires={"gpu": True, "mem_gb": at_least(16)})

    async with nodes(dsn, make, {"gpu": True, "mem_gb": 8}, {"mem_gb": 64}, {"gpu": True, "mem_gb": 16}) as (place, found):
        runs = await place.enqueue_many(place.call() for _ in range(20))
        assert {await run.result(timeout=SOON_S) for run in runs} == {found[2].name}


async def test_a_call_may_require_what_its_task_does_not(dsn: str) -> None:
    async with nodes(dsn, where, {"zone": "eu"}, {"zone": "us"}) as (place, found):
        for _ in range(5):
            assert await (await place.options(requires={"zone": "us"}).enqueue()).result(timeout=SOON_S) == found[1].name
            assert await (await place.options(requires={"zone": "eu"}).enqueue()).result(timeout=SOON_S) == found[0].name
        assert await (await place.enqueue()).result(timeout=SOON_S)
