"""Every refusal in one table: what was done, the exception, a sentence of its text, and what mends it, tried."""

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
from howdah import App, Defaults, Retry, Tasks, current_run, transaction, use
from howdah import errors as e
from howdah.embedded import Embedded
from howdah.testing import Databases

from . import mishaps, wrongdoing
from .wrongdoing import (
    ODD,
    Stage,
    annotated,
    circles,
    dies,
    doubled,
    each,
    extends,
    extends_in_time,
    extends_late,
    fine,
    fine_too,
    first,
    gives_another,
    gives_stage,
    gives_time,
    in_a_thread,
    in_one,
    in_thread,
    large,
    loses,
    made,
    made_middleware,
    needs,
    needs_by_place,
    nested,
    nothing_around,
    nowhere,
    one_float,
    one_text,
    outlived,
    ping,
    pings,
    position,
    raises,
    report,
    shorter,
    snoozes,
    star,
    stars,
    stays,
    supplied,
    takes_any,
    takes_either,
    takes_stage,
    takes_time,
    twice,
    unspeakable,
    unyielding,
)

pytestmark = pytest.mark.anyio

SELECT = "select howdah.enqueue"
WRONG = wrongdoing.__file__


@dataclass
class Row:
    cause: str
    do: Callable[[Stage], Any]
    kind: type[BaseException]
    says: str
    mend: Callable[[Stage], Any] | None


