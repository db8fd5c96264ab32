"""Apps, tasks and acts to do something wrong with: what the rows of test_errors.py are made of."""

import os
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any, cast

import anyio
import anyio.to_thread
import asyncpg
import psycopg
import pytest
from howdah import App, CurrentRun, FailedRun, RunFailed, Snooze, Task, Tasks, current_run, transaction, use
from howdah.db import migrate
from howdah.db.link import is_gone
from howdah.process import place


class Stage:
    """Apps and tasks to do something wrong with. `jobs` is open, `closed` is not."""

    def __init__(self, dsn: str, conn: "asyncpg.Connection[asyncpg.Record]", patch: pytest.MonkeyPatch) -> None:
        self.dsn = dsn
        self.conn = conn
        self.patch = patch
        self.jobs = App(dsn, payload_max=1000, grace_s=2, hard_grace_s=2)
        self.after = ExitStack()
        self.closed = App(dsn)
        self.fresh = App(dsn)
        self.tasks = Tasks()
        # Of any signature: some rows do not fit it.
        self.ping: Task[..., int] = self.jobs.task(ping)
        self.away = self.closed.task(ping)

    def included(self) -> Task[..., int]:
        tasks = Tasks()
        self.jobs.include(tasks)
        return tasks.task(name="included")(ping)

    def define(self, function: Callable[..., Any], **said: Any) -> Task[..., Any]:
        return self.fresh.task(**said)(function)

    async def number(self, number: int) -> None:
        """Lets the schema say that it is at this migration."""
        await self.conn.execute("delete from howdah.migration where number > $1", number)
        await self.conn.execute(
            "insert into howdah.migration (number, name) select g, 'test' from generate_series(1, $1) g on conflict do nothing", number
        )

    async def open(self, number: int) -> None:
        """Opens an app on a schema of this number; this code knows number 2."""
        await self.number(number)
        self.patch.setattr(migrate, "newest", lambda: 2)
        async with self.closed:
            pass

    async def order(self, *said: str) -> None:
        """Tells nodes of two that are there: a node, what it is told, and so on."""
        for number in (1, 2):
            await self.conn.execute(f"select howdah.join_node({number}, 'near-{number}', 'here', 1, '1', '{{}}', '{{}}', null, 60)")
        try:
            for node, what in zip(said[::2], said[1::2], strict=True):
                await getattr(self.jobs.nodes, what)(node)
        finally:
            await self.conn.execute("select howdah.leave_node(1); select howdah.leave_node(2)")

    async def enqueuer(self, do: Callable[[Task[..., int]], Any]) -> Any:
        """As a role that may only enqueue."""
        if not await self.conn.fetchval("select exists (select from pg_roles where rolname = 'howdah_guest')"):
            await self.conn.execute("create role howdah_guest login")
        await self.conn.fetchval("select howdah.permit('howdah_guest', 'enqueue')")
        theirs = App(self.dsn.replace("//postgres@", "//howdah_guest@"))
        task: Task[..., int] = theirs.task(ping)
        async with theirs:
            return await do(task)

    async def forged(self, task: Task[..., int]) -> Any:
        run = await task.enqueue(1)
        await self.conn.execute("set role howdah_guest")
        return await self.conn.fetchval("select howdah.enqueue('ping', parent => $1)", run.id)

    def sync(self) -> psycopg.Connection:
        """A connection of sync code, which the test closes."""
        conn = psycopg.connect(self.dsn)
        self.after.callback(conn.close)
        return conn

    async def sql(self, statement: str) -> Any:
        return await self.conn.fetchval(statement)

    async def trigger(self, each: str, arguments: str) -> None:
        await self.conn.execute("drop table if exists entered; create table entered (id int)")
        await self.conn.execute(
            f"create trigger t after insert on entered for {each} execute function howdah.enqueue_on_insert({arguments})"
        )
        await self.conn.execute("insert into entered values (1)")

    async def fails(self, function: Callable[..., Any], **said: Any) -> Any:
        task = self.jobs.task(retry=1, **said)(function)
        async with self.jobs.work():
            return await (await task.enqueue()).result("10s")

    async def within(self, attempt: Callable[["Stage"], Any], **said: Any) -> None:
        """Does it as an attempt, and raises here what it raised there."""
        raised: list[Exception] = []

        async def once() -> None:
            if raised:
                return
            try:
                await attempt(self)
            except Exception as error:
                raised.append(error)
                raise

        task = self.jobs.task(name=attempt.__name__, retry=1, **said)(once)
        async with self.jobs.work():
            with suppress(RunFailed):
                await (await task.enqueue()).result("10s")
        for error in raised:
            raise error

    async def kept(self) -> CurrentRun:
        """The run of an attempt that has ended."""
        runs: list[CurrentRun] = []

        async def keep(_: Stage) -> None:
            runs.append(current_run())

        await self.within(keep)
        return runs[0]

    async def too_late(self) -> None:
        (await self.kept()).extend("1h")

    async def serializable(self, statement: str) -> None:
        async with self.conn.transaction(isolation="serializable"):
            await self.conn.fetchval(statement)

    async def isolated(self, function: Callable[..., Any], within_s: float = 20, **said: Any) -> Any:
        """The same in a process of its own, which finds this module by the name that it has here."""
        self.patch.syspath_prepend(str(Path(__file__).parents[1]))
        self.jobs = App(self.dsn, grace_s=2, hard_grace_s=2, process_start_s=within_s)
        async with self.jobs:
            return await self.fails(function, isolation="process", **said)

    async def surrounded(self, middleware: Callable[[], AsyncGenerator[None, None]]) -> None:
        self.fresh = App(self.dsn)
        self.fresh.task(isolation="process")(fine)
        self.fresh.middleware(middleware)
        async with self.fresh.work():
            pass

    async def in_child(self) -> None:
        self.patch.setattr(place, "_in_child", True)
        async with self.jobs.work():
            pass

    async def ended(self, how: str) -> Any:
        run = await self.ping.options(delay="1h", expires="1h").enqueue(1)
        if how == "cancelled":
            await run.cancel("why not")
        elif how == "expired":
            await self.conn.execute(f"delete from howdah.timer where id = {run.id}")
            await self.conn.execute(
                "insert into howdah.job (id, expires, queue, task, priority)"
                " select id, howdah.clock(), queue, task, priority from howdah.run where id = $1", run.id,
            )  # fmt: skip
            await self.conn.fetchval("select howdah.expire(10)")
        return await run.result("300ms" if how == "never" else "20s")


