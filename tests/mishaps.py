"""What befalls apps, connections and processes: acts on a Stage, for rows of test_errors.py."""

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import Any, NoReturn

import anyio
import anyio.lowlevel
import pytest
import sqlalchemy as sa
from django.db.backends.sqlite3.base import DatabaseWrapper  # pyright: ignore[reportMissingTypeStubs]
from howdah import Task, current_node
from howdah import errors as e
from howdah.cli import worker
from howdah.db import migrate
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy.ext.asyncio import create_async_engine

from .wrongdoing import Stage, in_thread

WAITING = "select exists (select from pg_locks where relation = 'howdah.run'::regclass and not granted)"


async def left_elsewhere(stage: Stage) -> None:
    """The open app is left by a task that did not enter it."""
    raised: list[e.HowdahError] = []

    async def leave() -> None:
        try:
            await stage.jobs.__aexit__(None, None, None)
        except e.HowdahError as error:
            raised.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(leave)
    raise raised[0]


async def left_here(stage: Stage) -> None:
    async with stage.jobs:
        pass


async def closed_while_awaited(stage: Stage) -> None:
    """An app is closed while a result is awaited: both are the app's, and the block ends first."""
    run = await stage.ping.options(delay="1h").enqueue(1)
    raised: list[e.HowdahError] = []

    async def wait() -> None:
        try:
            await stage.away.attach(run.id).result()
        except e.HowdahError as error:
            raised.append(error)

    async with anyio.create_task_group() as group, stage.closed:
        group.start_soon(wait)
        while not stage.closed.client.results._waiting:  # pyright: ignore[reportPrivateUsage]
            await anyio.lowlevel.checkpoint()
    raise raised[0]


async def closed_before_sent(stage: Stage) -> None:
    """An app is closed while an enqueue waits for the one before it, which waits for a lock."""
    raised: list[Exception] = []

    async def enqueue() -> None:
        try:
            await stage.away.enqueue(1)
        except Exception as error:
            raised.append(error)

    async with anyio.create_task_group() as group, stage.conn.transaction():
        await stage.conn.execute("lock table howdah.run in access exclusive mode")
        async with stage.closed:
            combiner = stage.closed.client.combiner
            group.start_soon(enqueue)
            while not await stage.conn.fetchval(WAITING):
                pass
            group.start_soon(enqueue)
            while not combiner._waiting:  # pyright: ignore[reportPrivateUsage]
                await anyio.lowlevel.checkpoint()
    raise next(error for error in raised if isinstance(error, e.AppNotOpen))


async def migrated_by_a_guest(stage: Stage) -> None:
    async def as_guest(task: Task[..., int]) -> None:
        await stage.conn.execute("set role howdah_guest")
        await migrate.migrate(stage.conn, stage.closed.config)

    await stage.enqueuer(as_guest)


async def migrated_by_older_code(stage: Stage) -> None:
    await stage.open(3)  # One release ahead is no trouble, but nothing to migrate.
    await migrate.migrate(stage.conn, stage.closed.config)


async def forked(stage: Stage) -> None:
    """As the other process of a fork sees it: the app is connected, and the process has another id."""
    stage.patch.setattr("howdah.portal.os.getpid", lambda: -1)
    try:
        await in_thread(lambda: stage.ping.enqueue_sync(1))
    finally:
        stage.patch.undo()


async def forked_on_its_loop(stage: Stage) -> None:
    """The same on the loop that it is open on."""
    stage.patch.setattr("howdah.client.os.getpid", lambda: -1)
    try:
        await stage.ping.enqueue(1)
    finally:
        stage.patch.undo()


async def elsewhere(stage: Stage) -> None:
    """The open app is used on a loop of another thread."""

    async def enqueue() -> None:
        await stage.ping.enqueue(1)

    await in_thread(lambda: asyncio.run(enqueue()))


async def never_served(stage: Stage) -> None:
    """Its lifespan is given away, and nobody runs it."""
    assert callable(stage.closed.lifespan)
    await stage.away.enqueue(1)


async def gives_no_state(app: object) -> AsyncGenerator[None, None]:
    """What @asynccontextmanager makes a lifespan of."""
    yield


async def serves_nothing(scope: object, receive: object, send: object) -> None:
    """An ASGI app."""


async def cut_off(stage: Stage) -> None:
    """The server ends the connection in the middle of a call of ours."""
    async with stage.jobs.client.pool.ours() as conn:
        await conn.execute("select pg_terminate_backend(pg_backend_pid())")


async def many_by_sqlalchemy(stage: Stage, **said: Any) -> None:
    engine = create_async_engine(stage.dsn.replace("postgresql://", "postgresql+asyncpg://"), **said)
    try:
        async with engine.connect() as conn:
            await stage.ping.options(conn=conn).enqueue_many([stage.ping.call(1)])
    finally:
        await engine.dispose()


def django_to_sqlite() -> DatabaseWrapper:
    return DatabaseWrapper({"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}, "archive")


def engine(stage: Stage) -> sa.Engine:
    return sa.create_engine(stage.dsn.replace("postgresql://", "postgresql+psycopg://"))


def exports(stage: Stage, provider: TracerProvider | None = None, **variables: str) -> None:
    """What --otel does, in a process of which nothing else is known and that sends nothing. provider: somebody has set one up."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("OTEL_")]:
            patch.delenv(name)
        silent = {f"OTEL_{kind}_EXPORTER": "none" for kind in ("TRACES", "METRICS", "LOGS")}
        for name, value in (silent | variables).items():
            patch.setenv(name, value)
        patch.setattr(trace, "_TRACER_PROVIDER", provider)
        with worker._exported("shop"):  # pyright: ignore[reportPrivateUsage]
            pass


def exports_without_the_sdk(stage: Stage) -> None:
    """The same where the extra is not installed."""

    def missing(name: str) -> NoReturn:
        raise ModuleNotFoundError("No module named 'opentelemetry.sdk'", name="opentelemetry.sdk")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("importlib.import_module", missing)
        worker._exported("shop")  # pyright: ignore[reportPrivateUsage]


def labels_its_node() -> None:
    current_node().labels.set(zone="eu")