C, A = e.ConfigurationError, e.ArgumentsInvalid
NAIVE = datetime(2026, 1, 1)
COLOUR: dict[str, Any] = {"colour": "red"}
TABLE = [
    # Settings.
    Row("an unknown setting", lambda s: App(colour=1), C, "does not know the setting 'colour'", lambda s: App(concurrency=1)),
    Row("a setting of a wrong type", lambda s: App(threads="many"), C, "a setting of App or a HOWDAH_* variable has the wrong type: Expected `int`", lambda s: App(threads="4")),
    Row("a short lease", lambda s: App(lease_s=5, heartbeat_s=2), C, "under three heartbeats of 2 s", lambda s: App(lease_s=6, heartbeat_s=2)),
    Row("no slots", lambda s: App(concurrency=0), C, "concurrency=0 must be at least 1", lambda s: App(concurrency=1)),
    Row("an unreadable DSN", lambda s: App("postgresql://h:port/x").__aenter__(), C, "Postgres refused the connection: ", lambda s: App(s.dsn)),
    Row("no such database", lambda s: App(s.dsn.replace("/test_", "/tset_")).__aenter__(), C, "Postgres refused the connection: ", None),
    Row("a server that is down", lambda s: App("postgresql://127.0.0.1:1/x").__aenter__(), e.DatabaseAway, "Check HOWDAH_DSN and that the server is up.", None),
    # The schema.
    Row("an older schema", lambda s: s.open(1), e.SchemaMismatch, "the schema is at migration 1, this code needs 2: run `howdah migrate`", lambda s: s.open(2)),
    Row("a much newer schema", lambda s: s.open(4), e.SchemaMismatch, "more than one release beyond the 2 that this code knows: deploy a newer howdah", lambda s: s.open(3)),
    # Definitions.
    Row(
        "two tasks of one name", lambda s: [s.define(ping), s.define(pings, name="ping")], C,
        f"two tasks are called 'ping': one at {WRONG}:{ping.__code__.co_firstlineno}, one at {WRONG}:{pings.__code__.co_firstlineno}. Give one of them name=",
        lambda s: s.define(pings),
    ),
    Row("no name", lambda s: s.define(lambda: None), C, "@jobs.task(name=...)", lambda s: s.define(lambda: None, name="x")),
    Row("a long name", lambda s: s.define(ping, name="x" * 201), C, "201 characters of 1 to 200", lambda s: s.define(ping, name="x" * 200)),
    Row("a generator", lambda s: s.define(first), C, "return the result instead of yielding", lambda s: s.define(ping)),
    Row("an async generator", lambda s: s.define(each), C, "return the result instead of yielding", lambda s: s.define(ping)),
    Row("*args", lambda s: s.define(star), C, "each needs a parameter of its own", lambda s: s.define(ping)),
    Row("**kwargs", lambda s: s.define(stars), C, "each needs a parameter of its own", lambda s: s.define(ping)),
    Row("a positional-only parameter", lambda s: s.define(position), C, "is positional-only: arguments are stored by name", lambda s: s.define(ping)),
    Row("a type that is not there", lambda s: s.define(nowhere).call(1), C, "Import the type at the top of the module", None),
    Row("a task's priority", lambda s: s.define(ping, priority=40000), C, "from -32767 to 32767", lambda s: s.define(ping, priority=-32767)),
    Row("a task's timeout of 0", lambda s: s.define(ping, timeout=0), C, "a timeout is positive", lambda s: s.define(ping, timeout=0.1)),
    Row("a long queue", lambda s: s.define(ping, queue="x" * 201), C, "cannot be a name", lambda s: s.define(ping, queue="x" * 200)),
    Row("no attempt", lambda s: Retry(0), ValueError, "it is at least 1", lambda s: Retry(1)),
    Row("a shrinking wait", lambda s: Retry(factor=0.5), ValueError, "it is at least 1", lambda s: Retry(factor=1)),
    # Words of the decorators, and Tasks.
    Row("an unknown word", lambda s: s.define(ping, nme="x"), C, "@jobs.task does not know nme=; it takes name, aliases", lambda s: s.define(ping, name="x")),
    Row("a function that is none", lambda s: s.fresh.task(cast("Any", "x")), C, "'x', which is no function", lambda s: s.fresh.task(ping)),
    Row("no timeout", lambda s: s.define(ping, timeout=None), C, "each attempt has a timeout; say a long one", lambda s: s.define(ping, timeout="9w")),
    Row("a delivery", lambda s: s.define(ping, delivery="once"), C, "is not one of 'at_least_once', 'at_most_once'", lambda s: s.define(ping, delivery="at_most_once")),
    Row("an isolation", lambda s: s.define(fine, isolation="thread"), C, "is not one of None, 'process'", lambda s: s.define(fine_too, isolation="process")),
    Row("memory of no process", lambda s: s.define(fine_too, memory="1GB"), C, 'say isolation="process" as well', lambda s: s.define(fine_too, isolation="process", memory="1GB")),
    Row("no run for a process", lambda s: s.define(fine_too, isolation="process", max_runs=0), C, "max_runs=0 of task 'fine_too' must be at least 1", lambda s: s.define(fine_too, isolation="process", max_runs=1)),
    Row("a bad size", lambda s: s.define(fine_too, isolation="process", memory="much"), ValueError, '"512MB"', lambda s: s.define(fine_too, isolation="process", memory="512MB")),
    Row("no size", lambda s: s.define(fine_too, isolation="process", memory=-1), ValueError, "a positive number of bytes", lambda s: s.define(fine_too, isolation="process", memory=1)),
    Row("aliases as one text", lambda s: s.define(ping, aliases="old"), C, "is one text: pass a list, as in aliases=['old']", lambda s: s.define(ping, aliases=["old"])),
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
    Row("imports as one text", lambda s: App(imports="x"), C, "is one text: pass a list, as in imports=['x']", lambda s: App(imports=["x"])),
    Row("imports that are not there", lambda s: App(imports=["not.there"]).load(), C, "names 'not.there', and there is no module 'not' on Python's path", lambda s: App(imports=["howdah"]).load()),
    # Keys, threads, direct calls.
    Row("a key's time without a key", lambda s: s.ping.options(unique_for="1h"), C, "say which, with unique=True or unique='a key'", lambda s: s.ping.options(unique_for="1h", unique=True)),
    Row("a key's time of 0", lambda s: s.ping.options(unique=True, unique_for=0), C, "would hold the key for no time", lambda s: s.ping.options(unique=True, unique_for=1)),
    Row("two keys for one run", lambda s: s.ping.options(unique=True, child="a"), C, "are two keys for one run", lambda s: s.ping.options(child="a")),
    Row("a sync call on a loop", lambda s: s.ping.enqueue_sync(1), e.HowdahError, "was called on a running event loop, which it would block", lambda s: s.ping.enqueue(1)),
    Row("SQL: a parent's cancel", lambda s: s.sql(f"{SELECT}('t', on_parent_cancel => 'stop')"), asyncpg.DataError, "on_parent_cancel is stop and not cancel or keep", lambda s: s.sql(f"{SELECT}('t', on_parent_cancel => 'keep')")),
    Row("SQL: a trigger without a task", lambda s: s.trigger("each row", ""), asyncpg.DataError, "is for rows, and needs the name of a task", lambda s: s.trigger("each row", "'t'")),
    Row("SQL: a trigger's column", lambda s: s.trigger("each row", "'t', 'mail'"), asyncpg.UndefinedColumnError, 'howdah.enqueue_on_insert was told to pass the column "mail", and public.entered has none of this name', lambda s: s.trigger("each row", "'t', 'id'")),
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
    Row("a naive time", lambda s: s.ping.options(at=datetime(2030, 1, 1)), C, "has no time zone, so it names no instant: use datetime.now(UTC) and the like", lambda s: s.ping.options(at=datetime(2030, 1, 1, tzinfo=UTC))),
    Row("a bad duration", lambda s: s.ping.options(delay="soon"), ValueError, '"1h30m"', lambda s: s.ping.options(delay="1h30m")),
    Row("a negative duration", lambda s: s.ping.options(delay=-1), ValueError, "not negative", lambda s: s.ping.options(delay=0)),
    Row("an endless duration", lambda s: s.ping.options(expires=1e12), ValueError, "at most a hundred years", lambda s: s.ping.options(expires="99w")),
    Row("a priority", lambda s: s.ping.options(priority=32768), C, "from -32767 to 32767", lambda s: s.ping.options(priority=32767)),
    Row("tags as one text", lambda s: s.ping.options(tags="red"), C, "is one text: pass a list, as in tags=['red']", lambda s: s.ping.options(tags=["red"])),
    Row("a timeout of 0", lambda s: s.ping.options(timeout=0), C, "a timeout is positive", lambda s: s.ping.options(timeout="1ms")),
    Row("an empty queue", lambda s: s.ping.options(queue=""), C, "queue='' cannot be a name: it has 0 characters of 1 to 200, and no NUL", lambda s: s.ping.options(queue="q").enqueue(1)),
    Row("metadata that is no text", lambda s: s.ping.options(metadata=cast("Any", {"customer": 7})), C, "metadata is found by text", lambda s: s.ping.options(metadata={"customer": "7"})),
    Row("metadata that is no mapping", lambda s: s.ping.options(metadata=cast("Any", "x")), C, "is no mapping: pass names and texts, as in metadata={'tenant': '7'}", lambda s: s.ping.options(metadata={"x": "y"})),
    Row("a tag with NUL", lambda s: s.ping.options(tags=["\0"]).enqueue(1), A, "refused the options of 'ping'", lambda s: s.ping.options(tags=["0"]).enqueue(1)),
    Row("conn= of another kind", lambda s: s.ping.options(conn=object()).enqueue(1), C, "call select howdah.enqueue(...)", lambda s: s.ping.options(conn=s.conn).enqueue(1)),
    # Calls.
    Row("an app that is not open", lambda s: s.away.enqueue(1), e.AppNotOpen, "the app is not open: do this inside `async with jobs:`", lambda s: s.ping.enqueue(1)),
    Row("the status without an open app", lambda s: s.away.attach(1).status(), e.AppNotOpen, "inside `async with jobs:`", None),
    Row("a result without an open app", lambda s: s.away.attach(1).result(), e.AppNotOpen, "inside `async with jobs:`", None),
    Row("arguments of a wrong type", lambda s: s.ping.enqueue("1"), A, "Expected `int`, got `str`", lambda s: s.ping.enqueue(1)),
    Row("a missing argument", lambda s: s.ping.enqueue(), A, "cannot take these arguments: Missing required argument 'number'", lambda s: s.ping.enqueue(number=1)),
    Row("an argument too many", lambda s: s.ping.enqueue(1, 2), A, "2 positional arguments were given for 1", lambda s: s.ping.enqueue(1)),
    Row("an unknown argument", lambda s: s.ping.call(1, x=1), A, "cannot take these arguments: Unexpected keyword argument 'x'", lambda s: s.ping.call(1)),
    Row("a keyword by position", lambda s: s.define(pings).call(1, True), A, "cannot take these arguments", lambda s: s.define(pings).call(1, loud=True)),
    Row("arguments that are NaN", lambda s: s.jobs.task(one_float).call(float("nan")), A, "Expected `float`, got `null`", None),
    Row("a surrogate in an argument", lambda s: s.jobs.task(one_text).call("\ud800"), A, "cannot take these arguments", None),
    Row("large arguments", lambda s: s.jobs.task(one_text).call("ü" * 600), A, "over the limit of 1,000 (payload_max)", None),
    Row("a call of another task", lambda s: s.ping.enqueue_many([s.jobs.task(fine).call()]), A, "was given a call of 'fine'", lambda s: s.ping.enqueue_many([s.ping.call(1)])),
    Row("arguments instead of calls", lambda s: s.ping.enqueue_many(cast("Any", [1])), A, "enqueue_many of 'ping' was given 1: pass calls, as in ping.call(...)", lambda s: s.ping.enqueue_many([s.ping.call(1)])),
    Row("a run's id that is none", lambda s: s.ping.attach(2**64), A, "is not the id of a run: pass what run.id was", lambda s: s.ping.attach(2**53 - 1)),
    Row("a run that is not there", lambda s: s.ping.attach(7).status(), e.HowdahError, "there is no run 7: its transaction has not committed or was rolled back", None),
    Row("the result of a run that is not there", lambda s: s.ping.attach(7).result(5), e.HowdahError, "there is no run 7: its transaction has not committed or was rolled back", None),
    Row("a reason with NUL", lambda s: s.ping.attach(7).cancel("\0"), A, "cannot store reason=", lambda s: s.ping.attach(7).cancel("0")),
    Row("current_run() outside", lambda s: current_run(), e.HowdahError, "current_run() was called outside of a run; it works inside a task's function", None),
    Row("transaction() outside", lambda s: transaction(), e.HowdahError, "inside a task's function", None),
    Row("a node without tasks", lambda s: s.fresh.work().__aenter__(), C, "decorate functions with @jobs.task", None),
    Row("queues as one text", lambda s: s.jobs.work(queues="a").__aenter__(), C, "is one text: pass a list, as in queues=['a']", None),
    # Enqueue from anywhere.
    Row("enqueue on a sync connection", lambda s: s.ping.options(conn=s.sync()).enqueue(1), C, "which would block the event loop: call ping.enqueue_sync(...) there", lambda s: in_thread(lambda: s.ping.options(conn=s.sync()).enqueue_sync(1))),
    Row("enqueue_many on a sync connection", lambda s: s.ping.options(conn=s.sync()).enqueue_many([s.ping.call(1)]), C, "once for each", None),
    Row("enqueue_sync on an async connection", lambda s: in_thread(lambda: s.ping.options(conn=s.conn).enqueue_sync(1)), C, "which needs its event loop: await ping.enqueue(...) there", lambda s: s.ping.options(conn=s.conn).enqueue(1)),
    Row("enqueue_sync on a running loop", lambda s: s.ping.enqueue_sync(1), e.HowdahError, "await ping.enqueue(...) instead", lambda s: in_thread(lambda: s.ping.enqueue_sync(1))),
    Row("result_sync on a running loop", lambda s: s.ping.attach(1).result_sync(), e.HowdahError, "await run.result(...) instead", None),
    Row("an engine as conn=", lambda s: s.ping.options(conn=mishaps.engine(s)).enqueue(1), C, "or a connection or session of SQLAlchemy, not sqlalchemy.engine.base.Engine", None),
    Row("an empty key", lambda s: s.ping.options(unique=""), C, "unique='' cannot be a key: it has 0 characters of 1 to 500", lambda s: s.ping.options(unique="k").enqueue(1)),
    Row("unique_for without a key", lambda s: s.ping.options(unique_for="1h"), C, "say which, with unique=True", lambda s: s.ping.options(unique_for="1h", unique=True).enqueue(1)),
    Row("unique_for no time", lambda s: s.ping.options(unique_for=0, unique=True), C, "unique_for=0 would hold the key for no time", None),
    Row("child= outside of a run", lambda s: s.ping.options(child="k").enqueue(1), C, "child= is a key within the run that enqueues; use unique= here", None),
    Row("child= of many", lambda s: s.ping.options(child="k").enqueue_many([s.ping.call(1)]), C, "each with a key of its own", None),
    Row("child= and unique=", lambda s: s.ping.options(child="k", unique=True), C, "two keys for one run", lambda s: s.ping.options(child="k")),
    Row("an unknown on_parent_cancel", lambda s: s.ping.options(on_parent_cancel=cast("Any", "leave")), C, "on_parent_cancel='leave' is not one of 'cancel', 'keep'", lambda s: s.ping.options(on_parent_cancel="keep").enqueue(1)),
    # Runs.
    Row("an exception", lambda s: s.fails(raises), e.RunFailed, "failed at attempt 1 with KeyError: 'lost'", lambda s: s.fails(fine)),
    Row("a large result", lambda s: s.fails(large), e.RunFailed, "return a reference to where it is stored", None),
    Row("a result that is not json", lambda s: s.fails(unspeakable), e.RunFailed, "cannot be stored as json", None),
    Row("a bad snooze", lambda s: s.fails(snoozes), e.RunFailed, "'a while' is no duration", None),
    Row("transaction() in a thread", lambda s: s.fails(in_a_thread), e.RunFailed, "make the function `async def`", None),
    Row("a cancelled run", lambda s: s.ended("cancelled"), e.RunCancelled, "was cancelled: why not", None),
    Row("a run that expired", lambda s: s.ended("expired"), e.RunExpired, "nobody started it in time", None),
    Row("the caller's own time", lambda s: s.ended("never"), TimeoutError, "", None),
    # In an attempt, and after it.
    Row("transaction() twice", lambda s: s.within(twice), e.HowdahError, "has been completed by an earlier transaction() already; use one of them per run", lambda s: s.within(in_one)),
    Row("transaction() in transaction()", lambda s: s.within(nested), e.HowdahError, "is open already; pass its connection on instead of opening another one", lambda s: s.within(in_one)),
    Row("extend() when the time is over", lambda s: s.within(extends_late, timeout=0.1), e.HowdahError, "is over already: call extend() before that", lambda s: s.within(extends_in_time, timeout=5)),
    Row("extend() after the attempt", lambda s: s.too_late(), e.HowdahError, "came too late: the attempt has ended", lambda s: s.within(extends_in_time)),
    Row("a lease that was lost", lambda s: s.within(loses), e.LeaseLost, "is no longer held by this process: another attempt may be under way. Stop, and let what is uncommitted roll back.", lambda s: s.within(in_one)),
    Row("a result that is not as annotated", lambda s: s.fails(gives_another), e.HowdahError, "is not what 'gives_another' says it returns: Expected `int`, got `str`. The run has succeeded; mend the annotation", lambda s: s.fails(fine)),
    Row("a provider's positional-only parameter", lambda s: s.define(needs_by_place), C, "by_place' is positional-only: it is filled by its name", lambda s: s.define(supplied)),
    Row("a circle of dependencies", lambda s: s.define(circles), C, "dependencies go round in a circle: ", lambda s: s.define(supplied)),
    # The app, its connections and its process.
    Row("an app left by another task", mishaps.left_elsewhere, e.HowdahError, "was left by another task than the one that entered it", mishaps.left_here),
    Row("an app closed while a result is awaited", mishaps.closed_while_awaited, e.AppNotOpen, "the app was closed while this result was awaited: await it inside of `async with jobs:`", None),
    Row("an app closed before an enqueue is sent", mishaps.closed_before_sent, e.AppNotOpen, "the app was closed before this enqueue was sent: do it inside of `async with jobs:`", lambda s: s.ping.enqueue(1)),
    Row("a migration by older code", mishaps.migrated_by_older_code, e.SchemaMismatch, "the schema is at migration 3, newer than the 2 that this code knows; nothing was changed", None),
    Row("a migration by a role that may not", mishaps.migrated_by_a_guest, C, "this role may not change the schema: ", None),
    Row("a Django connection to SQLite", lambda s: in_thread(lambda: s.ping.options(conn=mishaps.django_to_sqlite()).enqueue_sync(1)), C, "conn= was given Django's connection 'archive', which is to sqlite: pass the one to the Postgres", None),
    Row("a fork after the start", mishaps.forked, e.HowdahError, "make the first call after the fork (in the worker), or start processes with `spawn`", lambda s: in_thread(lambda: s.ping.enqueue_sync(1))),
    Row("a connection that is lost in a call", mishaps.cut_off, e.DatabaseAway, "whether it took effect is not known. Try again.", lambda s: s.jobs.runs.list()),
    Row("enqueue_many in AUTOCOMMIT", lambda s: mishaps.many_by_sqlalchemy(s, isolation_level="AUTOCOMMIT"), C, "this connection of SQLAlchemy commits each statement by itself (isolation_level='AUTOCOMMIT')", mishaps.many_by_sqlalchemy),
    # What surrounds an attempt.
    Row("use() of a value", lambda s: use(cast("Any", 7)), C, "takes a function that supplies the value", lambda s: use(fine)),
    Row("a life that is none", lambda s: use(fine, per=cast("Any", "day")), C, 'it is "run" or "node"', lambda s: use(fine, per="node")),
    Row("a provider with a parameter", lambda s: s.define(needs, name="a").call(), C, "cannot fill its parameter 'number'", None),
    Row("a resource of the node that needs the run's", lambda s: s.define(shorter), C, 'give that per="node" too', None),
    Row("use() in Annotated", lambda s: s.define(annotated).call(1), C, "has its `use` in Annotated", lambda s: s.define(supplied).call()),
    Row("an argument for a dependency", lambda s: s.define(supplied).call(1), A, "is filled on the node, by use(fine): leave it out", lambda s: s.define(supplied, name="b").call()),
    Row("a direct call without a dependency", lambda s: cast("Any", s.define(supplied))(), A, "has no node that would fill 'number' by use(fine): pass it, as in supplied(..., number=...)", lambda s: cast("Any", s.define(supplied, name="b"))(number=1)),
    Row("a middleware that does not yield", lambda s: s.fresh.middleware(cast("Any", fine)), C, "an async generator function without parameters", lambda s: s.fresh.middleware(cast("Any", each))),
    Row("a provider that does not yield", lambda s: s.fails(unyielding), e.RunFailed, "ended without a yield", lambda s: s.fails(fine)),
    Row("a provider that yields twice", lambda s: s.fails(doubled), e.RunFailed, "'yields_twice' yielded a second time: what surrounds something yields exactly once", lambda s: s.fails(fine)),
    Row("extend() by nothing", lambda s: s.fails(extends), e.RunFailed, "extend(timeout=0) would end the attempt", None),
    Row("no such log level", lambda s: App(log_level="LOUD"), C, "is no level of logging", lambda s: App(log_level="DEBUG")),
    # Processes.
    Row("a function inside of another", lambda s: s.isolated(made()), C, "it is defined inside of made()", lambda s: s.isolated(fine)),
    Row("a lambda in a process", lambda s: s.define(lambda: 1, name="one", isolation="process"), C, "Define it with `def` at the top level", None),
    Row("hidden middleware", lambda s: s.surrounded(made_middleware()), C, "`async def` at the top level of a module", lambda s: s.surrounded(nothing_around)),
    Row("a process that dies", lambda s: s.isolated(dies), e.RunFailed, "the process of task 'dies' ended with exit status 7 in the middle", lambda s: s.isolated(fine)),
    Row("a process over its memory", lambda s: s.isolated(stays, memory="1MB"), e.RunFailed, "over its limit of 1 MB (memory=) and was killed", lambda s: s.isolated(fine, memory="1GB")),
    Row("a process that is late", lambda s: s.isolated(fine, within_s=0.01), e.RunFailed, "not ready within 0.01 s (process_start_s)", lambda s: s.isolated(fine, within_s=60)),
    Row("transaction() in a process", lambda s: s.isolated(in_a_thread), e.RunFailed, "leave isolation= out", None),
    Row("work in a child process", lambda s: s.in_child(), e.HowdahError, 'under `if __name__ == "__main__":`', None),
    # SQL.
    Row("SQL: no task", lambda s: s.sql(f"{SELECT}('')"), asyncpg.DataError, "howdah.enqueue needs the name of a task", lambda s: s.sql(f"{SELECT}('ping')")),
    Row("SQL: arguments as an array", lambda s: s.sql(f"{SELECT}('t', '[1]')"), asyncpg.DataError, "the arguments of t must be a json object of its parameters", lambda s: s.sql(f"{SELECT}('t', '{{}}')")),
    Row("SQL: no arguments", lambda s: s.sql(f"{SELECT}('t', null)"), asyncpg.DataError, "the arguments of t must be a json object of its parameters", lambda s: s.sql(f"{SELECT}('t')")),
    Row("SQL: an unknown option", lambda s: s.sql("select howdah.submit('t', array['{}'], '{\"colour\": 1}', true)"), asyncpg.DataError, 'does not know the option "colour"', None),
    Row("SQL: a priority", lambda s: s.sql(f"{SELECT}('t', priority => 40000)"), asyncpg.DataError, "priority is 40000 and not from -32767 to 32767", lambda s: s.sql(f"{SELECT}('t', priority => 4)")),
    Row("SQL: over a hundred years", lambda s: s.sql(f"{SELECT}('t', expires => '101 years')"), asyncpg.DataError, "delay, expires, timeout and unique_for are at most a hundred years", lambda s: s.sql(f"{SELECT}('t', expires => '99 years')")),
    Row("SQL: beyond the calendar", lambda s: s.sql(f"{SELECT}('t', at => '9999-06-01')"), asyncpg.DataError, "a run of t would be due or expire beyond the year 9998: it would wait for ever", lambda s: s.sql(f"{SELECT}('t', at => '9998-06-01')")),
    Row("SQL: a long key", lambda s: s.sql(f"{SELECT}('t', unique_key => repeat('x', 501))"), asyncpg.DataError, "a key has 501 characters and not at most 500", lambda s: s.sql(f"{SELECT}('t', unique_key => repeat('x', 500))")),
    Row("SQL: a child without a parent", lambda s: s.sql(f"{SELECT}('t', child => 'mail')"), asyncpg.DataError, "child=mail needs a parent", lambda s: s.sql(f"{SELECT}('t', child => 'mail', parent => {SELECT.removeprefix('select ')}('t'))")),
    Row("SQL: a parent that is not there", lambda s: s.sql(f"{SELECT}('t', parent => 5)"), asyncpg.DataError, "there is no run 5 to be the parent of a run of t", lambda s: s.sql(f"{SELECT}('t', parent => {SELECT.removeprefix('select ')}('t'))")),
    Row("SQL: a queue without a name", lambda s: s.sql(f"{SELECT}('t', queue => '')"), asyncpg.DataError, "the name of a queue has 0 characters and not from 1 to 200", lambda s: s.sql(f"{SELECT}('t', queue => 'q')")),
    Row("SQL: a long name of a task", lambda s: s.sql("select howdah.introduce(repeat('x', 201))"), asyncpg.DataError, "the name of a task has 201 characters and not from 1 to 200", lambda s: s.sql("select howdah.introduce(repeat('x', 200))")),
    Row("SQL: metadata as an array", lambda s: s.sql(f"{SELECT}('t', metadata => '[1]')"), asyncpg.DataError, "the metadata of t must be a json object", lambda s: s.sql(f"{SELECT}('t', metadata => '{{}}')")),
    Row("SQL: metadata that is no text", lambda s: s.sql(f"{SELECT}('t', metadata => '{{\"a\": 7}}')"), asyncpg.DataError, "the metadata of t must have texts as values", lambda s: s.sql(f"{SELECT}('t', metadata => '{{\"a\": \"7\"}}')")),
    Row("SQL: a day that is not over", lambda s: s.sql("select howdah.drop_day((howdah.day_base() >> 40)::int)"), asyncpg.DataError, "is not over: history is kept for at least a day", lambda s: s.sql("select howdah.drop_day((howdah.day_base() >> 40)::int - 9)")),
    Row("SQL: a filter that is none", lambda s: s.sql("select runs from howdah.find_runs('{\"colour\": \"red\"}', 5)"), asyncpg.DataError, 'a filter of runs does not know "colour"', lambda s: s.sql("select runs from howdah.find_runs('{\"task\": \"t\"}', 5)")),
    Row("SQL: defaults as an array", lambda s: s.sql("select howdah.introduce('t8', 'default', 0::smallint, '[]')"), asyncpg.DataError, "the defaults of t8 must be an object", lambda s: s.sql("select howdah.introduce('t8', 'default', 0::smallint, '{}')")),
    Row("SQL: a retry under stricter isolation", lambda s: s.serializable("select howdah.retry('{1}')"), asyncpg.ActiveSQLTransactionError, "howdah.retry looks again after it has written, so it needs read committed", lambda s: s.sql("select howdah.retry('{1}')")),
    Row("SQL: a reap under stricter isolation", lambda s: s.serializable("select howdah.reap(3)"), asyncpg.ActiveSQLTransactionError, "howdah.reap looks again after it has written, so it needs read committed", lambda s: s.sql("select howdah.reap(3)")),
    Row("SQL: a node's leave under stricter isolation", lambda s: s.serializable("select howdah.leave_node(1)"), asyncpg.ActiveSQLTransactionError, "howdah.leave_node looks again after it has written, so it needs read committed", lambda s: s.sql("select howdah.leave_node(1)")),
    # Connections and roles.
    Row("a poll without a pause", lambda s: App(poll_s=0), C, "poll_s=0 must be more than 0", lambda s: App(poll_s=0.1)),
    Row("the status as a role that may only enqueue", lambda s: s.enqueuer(lambda t: t.attach(1).status()), C, "howdah grant ROLE --as", lambda s: s.enqueuer(lambda t: t.enqueue(1))),
    Row("a result as a role that may only enqueue", lambda s: s.enqueuer(lambda t: t.attach(1).result(5)), C, "howdah grant ROLE --as", None),
    Row("SQL: a parent that is not the enqueuer's", lambda s: s.enqueuer(s.forged), asyncpg.InsufficientPrivilegeError, "is not its own: it cannot be a parent", None),
    Row("SQL: a role that is not there", lambda s: s.sql("select howdah.permit('howdah_missing', 'node')"), asyncpg.UndefinedObjectError, "there is no role howdah_missing", None),
    Row("SQL: a kind of role", lambda s: s.sql("select howdah.permit(current_user, 'king')"), asyncpg.DataError, "as enqueue, node or read, not as king", None),
    Row("SQL: no retention", lambda s: s.sql("select howdah.old_days(0)"), asyncpg.DataError, "history is kept for at least a day, not for 0", None),
    Row("SQL: a handler of failures without a name", lambda s: s.sql("select howdah.introduce('t9', 'default', 0::smallint, '{\"on_failure\": {}}')"), asyncpg.DataError, 'on_failure of t9 must be {"task": ..., "parameter": ...}', None),
    # Looking after runs, queues and tasks.
    Row("a run that is not there", lambda s: s.jobs.runs.get(5), e.HowdahError, "there is no run 5: its transaction has not committed, or its history has been dropped", lambda s: s.jobs.runs.list()),
    Row("a tree of no run", lambda s: s.jobs.runs.tree(5), e.HowdahError, "there is no run 5: its transaction has not committed, or its history has been dropped", None),
    Row("a state that is none", lambda s: s.jobs.runs.list(state="done"), A, "'done' is no state of a run; the states are scheduled, ", lambda s: s.jobs.runs.list(state="failed")),
    Row("a filter that is none", lambda s: s.jobs.runs.list(**COLOUR), A, "runs have no filter 'colour'; the filters are state, task", lambda s: s.jobs.runs.list(task="x")),
    Row("a page too long", lambda s: s.jobs.runs.list(limit=5000), A, "go on with before=page.cursor", lambda s: s.jobs.runs.list(limit=1000)),
    Row("a naive since", lambda s: s.jobs.runs.list(since=NAIVE), A, "say which, as in datetime.now(UTC)", lambda s: s.jobs.runs.list(since=datetime.now(UTC))),
    Row("a since that is none", lambda s: s.jobs.runs.list(since="soon"), A, "a time or how long ago", lambda s: s.jobs.runs.list(since="1h")),
    Row("a count by tags", lambda s: s.jobs.runs.count(tags="x"), A, 'runs are not counted by "tags" (Counts are kept by state, task, queue and since; list the runs to see the others.)', lambda s: s.jobs.runs.count(task="x")),
    Row("a count of one half", lambda s: s.jobs.runs.count(state="retrying"), A, "scheduled and retrying runs are counted together only", lambda s: s.jobs.runs.count(state=["scheduled", "retrying"])),
    Row("a count of then", lambda s: s.jobs.runs.count(state="queued", since="1h"), A, "pending runs are counted as they are now, not since a time", lambda s: s.jobs.runs.count(state="queued")),
    Row("a retry of everything", lambda s: s.jobs.runs.retry(), A, 'a filter such as state="failed"', lambda s: s.jobs.runs.retry(state="failed")),
    Row("ids and a filter", lambda s: s.jobs.runs.cancel([1], task="x"), A, "pass the ids of runs or a filter, not both", lambda s: s.jobs.runs.cancel([1])),
    Row("a retention that is none", lambda s: s.jobs.queues.set("q", retention="long"), A, "retention= takes a duration: ", lambda s: s.jobs.queues.set("q", retention="7d")),
    Row("half a day's retention", lambda s: s.jobs.queues.set("q", retention="12h"), A, 'is not a number of whole days, at least one: write it as in "7d"', lambda s: s.jobs.queues.set("q", retention="7d")),
    Row("a session that was ended in transaction()", lambda s: s.within(outlived), e.DatabaseAway, "it sat idle for a lease (15 s), or the connection was lost. Await what takes long before the block", lambda s: s.within(in_one)),
    Row("an open app elsewhere", lambda s: s.jobs.redirected(s.dsn).__enter__(), e.HowdahError, "point it to another database before `async with jobs:`", lambda s: s.closed.redirected(s.dsn)),
    Row("a provider that nobody uses", lambda s: s.jobs.registry.replaced({len: len}).__enter__(), C, "pass the function that stands in use(...)", None),
    Row("a server for tests that is no URL", lambda s: Databases("host=here"), C, "name the server for tests as postgresql://USER@HOST/DATABASE", lambda s: Databases(s.dsn)),
    Row("a lifespan that no server runs", mishaps.never_served, e.AppNotOpen, "give lifespan=jobs.lifespan to that one, or wrap it in jobs.asgi()", lambda s: s.ping.enqueue(1)),
    Row("an app that is open on another loop", mishaps.elsewhere, e.HowdahError, "call enqueue_sync and result_sync from a thread that runs no loop", lambda s: in_thread(lambda: s.ping.enqueue_sync(1))),
    Row("an app that was open before a fork", mishaps.forked_on_its_loop, e.HowdahError, "open it after the fork (a server that forks its workers runs their lifespans after it)", lambda s: s.ping.enqueue(1)),
    Row("another loop than asyncio's", lambda s: in_thread(lambda: s.closed.client.open().send(None)), e.HowdahError, "leave out what chose that, such as hypercorn's --worker-class trio", None),
    Row("a bare generator as a lifespan", lambda s: s.jobs.lifespan_with(cast("Any", nothing_around)), C, "decorate it with @contextlib.asynccontextmanager", lambda s: s.jobs.lifespan_with(asynccontextmanager(mishaps.gives_no_state))),
    Row("a coroutine function as a lifespan", lambda s: s.jobs.lifespan_with(cast("Any", ping)), C, "as in FastAPI(lifespan=jobs.lifespan_with()). An app goes to jobs.asgi(app)", lambda s: s.jobs.lifespan_with()),
    Row("a WSGI app", lambda s: s.jobs.asgi(cast("Any", pings)), C, "it must take (scope, receive, send). Of Django take get_asgi_application()", lambda s: s.jobs.asgi(mishaps.serves_nothing)),
    Row("a grace that is none", lambda s: s.jobs.lifespan_with(grace="soon"), ValueError, "'soon' is no duration", lambda s: s.jobs.lifespan_with(grace="8s")),
    Row("SQL: an order that is none", lambda s: s.sql("select howdah.order_node('x', 'dance')"), asyncpg.DataError, "a node is told to pause, to resume or to drain, and not dance", None),
    Row("a node that is not there", lambda s: s.order("far", "pause"), A, "there is no node far", lambda s: s.order("near-1", "pause")),
    Row("a name of two nodes", lambda s: s.order("near", "pause"), A, "2 nodes are called near...: near-1, near-2", lambda s: s.order("near-2", "pause")),
    Row("a drain taken back", lambda s: s.order("near-1", "drain", "near-1", "resume"), A, "the node near-1 drains, and that is not taken back", None),
    Row("management of a closed app", lambda s: s.closed.runs.list(), e.AppNotOpen, "inside `async with jobs:`", lambda s: s.jobs.runs.list()),
]  # fmt: skip


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