async def ping(number: int) -> int:
    return number


async def pings_all(numbers: list[int]) -> list[int]:
    return numbers


async def pings(number: int, *, loud: bool = False) -> int:
    return number


async def report(failed: FailedRun) -> None: ...


def fine_too() -> int:
    return 1


def first() -> Iterator[int]:
    yield 1


async def each() -> Any:
    yield 1


async def star(*numbers: int) -> None: ...


async def stars(**numbers: int) -> None: ...


async def position(number: int, /) -> None: ...


async def nowhere(thing: "Missing") -> None: ...  # noqa: F821  # pyright: ignore[reportUndefinedVariable, reportUnknownParameterType]


async def large() -> str:
    return "x" * 1001


async def unspeakable() -> object:
    return object()


async def raises() -> None:
    raise KeyError("lost")


async def snoozes() -> None:
    raise Snooze("a while")


def in_a_thread() -> None:
    transaction()


def dies() -> None:
    os._exit(7)


def stays() -> None:
    time.sleep(60)


async def twice(stage: Stage) -> None:
    for _ in range(2):
        async with transaction():
            pass


async def nested(stage: Stage) -> None:
    async with transaction(), transaction():
        pass


async def in_one(stage: Stage) -> None:
    async with transaction():
        pass


async def extends_late(stage: Stage) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        current_run().extend("1h")


async def extends_in_time(stage: Stage) -> None:
    current_run().extend("1h")


async def loses(stage: Stage) -> None:
    """Others take over during its transaction."""
    async with transaction():
        await stage.conn.execute("update howdah.job set lease = null, node = null where id = $1", current_run().id)


async def outlived(stage: Stage) -> None:
    """Its session is ended while it does something else."""
    async with transaction() as conn:
        await stage.conn.execute("select pg_terminate_backend($1)", conn.get_server_pid())
        while not is_gone(conn):
            await anyio.sleep(0.001)


def yields_twice() -> Iterator[int]:
    yield 1
    yield 2


async def doubled(number: Any = use(yields_twice)) -> None: ...


def around(number: int = 1) -> int:
    return number


def about(number: int = use(around)) -> int:
    return number


around.__defaults__ = (use(about),)


async def circles(number: int = use(around)) -> None: ...


async def gives_another() -> int:
    return cast("Any", "one")


def made() -> Callable[[], None]:
    def inner() -> None: ...

    return inner


async def nothing_around() -> AsyncGenerator[None, None]:
    yield


def made_middleware() -> Callable[[], AsyncGenerator[None, None]]:
    async def around() -> AsyncGenerator[None, None]:
        yield

    return around


async def fine() -> int:
    return 1


def one(number: int) -> int:
    return number


def from_run(number: int = use(fine)) -> int:
    return number


def none_at_all() -> Iterator[int]:
    yield from ()


async def needs(number: int = use(one)) -> None: ...


async def shorter(number: int = use(from_run, per="node")) -> None: ...


def by_place(number: int = use(fine), /) -> int:
    return number


async def needs_by_place(number: int = use(by_place)) -> None: ...


async def annotated(number: Annotated[int, use(fine)]) -> None: ...


async def supplied(number: int = use(fine)) -> None: ...


async def unyielding(number: Any = use(none_at_all)) -> None: ...


async def extends() -> None:
    current_run().extend(0)


async def takes_stage(stage: Stage) -> None: ...


async def gives_stage() -> Stage: ...  # type: ignore[empty-body]


async def takes_either(one: datetime | str) -> None: ...


async def takes_any(one: Any) -> None: ...


async def takes_time(when: datetime) -> None: ...


async def gives_time() -> datetime:
    return datetime(2030, 1, 1)


ODD = datetime(1890, 1, 1, tzinfo=timezone(timedelta(seconds=3208)))


async def one_float(number: float) -> None: ...


async def one_text(text: str) -> None: ...


async def in_thread(function: Callable[[], object]) -> None:
    await anyio.to_thread.run_sync(function)
