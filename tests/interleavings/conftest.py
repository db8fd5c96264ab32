"""One database per file with the scene in it, and sessions that stay: thousands of schedules are played there."""

import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import asyncpg
import pytest
from howdah.embedded import Embedded

from ..db.world import Session
from .play import Theatre

Open = Callable[..., Awaitable[Theatre]]

SETTINGS = {"deadlock_timeout": "5ms", "synchronous_commit": "off", "plan_cache_mode": "force_generic_plan", "jit": "off"}
"""Of every session here: a deadlock is told at once, and what is asked thousands of times is planned once."""

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
async def theatre(server: Embedded, template: str) -> AsyncIterator[Open]:
    """Opens a database with the scene, some functions of it replaced by other texts, with a watcher and sessions."""
    async with AsyncExitStack() as stack:

        async def one(functions: Sequence[str] = (), sessions: int = 3, *, pauses: bool = False) -> Theatre:
            name = f"test_interleavings_{os.getpid()}_{next(_numbers)}"
            admin = await asyncpg.connect(server.dsn("postgres"))
            stack.push_async_callback(admin.close)
            await admin.execute(f"create database {name} template {template}")
            stack.push_async_callback(admin.execute, f"drop database {name} with (force)")

            async def connect() -> Session:
                db = await asyncpg.connect(server.dsn(name), server_settings=SETTINGS)
                stack.callback(db.terminate)
                return db

            return await Theatre.opened([await connect() for _ in range(sessions + 2)], functions, pauses=pauses)

        yield one
