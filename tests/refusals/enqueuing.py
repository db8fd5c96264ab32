"""What cannot be enqueued, and from where it cannot be."""

from datetime import UTC, datetime
from typing import Any, cast

import asyncpg
from howdah import Debounce, Limit, Rate, current_batch, current_run, transaction
from howdah import errors as e

from .. import mishaps
from ..keymaking import by_number, by_text, keyless, limited, lone_surrogate, long_key, nested, no_key, of_a_stub, raising_key, stub, without_keys
from ..wrongdoing import (
    fine,
    in_thread,
    one_float,
    one_text,
    ping,
    pings,
)
from .row import SELECT, A, C, Row

ROWS = [
    # Keys, threads, direct calls.
    Row("a key's time without a key", lambda s: s.ping.options(unique_for="1h"), C, "say which, with unique=True or unique='a key'", lambda s: s.ping.options(unique_for="1h", unique=True)),
    Row("a key's time of 0", lambda s: s.ping.options(unique=True, unique_for=0), C, "would hold the key for no time", lambda s: s.ping.options(unique=True, unique_for=1)),
    Row("two keys for one run", lambda s: s.ping.options(unique=True, child="a"), C, "are two keys for one run", lambda s: s.ping.options(child="a")),
    Row("a sync call on a loop", lambda s: s.ping.enqueue_sync(1), e.HowdahError, "was called on a running event loop, which it would block", lambda s: s.ping.enqueue(1)),
    Row("SQL: a parent's cancel", lambda s: s.sql(f"{SELECT}('t', on_parent_cancel => 'stop')"), asyncpg.DataError, "on_parent_cancel is stop and not cancel or keep", lambda s: s.sql(f"{SELECT}('t', on_parent_cancel => 'keep')")),
    Row("SQL: a trigger without a task", lambda s: s.trigger("each row", ""), asyncpg.DataError, "is for rows, and needs the name of a task", lambda s: s.trigger("each row", "'t'")),
    Row("SQL: a trigger's column", lambda s: s.trigger("each row", "'t', 'mail'"), asyncpg.UndefinedColumnError, 'howdah.enqueue_on_insert was told to pass the column "mail", and public.entered has none of this name', lambda s: s.trigger("each row", "'t', 'id'")),
    # Options.
    Row("a naive time", lambda s: s.ping.options(at=datetime(2030, 1, 1)), C, "has no time zone, so it names no instant: use datetime.now(UTC) and the like", lambda s: s.ping.options(at=datetime(2030, 1, 1, tzinfo=UTC))),
    Row("a bad duration", lambda s: s.ping.options(delay="soon"), ValueError, '"1h30m"', lambda s: s.ping.options(delay="1h30m")),
    Row("a negative duration", lambda s: s.ping.options(delay=-1), ValueError, "not negative", lambda s: s.ping.options(delay=0)),
    Row("an endless duration", lambda s: s.ping.options(expires=1e12), ValueError, "at most a hundred years", lambda s: s.ping.options(expires="99w")),
    Row("a priority", lambda s: s.ping.options(priority=32768), C, "from -32767 to 32767", lambda s: s.ping.options(priority=32767)),
    Row("tags as one text", lambda s: s.ping.options(tags="red"), C, "is one text: pass a list, as in tags=['red']", lambda s: s.ping.options(tags=["red"])),
    Row("a timeout of 0", lambda s: s.ping.options(timeout=0), C, "a timeout is positive", lambda s: s.ping.options(timeout="1ms")),
    Row("an empty queue", lambda s: s.ping.options(queue=""), C, "queue='' cannot be a name: it has 0 characters of 1 to 200, and no NUL", lambda s: s.ping.options(queue="q").enqueue(1)),
    Row("a debounce beside a delay", lambda s: s.ping.options(debounce="5s", delay=1), C, "runs of 'ping' are debounced, which says when they start and that one of a kind waits: leave delay= out", lambda s: s.ping.options(debounce="5s")),
    Row("a debounce beside a key", lambda s: s.ping.options(unique=True).options(debounce="5s"), C, "leave unique= out", lambda s: s.ping.options(debounce=Debounce("5s", key=str))),
    Row("a delay of a debounced task", lambda s: s.define(ping, debounce="5s").options(delay=1), C, "leave delay= out", lambda s: s.define(pings, debounce="5s").options(debounce="1s")),
    Row("a debounce key that is none", lambda s: s.define(ping, debounce=Debounce(1, key=no_key)).call(1), A, "key= of Debounce(1) in task 'ping'", None),
    Row("no value at a debounce's path", lambda s: s.jobs.task(name="bounced", debounce=Debounce(1, key="text"))(limited).enqueue(1), A, "the debounce of bounced has no key here: the arguments have no text", None),
    Row("SQL: a debounce key alone", lambda s: s.sql(f"{SELECT}('t', debounce_key => 'x')"), asyncpg.DataError, "the debounce of t does not say how long it waits for another enqueue", lambda s: s.sql(f"{SELECT}('t', debounce_key => 'x', debounce => '1s')")),
    Row("SQL: a debounce beside a delay", lambda s: s.sql(f"{SELECT}('t', debounce => '1s', delay => '1s')"), asyncpg.DataError, "one of a kind waits: delay cannot be said as well", None),
    Row("SQL: a debounce of 0", lambda s: s.sql(f"{SELECT}('t', debounce => '0s')"), asyncpg.DataError, "does not say how long it waits", lambda s: s.sql(f"{SELECT}('t', debounce => '1s')")),
    Row("SQL: a long debounce key", lambda s: s.sql(f"{SELECT}('t', debounce => '1s', debounce_key => repeat('x', 501))"), asyncpg.DataError, "a debounce key of t has more than 500 characters", None),
    Row("metadata that is no text", lambda s: s.ping.options(metadata=cast("Any", {"customer": 7})), C, "metadata is found by text", lambda s: s.ping.options(metadata={"customer": "7"})),
    Row("metadata that is no mapping", lambda s: s.ping.options(metadata=cast("Any", "x")), C, "is no mapping: pass names and texts, as in metadata={'tenant': '7'}", lambda s: s.ping.options(metadata={"x": "y"})),
    Row("a tag with NUL", lambda s: s.ping.options(tags=["\0"]).enqueue(1), A, "Postgres refused to enqueue 'ping'", lambda s: s.ping.options(tags=["0"]).enqueue(1)),
    Row("conn= of another kind", lambda s: s.ping.options(conn=object()).enqueue(1), C, "call select howdah.enqueue(...)", lambda s: s.ping.options(conn=s.conn).enqueue(1)),
    # Keys of limits.
    Row("a key that is none", lambda s: s.define(ping, limits=[Limit("x", 1, key=no_key)]).call(1), A, "returned None: a key is text, a whole number, a bool or a UUID", lambda s: s.define(ping, limits=[Limit("x", 1, key=str)]).call(1)),
    Row("a key that raises", lambda s: s.jobs.task(name="pong", limits=[Limit("x", 1, key=raising_key)])(ping).enqueue(1), A, " raised KeyError: 1. It has to answer for whatever the task takes", None),
    Row("a key that is no text", lambda s: s.define(ping, limits=[Limit("x", 1, key=lone_surrogate)]).call(1), A, "has a key that is no text: ", None),
    Row("a long key", lambda s: s.define(ping, limits=[Limit("x", 1, key=long_key)]).call(1), A, "it has 201 characters of at most 200, and no NUL. Let it return a digest", None),
    Row("a cost of no number", lambda s: s.define(ping, limits=[Rate("x", 1, per=1, cost=no_key)]).call(1), A, "returned None: a cost is a positive number", None),
    Row("no value at a key's path", lambda s: by_text(s).enqueue(1, None), A, "has no key here: the arguments have no text", lambda s: by_text(s).enqueue(1, "")),
    Row("a long value at a key's path", lambda s: by_text(s).enqueue(1, "x" * 201), A, "a key of limit by-text of limited1 has more than 200 characters", lambda s: by_text(s).enqueue(1, "x" * 200)),
    Row("no cost at its path", lambda s: by_number(s).enqueue(0), A, "the cost that limit by-number of costly1 takes from its arguments is not a number above 0", lambda s: by_number(s).enqueue(1)),
    Row("SQL: no keys for a function", lambda s: without_keys(s, ""), asyncpg.DataError, "has a key that its function in Python works out, and nobody gave it", lambda s: without_keys(s, """, keys => '{"asked": "1"}'""")),
    Row("SQL: a child of who keeps the only permit", lambda s: nested(s, 1, 1), asyncpg.DataError, "which it would be a child of, keeps the only permit of limit nests of 1 under the key", lambda s: nested(s, 2, 1)),
    Row("SQL: a child of those who keep all permits", lambda s: nested(s, 2, 2), asyncpg.DataError, "which it would be a child of, keep all 2 permits of limit nests of 2 under the key", lambda s: nested(s, 3, 2)),
    Row("a stub without keys", lambda s: of_a_stub(s, None), A, ".options(keys={\"asked\": ...}) in Python, --key 'asked=1' of `howdah enqueue`", lambda s: of_a_stub(s, {"asked": 1})),
    Row("a key for a field path", lambda s: by_text(s).options(keys={"by-text": "x"}), C, "would count for nothing: keys are given in the place of functions, and those of its limits are none", lambda s: by_text(s)),
    Row("keys of no mapping", lambda s: s.ping.options(keys=cast("Any", ["x"])), C, "is no mapping: pass names of limits and keys, as in keys={'per-user': 7}", lambda s: s.ping.options(keys={})),
    Row("a key for every limit", lambda s: stub(s).options(keys={"*": "x"}), C, "limit='*' cannot be a name", lambda s: stub(s).options(keys={"x": "x"})),
    Row("a given key that is none", lambda s: stub(s).options(keys={"x": 1.5}), A, "is 1.5: a key is text, a whole number, a bool or a UUID", lambda s: stub(s).options(keys={"x": 1})),
    Row("a long given key", lambda s: stub(s).options(keys={"x": "x" * 201}), A, "no NUL. Let it be a digest", lambda s: stub(s).options(keys={"x": "x" * 200})),
    Row("a given cost of no number", lambda s: stub(s).options(keys={"x/cost": 0}), A, "is 0: a cost is a positive number", lambda s: stub(s).options(keys={"x/cost": 0.5})),
    Row("a given function that takes other arguments", lambda s: stub(s).options(keys={"x": keyless}), C, "is called with the arguments of the task (number), and cannot take them", lambda s: stub(s).options(keys={"x": str})),
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
    Row("current_batch() outside", lambda s: current_batch(), e.HowdahError, "current_batch() was called outside of a run; it works inside a task's function", None),
    Row("current_run() outside", lambda s: current_run(), e.HowdahError, "current_run() was called outside of a run; it works inside a task's function", None),
    Row("transaction() outside", lambda s: transaction(), e.HowdahError, "inside a task's function", None),
    Row("a node without tasks", lambda s: s.fresh.work().__aenter__(), C, "decorate functions with @jobs.task", None),
    Row("queues as one text", lambda s: s.jobs.work(queues="a").__aenter__(), C, "is one text: pass a list, as in queues=['a']", None),
    Row("a queue's weight of nothing", lambda s: s.jobs.work(queues={"mail": 0}).__aenter__(), C, "queues={'mail': 0} is no queue with its weight: pass names with positive numbers, as in queues={'mail': 10, 'default': 1}", None),
    Row("a queue's weight that is none", lambda s: s.jobs.work(queues={"mail": cast("Any", True)}).__aenter__(), C, "queues={'mail': True} is no queue with its weight", None),
    Row("a queue's weight without end", lambda s: s.jobs.work(queues={"mail": float("inf")}).__aenter__(), C, "queues={'mail': inf} is no queue with its weight", None),
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
]  # fmt: skip
