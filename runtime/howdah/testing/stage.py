"""An app in a test: nothing runs until the test says so, and time passes only when the test moves it.

Everything is real, Postgres included. Work is done by a node of this process that lives as long as a call of
run_until_idle(); between these calls whatever was enqueued waits, and can be looked at.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

import anyio
import asyncpg
import msgspec

from .. import codec
from ..app import App
from ..core.states import ENDS, State
from ..db.files import query
from ..dependencies import Provider
from ..duration import Duration, seconds
from ..tasks import Task

P = ParamSpec("P")
R = TypeVar("R")

LOOK_S = 0.005
"""How often it is looked whether work is left. A node starts what it hears of at once; this only ends the waiting."""


class Enqueued(msgspec.Struct, frozen=True):
    """A run that somebody enqueued."""

    id: int
    task: str
    arguments: dict[str, Any]
    """By parameter, as json has them."""
    queue: str
    priority: int
    tags: list[str]
    metadata: dict[str, str]
    due: datetime | None
    """When it will start, where it waits for a time."""
    state: State


class Stage:
    """An open app on a database of the test's own.

    async with Stage(jobs, dsn) as stage:
        await sign_up("a@b.c")                                   # the code under test enqueues
        assert [run.arguments for run in await stage.enqueued(welcome)] == [{"email": "a@b.c"}]
        await stage.run_until_idle()
        await stage.advance(days=7)

    dsn: a migrated database that nobody else works on. instead: what to call in place of providers of dependencies.
    """

    def __init__(self, jobs: App, dsn: str, *, instead: Mapping[Provider, Provider] | None = None) -> None:
        self._jobs = jobs
        self._dsn = dsn
        self._instead = dict(instead or {})
        self._stack = AsyncExitStack()
        self._shift = timedelta()

    async def __aenter__(self) -> Self:
        """Opens the app there. HowdahError: it is open already."""
        async with AsyncExitStack() as stack:
            stack.enter_context(self._jobs.redirected(self._dsn))
            stack.enter_context(self._jobs.registry.replaced(self._instead))
            await stack.enter_async_context(self._jobs)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Closes it, and points it to where it was."""
        await self._stack.aclose()

    async def now(self) -> datetime:
        """What time it is here."""
        ((now,),) = await self._ask("clock")
        return now

    async def run(self, task: Task[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Enqueues a run, works until idle, and gives its result. RunEnded: it ended otherwise; it waits for a time: TimeoutError."""
        run = await task.enqueue(*args, **kwargs)
        await self.run_until_idle()
        state = await run.status()
        if state not in ENDS:
            raise TimeoutError(f"{run!r} is {state}: move the clock with advance(), then ask for its result")
        return await run.result()

    async def run_until_idle(self, within: Duration = "30s") -> None:
        """Works until nothing is left to run now: what was enqueued, what that enqueued, and retries that are due. What waits for
        a later time stays, and so do tasks that the app does not define. TimeoutError: it takes longer, and says what is left.
        """
        mine = [name for definition in self._jobs.registry for name in (definition.name, *definition.aliases)]
        left: Sequence[str] = ()
        with anyio.move_on_after(seconds(within)) as scope:
            async with self._jobs.work():
                while True:
                    left = [row["name"] for row in await self._ask("work_left", mine)]
                    if not left:
                        break
                    await anyio.sleep(LOOK_S)
        if scope.cancelled_caught:
            raise TimeoutError(
                f"after {seconds(within):g} s there is still work: {', '.join(left)}. Either a function takes long, or one enqueues"
                " itself without end"
            )

    async def advance(self, by: Duration | None = None, **parts: float) -> None:
        """Moves the clock of this database and works on the way: whatever is due runs at its time, in order, retries and what they
        enqueue included. by: as in "1h"; or the parts of a timedelta, as in days=7, hours=1.
        """
        goal = await self.now() + (timedelta(**parts) if by is None else timedelta(seconds=seconds(by)))
        await self.run_until_idle()
        while (due := await self._next_due()) is not None and due <= goal:
            await self._move(max(due - await self.now(), timedelta()))
            await self.run_until_idle()
        await self._move(goal - await self.now())
        await self.run_until_idle()

    async def enqueued(self, task: Task[Any, Any] | None = None) -> list[Enqueued]:
        """The runs of a task, or of all, in the order in which they were enqueued, whatever became of them."""
        names = None if task is None else [task.name, *task.definition.aliases]
        rows = await self._ask("enqueued", names)
        return [
            Enqueued(
                id=row["id"],
                task=row["task"],
                arguments=codec.decode(row["arguments"]),
                queue=row["queue"],
                priority=row["priority"],
                tags=row["tags"],
                metadata=codec.decode(row["metadata"]),
                due=row["due"],
                state=State(row["state"]),
            )
            for row in rows
        ]

    async def _next_due(self) -> datetime | None:
        ((due,),) = await self._ask("next_due")
        return due

    async def _move(self, by: timedelta) -> None:
        """Whoever connects from now on has the new time."""
        self._shift += by
        ((statement,),) = await self._ask("set_clock", f"{self._shift.total_seconds():f} seconds")
        pool = self._jobs.client.pool
        async with pool.ours() as connection:
            await connection.execute(statement)
        await pool.renew()

    async def _ask(self, name: str, *values: object) -> list[asyncpg.Record]:
        """On a connection of the app's pool, since tasks of a test may ask as well."""
        async with self._jobs.client.pool.ours() as connection:
            return await connection.fetch(query(name, "testing"), *values)
