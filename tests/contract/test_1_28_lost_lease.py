"""CONTRACT 1.28: an attempt that lost its lease is cancelled once, and whatever it asks of us after that is refused.

tests/recovery/test_zombie.py does the same to a process that is frozen for longer than its lease.
"""

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import asyncpg
import pytest
from howdah import App, CurrentRun, LeaseLost, Task, current_run, transaction
from howdah.node import Node

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection

CALLS: dict[str, Callable[[CurrentRun, Task[[], None]], Any]] = {
    "cancelled": lambda run, task: run.cancelled,
    "set_result": lambda run, task: run.set_result(1),
    "extend": lambda run, task: run.extend("1m"),
    "progress": lambda run, task: run.progress(1),
    "idempotency_key": lambda run, task: run.idempotency_key,
    "transaction": lambda run, task: transaction(),
    "enqueue": lambda run, task: task.enqueue(),
    "enqueue_many": lambda run, task: task.enqueue_many([task.call()]),
    "result": lambda run, task: task.attach(run.id).result("1s"),
    "status": lambda run, task: task.attach(run.id).status(),
    "cancel": lambda run, task: task.attach(run.id).cancel(),
}
THREAD = ("cancelled", "set_result", "extend", "progress", "idempotency_key", "transaction")
SYNC: dict[str, Callable[[CurrentRun, Task[[], None]], Any]] = {
    **{name: CALLS[name] for name in THREAD},
    "enqueue_sync": lambda run, task: task.enqueue_sync(),
    "result_sync": lambda run, task: task.attach(run.id).result_sync("1s"),
}
"""What a thread may ask for."""


async def refused(run: CurrentRun, task: Task[[], None]) -> list[str]:
    """Which of our calls raise LeaseLost."""
    names: list[str] = []
    for name, call in CALLS.items():
        try:
            answer = call(run, task)
            if isinstance(answer, Awaitable):
                await answer
        except LeaseLost:
            names.append(name)
    return names


async def lose(node: Node, db: Session) -> None:
    """Ends the lease of this node as its own heart would find it: others have taken over."""
    (run,) = node.running
    await db.execute("update howdah.job set lease = null, node = null")
    node._fenced(run.claimed.node)


async def test_the_attempt_is_cancelled_once_and_any_later_call_of_ours_raises_lease_lost(jobs: App, db: Session) -> None:
    heard: list[str] = []
    begun = anyio.Event()
    ended = anyio.Event()

    @jobs.task
    async def nothing() -> None: ...

    @jobs.task
    async def work() -> None:
        if begun.is_set():
            return
        try:
            begun.set()
            await anyio.sleep_forever()
        except BaseException as error:
            heard.append(type(error).__name__)
        try:
            await anyio.sleep(0.05)
            heard.extend(await refused(current_run(), nothing))
        finally:
            ended.set()

    async with jobs.work() as node:
        await work.enqueue()
        await begun.wait()
        await lose(node, db)
        await ended.wait()
    assert heard == ["CancelledError", *CALLS]
    assert await db.fetchval("select count(*) from howdah.run") == 1


async def test_a_transaction_of_an_attempt_that_lost_its_lease_cannot_commit(jobs: App, db: Session) -> None:
    await db.execute("create table effect (attempt int)")
    begun, heard = anyio.Event(), list[str]()
    ended = anyio.Event()

    @jobs.task
    async def work() -> None:
        if begun.is_set():
            return
        try:
            async with transaction() as conn:
                await conn.execute("insert into effect values (1)")
                begun.set()
                try:
                    await anyio.sleep_forever()
                except BaseException as error:
                    heard.append(type(error).__name__)
        except LeaseLost:
            heard.append("LeaseLost")
            raise
        finally:
            ended.set()

    async with jobs.work() as node:
        await work.enqueue()
        await begun.wait()
        await lose(node, db)
        await ended.wait()
    assert heard == ["CancelledError", "LeaseLost"]
    assert await db.fetchval("select count(*) from effect") == 0


async def test_a_thread_that_lost_its_lease_hears_of_it_at_its_next_call(jobs: App, db: Session) -> None:
    begun, gate = threading.Event(), threading.Event()
    heard: list[str] = []

    @jobs.task
    def work() -> None:
        if begun.is_set():
            return
        begun.set()
        gate.wait(10)
        for name, call in SYNC.items():
            try:
                call(current_run(), work)
            except LeaseLost:
                heard.append(name)

    async with jobs.work() as node:
        await work.enqueue()
        assert await anyio.to_thread.run_sync(begun.wait, 5)
        await lose(node, db)
        gate.set()
    assert heard == [*SYNC]
    assert await db.fetchval("select count(*) from howdah.run") == 1
