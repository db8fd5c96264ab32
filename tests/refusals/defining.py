"""What an app and its tasks may not be: refused where they are defined."""

from datetime import UTC, datetime
from typing import Any, cast

from howdah import App, Limit, Rate, Retry, Tasks
from howdah import errors as e

from .. import wrongdoing
from ..keymaking import awaited_key, key_of_failed, keyless, limited, long_key, of_both_kinds
from ..wrongdoing import (
    ODD,
    each,
    fine,
    fine_too,
    first,
    gives_stage,
    gives_time,
    nowhere,
    one_float,
    ping,
    pings,
    position,
    report,
    star,
    stars,
    takes_any,
    takes_either,
    takes_stage,
    takes_time,
)
from .row import A, C, Row

WRONG = wrongdoing.__file__

ROWS = [
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
    # Limits.
    Row("a limit of nothing", lambda s: Limit("x", 0), C, "n=0 of Limit('x', 0) must be a whole number from 1 to", lambda s: Limit("x", 1)),
    Row("a limit without a name", lambda s: Limit("", 1), C, "limit='' cannot be a name", lambda s: Limit("x", 1)),
    Row("a limit that is called as a group", lambda s: Limit("x/group", 1), C, "belongs to another limit", lambda s: Limit("x-group", 1)),
    Row("a limit whose name is none", lambda s: Limit(cast("Any", 2), 1), C, "2 is no name of a limit: a limit starts with one, as in Limit('per-user', 2)", lambda s: Limit("x", 1)),
    Row("a key that is a number", lambda s: Limit("x", 1, key=cast("Any", 7)), C, "is neither a field path, as in key='user.id', nor a function", lambda s: Limit("x", 1, key="user.id")),
    Row("weights that are a list", lambda s: Limit("x", 1, fair_by="plan", weights=cast("Any", ["gold"])), C, "is no mapping: pass groups and numbers, as in weights={'gold': 3}", lambda s: Limit("x", 1, fair_by="plan", weights={"gold": 3})),
    Row("a weight of a number", lambda s: Limit("x", 1, fair_by="plan", weights=cast("Any", {7: 3})), C, "weights= of Limit('x', 1) names the group 7, and groups are text: pass '7'", lambda s: Limit("x", 1, fair_by="plan", weights={"7": 3})),
    Row("limits that are none", lambda s: s.define(ping, limits=None), C, "is no list of limits: pass some, as in limits=[Limit('per-user', 2)]", lambda s: s.define(ping, limits=[])),
    Row("paths beside the types", lambda s: s.define(limited, limits=[Limit("x", 1, fair_by="text.id")]).definition.catalogue(), C, "fair_by= of Limit('x', 1) does not fit the types of task 'limited'", lambda s: s.define(limited, limits=[Limit("x", 1, fair_by="text")]).definition.catalogue()),
    Row("a limit that is a rate elsewhere", lambda s: of_both_kinds(s, "both", "both"), C, "Postgres refused the definition of task 'second", lambda s: of_both_kinds(s, "one", "another")),
    Row("weights of no groups", lambda s: Limit("x", 1, weights={"gold": 2}), C, "say which, with fair_by=", lambda s: Limit("x", 1, fair_by="plan", weights={"gold": 2})),
    Row("a weight of 0", lambda s: Limit("x", 1, fair_by="plan", weights={"gold": 0}), C, "it is a positive number", lambda s: Limit("x", 1, fair_by="plan", weights={"gold": 0.1})),
    Row("a rate without a period", lambda s: Rate("x", 5, per=0), C, "say how long it takes until 5 tokens are back", lambda s: Rate("x", 5, per="1ms")),
    Row("a period that is no duration", lambda s: Rate("x", 5, per="soon"), ValueError, '"1h30m"', lambda s: Rate("x", 5, per="1h30m")),
    Row("an empty bucket", lambda s: Rate("x", 5, per=1, burst=0), C, "burst=0 of ", lambda s: Rate("x", 5, per=1, burst=1)),
    Row("a cost of nothing", lambda s: Rate("x", 5, per=1, cost=0), C, "is neither a positive number nor the field path of one", lambda s: Rate("x", 5, per=1, cost=0.5)),
    Row("one limit for limits", lambda s: s.define(ping, limits=Limit("x", 1)), C, "pass a list, as in limits=[Limit('x', 1)]", lambda s: s.define(ping, limits=[Limit("x", 1)])),
    Row("a limit that is none", lambda s: s.define(ping, limits=["x"]), C, "is no limit: pass a Limit(...) or a Rate(...)", lambda s: s.define(ping, limits=[Limit("x", 1)])),
    Row("a limit twice", lambda s: s.define(ping, limits=[Limit("x", 1), Limit("x", 1, key="number")]), C, "has two limits called 'x'", lambda s: s.define(ping, limits=[Limit("x", 1), Limit("y", 1, key="number")])),
    Row("two limits of one name", lambda s: [s.define(ping, limits=[Limit("x", 1)]), s.define(pings, limits=[Limit("x", 2)])], C, "Tasks that share a limit say the same of it", lambda s: s.define(pings, limits=[Limit("x", 1)])),
    Row("a path to no parameter", lambda s: s.define(ping, limits=[Limit("x", 1, key="user.id")]), C, "the task has no parameter 'user'; it has number", lambda s: s.define(ping, limits=[Limit("x", 1, key="number")])),
    Row("a path that is none", lambda s: s.define(ping, limits=[Limit("x", 1, key="number.")]), C, "is names with dots between them, as in 'user.id'", lambda s: s.define(ping, limits=[Limit("x", 1, key="number")])),
    Row("a path to no field", lambda s: s.define(limited, limits=[Limit("x", 1, key="number.id")]).definition.catalogue(), C, "'number' has no 'id', and is int", lambda s: s.define(limited, limits=[Limit("x", 1, key="number")]).definition.catalogue()),
    Row("a path to a float", lambda s: s.define(one_float, limits=[Limit("x", 1, key="number")]).definition.catalogue(), C, "pass a function that decides for one", lambda s: s.define(one_float, limits=[Limit("x", 1, key=round)]).definition.catalogue()),
    Row("a cost that is a text", lambda s: s.define(limited, limits=[Rate("x", 1, per=1, cost="text")]).definition.catalogue(), C, "a number is wanted there", lambda s: s.define(limited, limits=[Rate("x", 1, per=1, cost="number")]).definition.catalogue()),
    Row("a key that is awaited", lambda s: s.define(ping, limits=[Limit("x", 1, key=awaited_key)]), C, "an enqueue does not wait for it: make it plain", lambda s: s.define(ping, limits=[Limit("x", 1, key=long_key)])),
    Row("a key of other parameters", lambda s: s.define(ping, limits=[Limit("x", 1, key=keyless)]), C, "is called with the arguments of the task (number), and cannot take them", lambda s: s.define(fine, limits=[Limit("x", 1, key=keyless)])),
    Row("a handler with a function as key", lambda s: s.define(ping, on_failure=s.define(report, limits=[Limit("x", 1, key=key_of_failed)])), C, "which cannot call it: pass a field path", lambda s: s.define(pings, on_failure=s.define(report, name="r", limits=[Limit("x", 1, key="failed.task")]))),
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
    # Types of arguments and results.
    Row("a class of one's own", lambda s: s.define(takes_stage).call(s), C, "parameter 'stage' of task 'takes_stage'", None),
    Row("a result of such a class", lambda s: s.define(gives_stage).definition.catalogue(), C, "use a dataclass, an attrs class, a msgspec.Struct or a pydantic model", None),
    Row("a union of likes", lambda s: s.define(takes_either).call(1), C, "has a type that cannot be stored: Type unions may not contain", None),
    Row("such a value", lambda s: s.define(takes_any).call(s), A, "json cannot carry a ", lambda s: s.define(takes_any).call({})),
    Row("a key that is no text", lambda s: s.define(takes_any).call({(1, 2): 3}), A, "keys of a dict are text or numbers", lambda s: s.define(takes_any).call({1: 3})),
    Row("an argument without a zone", lambda s: s.define(takes_time).call(datetime(2030, 1, 1)), A, "use datetime.now(UTC) and the like - at `$.when`", lambda s: s.define(takes_time).call(datetime.now(UTC))),
    Row("an offset with seconds", lambda s: s.define(takes_time).call(ODD), A, "use .astimezone(UTC) - at `$.when`", lambda s: s.define(takes_time).call(ODD.astimezone(UTC))),
    Row("a result without a zone", lambda s: s.fails(gives_time), e.RunFailed, "has no time zone, so it names no instant", None),
]  # fmt: skip
