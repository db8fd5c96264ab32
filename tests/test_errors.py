"""Every refusal in one table: what was done, the exception, a sentence of its text, and what mends it, tried."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import anyio.to_thread
import asyncpg
import psycopg
import pytest
import sqlalchemy as sa
from howdah import App, Defaults, FailedRun, Retry, Snooze, Task, Tasks, current_run, transaction
from howdah import errors as e
from howdah.db import migrate
from howdah.embedded import Embedded

pytestmark = pytest.mark.anyio


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

    async def open(self, number: int) -> None:
        """Opens an app on a schema of this number; this code knows number 2."""
        await self.conn.execute("delete from howdah.migration where number > 1")
        await self.conn.execute("insert into howdah.migration (number, name) select g, 'test' from generate_series(2, $1) g", number)
        self.patch.setattr(migrate, "newest", lambda: 2)
        async with self.closed:
            pass

    def sync(self) -> psycopg.Connection:
        """A connection of sync code, which the test closes."""
        conn = psycopg.connect(self.dsn)
        self.after.callback(conn.close)
        return conn

    async def sql(self, statement: str) -> Any:
        return await self.conn.fetchval(statement)

    async def fails(self, function: Callable[..., Any], **said: Any) -> Any:
        task = self.jobs.task(retry=1, **said)(function)
        async with self.jobs.work():
            return await (await task.enqueue()).result("10s")

    async def ended(self, how: str) -> Any:
        run = await self.ping.options(delay="1h", expires="1h").enqueue(1)
        if how == "cancelled":
            await run.cancel("why not")
        elif how == "expired":
            await self.conn.execute(f"delete from howdah.timer where id = {run.id}")
            await self.conn.execute("insert into howdah.job (id, expires, queue, task, priority) values ($1, now(), 1, 1, 0)", run.id)
            await self.conn.fetchval("select howdah.expire(10)")
        return await run.result("300ms" if how == "never" else "10s")


async def ping(number: int) -> int:
    return number


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


async def fine() -> int:
    return 1


async def takes_stage(stage: Stage) -> None: ...


async def gives_stage() -> Stage: ...  # type: ignore[empty-body]


async def takes_either(one: datetime | str) -> None: ...


async def takes_any(one: Any) -> None: ...


async def takes_time(when: datetime) -> None: ...


async def gives_time() -> datetime:
    return datetime(2030, 1, 1)


ODD = datetime(1890, 1, 1, tzinfo=timezone(timedelta(seconds=3208)))
SELECT = "select howdah.enqueue"


@dataclass
class Row:
    cause: str
    do: Callable[[Stage], Any]
    kind: type[BaseException]
    says: str
    mend: Callable[[Stage], Any] | None


C, A = e.ConfigurationError, e.ArgumentsInvalid
TABLE = [
    # Settings.
    Row("an unknown setting", lambda s: App(colour=1), C, "does not know the setting 'colour'", lambda s: App(concurrency=1)),
    Row("a setting of a wrong type", lambda s: App(threads="many"), C, "wrong type", lambda s: App(threads="4")),
    Row("a short lease", lambda s: App(lease_s=5, heartbeat_s=2), C, "under three heartbeats of 2 s", lambda s: App(lease_s=6, heartbeat_s=2)),
    Row("no slots", lambda s: App(concurrency=0), C, "must be at least 1", lambda s: App(concurrency=1)),
    Row("an unreadable DSN", lambda s: App("postgresql://h:port/x").__aenter__(), C, "Check HOWDAH_DSN", lambda s: App(s.dsn)),
    Row("no such database", lambda s: App(s.dsn.replace("/test_", "/tset_")).__aenter__(), C, "Check HOWDAH_DSN", None),
    Row("a server that is down", lambda s: App("postgresql://127.0.0.1:1/x").__aenter__(), e.DatabaseAway, "does not answer", None),
    # The schema.
    Row("an older schema", lambda s: s.open(1), e.SchemaMismatch, "run `howdah migrate`", lambda s: s.open(2)),
    Row("a much newer schema", lambda s: s.open(4), e.SchemaMismatch, "deploy a newer howdah", lambda s: s.open(3)),
    # Definitions.
    Row(
        "two tasks of one name", lambda s: [s.define(ping), s.define(pings, name="ping")], C,
        f"one at {__file__}:{ping.__code__.co_firstlineno}, one at {__file__}:{pings.__code__.co_firstlineno}. Give one of them name=",
        lambda s: s.define(pings),
    ),
    Row("no name", lambda s: s.define(lambda: None), C, "@jobs.task(name=...)", lambda s: s.define(lambda: None, name="x")),
    Row("a long name", lambda s: s.define(ping, name="x" * 201), C, "201 characters of 1 to 200", lambda s: s.define(ping, name="x" * 200)),
    Row("a generator", lambda s: s.define(first), C, "return the result instead of yielding", lambda s: s.define(ping)),
    Row("an async generator", lambda s: s.define(each), C, "return the result instead of yielding", lambda s: s.define(ping)),
    Row("*args", lambda s: s.define(star), C, "each needs a parameter of its own", lambda s: s.define(ping)),
    Row("**kwargs", lambda s: s.define(stars), C, "each needs a parameter of its own", lambda s: s.define(ping)),
    Row("a positional-only parameter", lambda s: s.define(position), C, "is positional-only", lambda s: s.define(ping)),
    Row("a type that is not there", lambda s: s.define(nowhere).call(1), C, "Import the type at the top of the module", None),
    Row("a task's priority", lambda s: s.define(ping, priority=40000), C, "from -32767 to 32767", lambda s: s.define(ping, priority=-32767)),
    Row("a task's timeout of 0", lambda s: s.define(ping, timeout=0), C, "a timeout is positive", lambda s: s.define(ping, timeout=0.1)),
    Row("a long queue", lambda s: s.define(ping, queue="x" * 201), C, "cannot be a name", lambda s: s.define(ping, queue="x" * 200)),
    Row("no attempt", lambda s: Retry(0), ValueError, "it is at least 1", lambda s: Retry(1)),
    Row("a shrinking wait", lambda s: Retry(factor=0.5), ValueError, "it is at least 1", lambda s: Retry(factor=1)),
    # Words of the decorators, and Tasks.
    Row("an unknown word", lambda s: s.define(ping, nme="x"), C, "@jobs.task does not know nme=; it takes name", lambda s: s.define(ping, name="x")),
    Row("a function that is none", lambda s: s.fresh.task(cast("Any", "x")), C, "'x', which is no function", lambda s: s.fresh.task(ping)),
    Row("no timeout", lambda s: s.define(ping, timeout=None), C, "each attempt has a timeout; say a long one", lambda s: s.define(ping, timeout="9w")),
    Row("a delivery", lambda s: s.define(ping, delivery="once"), C, "is not one of 'at_least_once', 'at_most_once'", lambda s: s.define(ping, delivery="at_most_once")),
    Row("an isolation", lambda s: s.define(fine, isolation="thread"), C, "is not one of None, 'process'", lambda s: s.define(fine_too, isolation="process")),
    Row("memory of no process", lambda s: s.define(fine_too, memory="1GB"), C, 'say isolation="process" as well', lambda s: s.define(fine_too, isolation="process", memory="1GB")),
    Row("no run for a process", lambda s: s.define(fine_too, isolation="process", max_runs=0), C, "must be at least 1", lambda s: s.define(fine_too, isolation="process", max_runs=1)),
    Row("a bad size", lambda s: s.define(fine_too, isolation="process", memory="much"), ValueError, '"512MB"', lambda s: s.define(fine_too, isolation="process", memory="512MB")),
    Row("no size", lambda s: s.define(fine_too, isolation="process", memory=-1), ValueError, "a positive number of bytes", lambda s: s.define(fine_too, isolation="process", memory=1)),
    Row("aliases as one text", lambda s: s.define(ping, aliases="old"), C, "aliases=['old']", lambda s: s.define(ping, aliases=["old"])),
    Row("an alias that is taken", lambda s: [s.define(ping), s.define(pings, aliases=["ping"])], C, "Take it out of aliases= of one of them.", lambda s: s.define(pings, aliases=["pong"])),
    Row("a handler that is no task", lambda s: s.define(ping, on_failure=report), C, "decorate it with @jobs.task", lambda s: s.define(ping, on_failure=s.define(report))),
    Row("a handler of nothing", lambda s: s.define(ping, on_failure=s.define(fine)), C, "must take one argument, a howdah.FailedRun", lambda s: s.define(ping, on_failure=s.define(report))),
    Row("a handler of another type", lambda s: s.define(pings, on_failure=s.define(ping)).definition.catalogue(), C, "must be annotated as howdah.FailedRun", None),
    Row("no fact", lambda s: s.fresh.on(), C, "was given no fact: name some of 'run.failed'", lambda s: s.fresh.on("run.failed")),
    Row("an unknown fact", lambda s: s.fresh.on(cast("Any", "run.done")), C, "fact='run.done' is not one of", lambda s: s.fresh.on("run.stale")),
    Row("a stub that is called", lambda s: cast("Any", s.fresh.stub(ping))(1), C, "is a stub, its function lives in another program", lambda s: s.jobs.stub(pings).enqueue(1)),
    Row("tasks of no app", lambda s: Tasks().task(ping).enqueue(1), C, "belongs to no app yet: call jobs.include(...)", lambda s: s.included().enqueue(1)),
    Row("tasks of two apps", lambda s: [app.include(s.tasks) for app in (s.fresh, s.closed)], C, "make a Tasks() of its own for each app", lambda s: s.fresh.include(Tasks())),
    Row("an include of something else", lambda s: s.fresh.include(cast("Any", e)), C, "pass the Tasks() itself", lambda s: s.fresh.include(Tasks())),
    Row("imports as one text", lambda s: App(imports="x"), C, "imports=['x']", lambda s: App(imports=["x"])),
    Row("imports that are not there", lambda s: App(imports=["not.there"]).load(), C, "there is no module 'not'", lambda s: App(imports=["howdah"]).load()),
    # Types of arguments and results.
    Row("a class of one's own", lambda s: s.define(takes_stage).call(s), C, "parameter 'stage' of task 'takes_stage'", None),
    Row("a result of such a class", lambda s: s.define(gives_stage).definition.catalogue(), C, "use a dataclass, an attrs class, a msgspec.Struct or a pydantic model", None),
    Row("a union of likes", lambda s: s.define(takes_either).call(1), C, "has a type that cannot be stored: Type unions may not contain", None),
    Row("such a value", lambda s: s.define(takes_any).call(s), A, "json cannot carry a ", lambda s: s.define(takes_any).call({})),
    Row("a key that is no text", lambda s: s.define(takes_any).call({(1, 2): 3}), A, "keys of a dict are text or numbers", lambda s: s.define(takes_any).call({1: 3})),
    Row("an argument without a zone", lambda s: s.define(takes_time).call(datetime(2030, 1, 1)), A, "use datetime.now(UTC) and the like - at `$.when`", lambda s: s.define(takes_time).call(datetime.now(UTC))),
    Row("an offset with seconds", lambda s: s.define(takes_time).call(ODD), A, "use .astimezone(UTC) - at `$.when`", lambda s: s.define(takes_time).call(ODD.astimezone(UTC))),
    Row("a result without a zone", lambda s: s.fails(gives_time), e.RunFailed, "has no time zone, so it names no instant", None),
    # Options.
    Row("a naive time", lambda s: s.ping.options(at=datetime(2030, 1, 1)), C, "has no time zone", lambda s: s.ping.options(at=datetime(2030, 1, 1, tzinfo=UTC))),
    Row("a bad duration", lambda s: s.ping.options(delay="soon"), ValueError, '"1h30m"', lambda s: s.ping.options(delay="1h30m")),
    Row("a negative duration", lambda s: s.ping.options(delay=-1), ValueError, "not negative", lambda s: s.ping.options(delay=0)),
    Row("an endless duration", lambda s: s.ping.options(expires=1e12), ValueError, "at most a hundred years", lambda s: s.ping.options(expires="99w")),
    Row("a priority", lambda s: s.ping.options(priority=32768), C, "from -32767 to 32767", lambda s: s.ping.options(priority=32767)),
    Row("tags as one text", lambda s: s.ping.options(tags="red"), C, "tags=['red']", lambda s: s.ping.options(tags=["red"])),
    Row("a timeout of 0", lambda s: s.ping.options(timeout=0), C, "a timeout is positive", lambda s: s.ping.options(timeout="1ms")),
    Row("an empty queue", lambda s: s.ping.options(queue=""), C, "cannot be a name", lambda s: s.ping.options(queue="q").enqueue(1)),
    Row("a tag with NUL", lambda s: s.ping.options(tags=["\0"]).enqueue(1), A, "refused the options of 'ping'", lambda s: s.ping.options(tags=["0"]).enqueue(1)),
    Row("conn= of another kind", lambda s: s.ping.options(conn=object()).enqueue(1), C, "call select howdah.enqueue(...)", lambda s: s.ping.options(conn=s.conn).enqueue(1)),
    # Calls.
    Row("an app that is not open", lambda s: s.away.enqueue(1), e.AppNotOpen, "inside `async with jobs:`", lambda s: s.ping.enqueue(1)),
    Row("the status without an open app", lambda s: s.away.attach(1).status(), e.AppNotOpen, "inside `async with jobs:`", None),
    Row("a result without an open app", lambda s: s.away.attach(1).result(), e.AppNotOpen, "inside `async with jobs:`", None),
    Row("arguments of a wrong type", lambda s: s.ping.enqueue("1"), A, "Expected `int`, got `str`", lambda s: s.ping.enqueue(1)),
    Row("a missing argument", lambda s: s.ping.enqueue(), A, "number", lambda s: s.ping.enqueue(number=1)),
    Row("an argument too many", lambda s: s.ping.enqueue(1, 2), A, "2 positional arguments were given for 1", lambda s: s.ping.enqueue(1)),
    Row("an unknown argument", lambda s: s.ping.call(1, x=1), A, "x", lambda s: s.ping.call(1)),
    Row("a keyword by position", lambda s: s.define(pings).call(1, True), A, "cannot take these arguments", lambda s: s.define(pings).call(1, loud=True)),
    Row("arguments that are NaN", lambda s: s.jobs.task(one_float).call(float("nan")), A, "Expected `float`, got `null`", None),
    Row("a surrogate in an argument", lambda s: s.jobs.task(one_text).call("\ud800"), A, "cannot take these arguments", None),
    Row("large arguments", lambda s: s.jobs.task(one_text).call("ü" * 600), A, "over the limit of 1,000 (payload_max)", None),
    Row("a call of another task", lambda s: s.ping.enqueue_many([s.jobs.task(fine).call()]), A, "was given a call of 'fine'", lambda s: s.ping.enqueue_many([s.ping.call(1)])),
    Row("arguments instead of calls", lambda s: s.ping.enqueue_many(cast("Any", [1])), A, "as in ping.call(...)", lambda s: s.ping.enqueue_many([s.ping.call(1)])),
    Row("a run's id that is none", lambda s: s.ping.attach(2**64), A, "what run.id was", lambda s: s.ping.attach(2**53 - 1)),
    Row("a run that is not there", lambda s: s.ping.attach(7).status(), e.HowdahError, "there is no run 7", None),
    Row("the result of a run that is not there", lambda s: s.ping.attach(7).result(5), e.HowdahError, "has not committed or was rolled back", None),
    Row("a reason with NUL", lambda s: s.ping.attach(7).cancel("\0"), A, "cannot store reason=", lambda s: s.ping.attach(7).cancel("0")),
    Row("current_run() outside", lambda s: current_run(), e.HowdahError, "inside a task's function", None),
    Row("transaction() outside", lambda s: transaction(), e.HowdahError, "inside a task's function", None),
    Row("a node without tasks", lambda s: s.fresh.work().__aenter__(), C, "decorate functions with @jobs.task", None),
    Row("queues as one text", lambda s: s.jobs.work(queues="a").__aenter__(), C, "queues=['a']", None),
    # Enqueue from anywhere.
    Row("enqueue on a sync connection", lambda s: s.ping.options(conn=s.sync()).enqueue(1), C, "call ping.enqueue_sync(...) there", lambda s: in_thread(lambda: s.ping.options(conn=s.sync()).enqueue_sync(1))),
    Row("enqueue_many on a sync connection", lambda s: s.ping.options(conn=s.sync()).enqueue_many([s.ping.call(1)]), C, "once for each", None),
    Row("enqueue_sync on an async connection", lambda s: in_thread(lambda: s.ping.options(conn=s.conn).enqueue_sync(1)), C, "await ping.enqueue(...) there", lambda s: s.ping.options(conn=s.conn).enqueue(1)),
    Row("enqueue_sync on a running loop", lambda s: s.ping.enqueue_sync(1), e.HowdahError, "await ping.enqueue(...) instead", lambda s: in_thread(lambda: s.ping.enqueue_sync(1))),
    Row("result_sync on a running loop", lambda s: s.ping.attach(1).result_sync(), e.HowdahError, "await run.result(...) instead", None),
    Row("an engine as conn=", lambda s: s.ping.options(conn=engine(s)).enqueue(1), C, "or a connection or session of SQLAlchemy, not sqlalchemy.engine.base.Engine", None),
    Row("an empty key", lambda s: s.ping.options(unique=""), C, "0 characters of 1 to 500", lambda s: s.ping.options(unique="k").enqueue(1)),
    Row("unique_for without a key", lambda s: s.ping.options(unique_for="1h"), C, "say which, with unique=True", lambda s: s.ping.options(unique_for="1h", unique=True).enqueue(1)),
    Row("unique_for no time", lambda s: s.ping.options(unique_for=0, unique=True), C, "unique_for=0 would hold the key for no time", None),
    Row("child= outside of a run", lambda s: s.ping.options(child="k").enqueue(1), C, "use unique= here", None),
    Row("child= of many", lambda s: s.ping.options(child="k").enqueue_many([s.ping.call(1)]), C, "each with a key of its own", None),
    Row("child= and unique=", lambda s: s.ping.options(child="k", unique=True), C, "two keys for one run", lambda s: s.ping.options(child="k")),
    Row("an unknown on_parent_cancel", lambda s: s.ping.options(on_parent_cancel=cast("Any", "leave")), C, "is not one of 'cancel', 'keep'", lambda s: s.ping.options(on_parent_cancel="keep").enqueue(1)),
    # Runs.
    Row("an exception", lambda s: s.fails(raises), e.RunFailed, "failed at attempt 1 with KeyError: 'lost'", lambda s: s.fails(fine)),
    Row("a large result", lambda s: s.fails(large), e.RunFailed, "return a reference to where it is stored", None),
    Row("a result that is not json", lambda s: s.fails(unspeakable), e.RunFailed, "cannot be stored as json", None),
    Row("a bad snooze", lambda s: s.fails(snoozes), e.RunFailed, "is no duration", None),
    Row("transaction() in a thread", lambda s: s.fails(in_a_thread), e.RunFailed, "make the function `async def`", None),
    Row("a cancelled run", lambda s: s.ended("cancelled"), e.RunCancelled, "was cancelled: why not", None),
    Row("a run that expired", lambda s: s.ended("expired"), e.RunExpired, "nobody started it in time", None),
    Row("the caller's own time", lambda s: s.ended("never"), TimeoutError, "", None),
    # SQL.
    Row("SQL: no task", lambda s: s.sql(f"{SELECT}('')"), asyncpg.DataError, "needs the name of a task", lambda s: s.sql(f"{SELECT}('ping')")),
    Row("SQL: arguments as an array", lambda s: s.sql(f"{SELECT}('t', '[1]')"), asyncpg.DataError, "must be a json object", lambda s: s.sql(f"{SELECT}('t', '{{}}')")),
    Row("SQL: no arguments", lambda s: s.sql(f"{SELECT}('t', null)"), asyncpg.DataError, "must be a json object", lambda s: s.sql(f"{SELECT}('t')")),
    Row("SQL: an unknown option", lambda s: s.sql("select howdah.submit('t', array['{}'], '{\"colour\": 1}', true)"), asyncpg.DataError, 'does not know the option "colour"', None),
    Row("SQL: a priority", lambda s: s.sql(f"{SELECT}('t', priority => 40000)"), asyncpg.DataError, "out of range", lambda s: s.sql(f"{SELECT}('t', priority => 4)")),
]  # fmt: skip


async def in_thread(function: Callable[[], object]) -> None:
    await anyio.to_thread.run_sync(function)


def engine(stage: Stage) -> sa.Engine:
    return sa.create_engine(stage.dsn.replace("postgresql://", "postgresql+psycopg://"))


async def one_float(number: float) -> None: ...


async def one_text(text: str) -> None: ...


@pytest.fixture(scope="module")
async def table_dsn(server: Embedded, template: str) -> AsyncIterator[str]:
    """One database for the whole table: no row needs what another one left."""
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute(f"create database test_table template {template}")
    yield server.dsn("test_table")
    await admin.execute("drop database test_table with (force)")
    await admin.close()


@pytest.mark.parametrize("row", TABLE, ids=[row.cause for row in TABLE])
async def test_a_refusal_says_what_is_wrong_and_its_mend_works(row: Row, table_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    conn = await asyncpg.connect(table_dsn)
    await conn.execute("delete from howdah.migration where number > 1")
    stage = Stage(table_dsn, conn, monkeypatch)

    async def act(what: Callable[[Stage], Any]) -> None:
        done = what(stage)
        if inspect.isawaitable(done):
            await done

    async with stage.jobs:
        with pytest.raises(row.kind) as caught:
            await act(row.do)
        assert row.says in str(caught.value)
        if issubclass(row.kind, e.HowdahError):
            assert type(caught.value) is row.kind
        stage.fresh = App(table_dsn)
        if row.mend is not None:
            await act(row.mend)
    stage.after.close()
    await conn.close()


async def test_an_enqueue_on_conn_without_a_schema_names_the_command(server: Embedded) -> None:
    jobs = App(server.dsn("postgres"))
    task = jobs.task(ping)
    conn = await asyncpg.connect(server.dsn("postgres"))
    try:
        for _ in range(2):
            with pytest.raises(C, match="run `howdah migrate`"):
                await task.options(conn=conn).enqueue(1)
        with pytest.raises(e.SchemaMismatch, match="run `howdah migrate`"):
            await jobs.__aenter__()
    finally:
        await conn.close()


class Declined(ValueError):
    pass


async def test_the_exception_of_a_failed_run_carries_what_is_known(dsn: str) -> None:
    jobs = App(dsn, defaults=Defaults(retry=Retry(2, base=0.001)), grace_s=2, hard_grace_s=2)

    @jobs.task
    async def pay() -> None:
        raise Declined("no funds")

    async with jobs.work():
        run = await pay.enqueue()
        with pytest.raises(e.RunFailed) as caught:
            await run.result("10s")
    error = caught.value
    assert (error.run_id, error.task, error.state, error.attempt) == (run.id, "pay", "failed", 2)
    assert (error.error_type, error.message) == (f"{Declined.__module__}.Declined", "no funds")
    assert Path(__file__).name in error.traceback
    assert "howdah/actors" not in error.traceback
    assert [error.is_a(kind) for kind in (Declined, ValueError, Exception, KeyError)] == [True, True, True, False]


def test_each_exception_for_callers_is_one_of_ours_and_of_the_builtin_that_it_is_like() -> None:
    assert issubclass(e.ArgumentsInvalid, TypeError)
    assert issubclass(e.DatabaseAway, ConnectionError)
    ours = [kind for kind in vars(e).values() if isinstance(kind, type) and kind.__module__ == e.__name__]
    assert {kind for kind in ours if not issubclass(kind, e.HowdahError)} == {e.Snooze, e.GiveUp}
