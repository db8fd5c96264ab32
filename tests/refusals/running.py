"""What keeps runs, nodes and apps from what they were to do."""

from contextlib import asynccontextmanager
from typing import Any, cast

from howdah import App, use
from howdah import errors as e
from howdah.testing import Databases
from opentelemetry.sdk.trace import TracerProvider

from .. import mishaps
from ..wrongdoing import (
    annotated,
    circles,
    dies,
    doubled,
    each,
    extends,
    extends_in_time,
    extends_late,
    fine,
    gives_another,
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
    outlived,
    ping,
    pings,
    raises,
    shorter,
    snoozes,
    stays,
    supplied,
    twice,
    unspeakable,
    unyielding,
)
from .row import A, C, Row

ROWS = [
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
    Row("a session that was ended in transaction()", lambda s: s.within(outlived), e.DatabaseAway, "it sat idle for a lease (15 s), or the connection was lost. Await what takes long before the block", lambda s: s.within(in_one)),
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
    Row("an open app elsewhere", lambda s: s.jobs.redirected(s.dsn).__enter__(), e.HowdahError, "point it to another database before `async with jobs:`", lambda s: s.closed.redirected(s.dsn)),
    Row("a provider that nobody uses", lambda s: s.jobs.registry.replaced({len: len}).__enter__(), C, "pass the function that stands in use(...)", None),
    Row("a server for tests that is no URL", lambda s: Databases("host=here"), C, "name the server for tests as postgresql://USER@HOST/DATABASE", lambda s: Databases(s.dsn)),
    Row("an app that is open on another loop", mishaps.elsewhere, e.HowdahError, "call enqueue_sync and result_sync from a thread that runs no loop", lambda s: in_thread(lambda: s.ping.enqueue_sync(1))),
    Row("an app that was open before a fork", mishaps.forked_on_its_loop, e.HowdahError, "open it after the fork (a server that forks its workers runs their lifespans after it)", lambda s: s.ping.enqueue(1)),
    Row("another loop than asyncio's", lambda s: in_thread(lambda: s.closed.client.open().send(None)), e.HowdahError, "leave out what chose that, such as hypercorn's --worker-class trio", None),
    # Lifespans.
    Row("a lifespan that no server runs", mishaps.never_served, e.AppNotOpen, "give lifespan=jobs.lifespan to that one, or wrap it in jobs.asgi()", lambda s: s.ping.enqueue(1)),
    Row("a bare generator as a lifespan", lambda s: s.jobs.lifespan_with(cast("Any", nothing_around)), C, "decorate it with @contextlib.asynccontextmanager", lambda s: s.jobs.lifespan_with(asynccontextmanager(mishaps.gives_no_state))),
    Row("a coroutine function as a lifespan", lambda s: s.jobs.lifespan_with(cast("Any", ping)), C, "as in FastAPI(lifespan=jobs.lifespan_with()). An app goes to jobs.asgi(app)", lambda s: s.jobs.lifespan_with()),
    Row("a WSGI app", lambda s: s.jobs.asgi(cast("Any", pings)), C, "it must take (scope, receive, send). Of Django take get_asgi_application()", lambda s: s.jobs.asgi(mishaps.serves_nothing)),
    Row("a grace that is none", lambda s: s.jobs.lifespan_with(grace="soon"), ValueError, "'soon' is no duration", lambda s: s.jobs.lifespan_with(grace="8s")),
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
    Row("labels in a process", lambda s: s.isolated(mishaps.labels_its_node), e.RunFailed, "change them in a task without isolation=", None),
    Row("work in a child process", lambda s: s.in_child(), e.HowdahError, 'under `if __name__ == "__main__":`', None),
    # OpenTelemetry, set up by --otel.
    Row("--otel where it is set up", lambda s: mishaps.exports(s, provider=TracerProvider()), C, "in this process it is set up already (by opentelemetry-instrument, perhaps): leave --otel and HOWDAH_WORKER_OTEL out", mishaps.exports),
    Row("--otel to another exporter", lambda s: mishaps.exports(s, OTEL_TRACES_EXPORTER="zipkin"), C, "OTEL_TRACES_EXPORTER='zipkin' is not what --otel can send to: it is otlp or none", mishaps.exports),
    Row("--otel by gRPC", lambda s: mishaps.exports(s, OTEL_EXPORTER_OTLP_PROTOCOL="grpc"), C, "OTEL_EXPORTER_OTLP_PROTOCOL='grpc' is not what --otel speaks: it is http/protobuf (port 4318 of a collector, as a rule)", lambda s: mishaps.exports(s, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")),
    Row("--otel by gRPC for one kind", lambda s: mishaps.exports(s, OTEL_EXPORTER_OTLP_LOGS_PROTOCOL="grpc"), C, "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL='grpc' is not what --otel speaks", mishaps.exports),
    Row("--otel without its packages", mishaps.exports_without_the_sdk, C, 'pip install "howdah[otel]"', mishaps.exports),
]  # fmt: skip
