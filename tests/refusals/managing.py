"""What SQL refuses, and what cannot be done to runs, queues, nodes and roles."""

from datetime import UTC, datetime
from typing import Any, cast

import asyncpg
from howdah import App
from howdah import errors as e

from ..keymaking import live
from .row import SELECT, A, C, Row

NAIVE = datetime(2026, 1, 1)
COLOUR: dict[str, Any] = {"colour": "red"}

ROWS = [
    # SQL.
    Row("SQL: no task", lambda s: s.sql(f"{SELECT}('')"), asyncpg.DataError, "howdah.enqueue needs the name of a task", lambda s: s.sql(f"{SELECT}('ping')")),
    Row("SQL: arguments as an array", lambda s: s.sql(f"{SELECT}('t', '[1]')"), asyncpg.DataError, "the arguments of t must be a json object of its parameters", lambda s: s.sql(f"{SELECT}('t', '{{}}')")),
    Row("SQL: no arguments", lambda s: s.sql(f"{SELECT}('t', null)"), asyncpg.DataError, "the arguments of t must be a json object of its parameters", lambda s: s.sql(f"{SELECT}('t')")),
    Row("SQL: an unknown option", lambda s: s.sql("select howdah.submit('t', array['{}'], '{\"colour\": 1}', true)"), asyncpg.DataError, 'does not know the option "colour"', None),
    Row("SQL: a priority", lambda s: s.sql(f"{SELECT}('t', priority => 40000)"), asyncpg.DataError, "priority is 40000 and not from -32767 to 32767", lambda s: s.sql(f"{SELECT}('t', priority => 4)")),
    Row("SQL: over a hundred years", lambda s: s.sql(f"{SELECT}('t', expires => '101 years')"), asyncpg.DataError, "delay, expires, timeout, unique_for, debounce and debounce_max are at most a hundred years", lambda s: s.sql(f"{SELECT}('t', expires => '99 years')")),
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
    Row("ageing that goes backwards", lambda s: App(ageing_s=-1), C, "ageing_s=-1 must be a time, or 0: runs do not age then", lambda s: App(ageing_s=600)),
    Row("a poll without a pause", lambda s: App(poll_s=0), C, "poll_s=0 must be more than 0", lambda s: App(poll_s=0.1)),
    Row("the status as a role that may only enqueue", lambda s: s.enqueuer(lambda t: t.attach(1).status()), C, "howdah grant ROLE --as", lambda s: s.enqueuer(lambda t: t.enqueue(1))),
    Row("a result as a role that may only enqueue", lambda s: s.enqueuer(lambda t: t.attach(1).result(5)), C, "howdah grant ROLE --as", None),
    Row("SQL: a parent that is not the enqueuer's", lambda s: s.enqueuer(s.forged), asyncpg.InsufficientPrivilegeError, "is not its own: it cannot be a parent", None),
    Row("SQL: a role that is not there", lambda s: s.sql("select howdah.permit('howdah_missing', 'node')"), asyncpg.UndefinedObjectError, "there is no role howdah_missing", None),
    Row("SQL: a kind of role", lambda s: s.sql("select howdah.permit(current_user, 'king')"), asyncpg.DataError, "as enqueue, node or read, not as king", None),
    Row("SQL: no retention", lambda s: s.sql("select howdah.old_days(0)"), asyncpg.DataError, "history is kept for at least a day, not for 0", None),
    Row("SQL: a debounce without a time", lambda s: s.sql("select howdah.introduce('t10', 'default', 0::smallint, '{\"debounce\": {}}')"), asyncpg.DataError, 'debounce of t10 must be {"wait": seconds, ...}', None),
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
    Row("a count of what waits under limits alone", lambda s: s.jobs.runs.count(state="gated"), A, "gated runs are counted together with queued ones only", lambda s: s.jobs.runs.count(state=["queued", "gated"])),
    Row("a count of one half", lambda s: s.jobs.runs.count(state="retrying"), A, "scheduled and retrying runs are counted together only", lambda s: s.jobs.runs.count(state=["scheduled", "retrying"])),
    Row("a count of then", lambda s: s.jobs.runs.count(state="queued", since="1h"), A, "pending runs are counted as they are now, not since a time", lambda s: s.jobs.runs.count(state="queued")),
    Row("a retry of everything", lambda s: s.jobs.runs.retry(), A, 'a filter such as state="failed"', lambda s: s.jobs.runs.retry(state="failed")),
    Row("ids and a filter", lambda s: s.jobs.runs.cancel([1], task="x"), A, "pass the ids of runs or a filter, not both", lambda s: s.jobs.runs.cancel([1])),
    Row("a retention that is none", lambda s: s.jobs.queues.set("q", retention="long"), A, "retention= takes a duration: ", lambda s: s.jobs.queues.set("q", retention="7d")),
    Row("half a day's retention", lambda s: s.jobs.queues.set("q", retention="12h"), A, 'is not a number of whole days, at least one: write it as in "7d"', lambda s: s.jobs.queues.set("q", retention="7d")),
    Row("SQL: an order that is none", lambda s: s.sql("select howdah.order_node('x', 'dance')"), asyncpg.DataError, "a node is told to pause, to resume or to drain, and not dance", None),
    Row("a node that is not there", lambda s: s.order("far", "pause"), A, "there is no node far", lambda s: s.order("near-1", "pause")),
    Row("a name of two nodes", lambda s: s.order("near", "pause"), A, "2 nodes are called near...: near-1, near-2", lambda s: s.order("near-2", "pause")),
    Row("a drain taken back", lambda s: s.order("near-1", "drain", "near-1", "resume"), A, "the node near-1 drains, and that is not taken back", None),
    Row("a pause of a queue that nobody has used", lambda s: s.jobs.queues.pause("mial"), A, "there is no queue mial (howdah.queue_stats and howdah.task_stats list those that are known.)", lambda s: s.jobs.queues.pause("default")),
    Row("a resume of a task that nobody has used", lambda s: s.jobs.tasks.resume("welcom"), A, "there is no task welcom", lambda s: s.jobs.queues.resume("default")),
    Row("SQL: ageing in no time", lambda s: s.sql("select * from howdah.age(0, 100, 0)"), asyncpg.DataError, "runs age in steps of more than no time, not of 0 s", lambda s: s.sql("select * from howdah.age(60, 100, 0)")),
    Row("ageing backwards", lambda s: App(ageing_s=-1), C, "ageing_s=-1 must be a time, or 0: runs do not age then", lambda s: App(ageing_s=600)),
    Row("SQL: a pause of nothing", lambda s: s.sql("select howdah.pause()"), asyncpg.DataError, "a queue or a task is paused and resumed, one of the two", lambda s: s.sql("select howdah.resume(queue => 'default')")),
    # Limits.
    Row("SQL: a limit that is not there", lambda s: live(s, "set_limit('per-usr', '{\"number\": 5}')"), asyncpg.DataError, "there is no limit per-usr", lambda s: live(s, "set_limit('per-user', '{\"number\": 5}')")),
    Row("SQL: a limit's key that is too long", lambda s: live(s, "pause_limit('smtp', repeat('x', 201))"), asyncpg.DataError, "a key of limit smtp has at most 200 characters, and this one has 201", lambda s: live(s, "resume_limit('smtp', repeat('x', 200))")),
    Row("SQL: terms that are none", lambda s: live(s, "set_limit('smtp', '5')"), asyncpg.DataError, "what limit smtp allows is an object, and this is 5", lambda s: live(s, "set_limit('smtp', '{\"per_s\": 5, \"burst\": 5}')")),
    Row("SQL: a limit of nothing, live", lambda s: live(s, "set_limit('per-user', '{\"number\": 0}')"), asyncpg.DataError, "a number is a whole one from 1 to 2147483647", lambda s: live(s, "resume_limit('per-user')")),
    Row("SQL: a rate of nothing, live", lambda s: live(s, "set_limit('smtp', '{\"per_s\": 0, \"burst\": 5}')"), asyncpg.DataError, "per_s is a number above 0, burst a whole one", lambda s: live(s, "resume_limit('smtp')")),
    Row("the terms of a breaker, live", lambda s: live(s, lambda jobs: jobs.limits.set("stripe", 5)), A, "stripe is a breaker: when it opens is said in the code alone", lambda s: live(s, lambda jobs: jobs.limits.reset("stripe"))),
    Row("a limit with a period", lambda s: live(s, lambda jobs: jobs.limits.set("per-user", 5, per="1m")), A, "per-user is a limit and no rate: it has no period (Say how many at once", lambda s: live(s, lambda jobs: jobs.limits.set("per-user", 5))),
    Row("a rate without a period", lambda s: live(s, lambda jobs: jobs.limits.set("smtp", 5)), A, "smtp is a rate and no limit: it has a period (Say how often", lambda s: live(s, lambda jobs: jobs.limits.set("smtp", 100, per="1m"))),
    Row("a burst without a period", lambda s: live(s, lambda jobs: jobs.limits.set("smtp", 5, burst=5)), A, "burst=5 is said of rates, and a rate has a period: pass per= as well", lambda s: live(s, lambda jobs: jobs.limits.set("smtp", 5, per="1m", burst=5))),
    Row("nothing at once, live", lambda s: live(s, lambda jobs: jobs.limits.set("per-user", 0)), A, ". To let nothing start, pause it: jobs.limits.pause('per-user')", lambda s: live(s, lambda jobs: jobs.limits.resume("per-user"))),
    Row("a period of no number", lambda s: live(s, lambda jobs: jobs.limits.override("smtp", "a", None, per="1m")), A, "per= and burst= say how often n may start: pass n as well, or neither", lambda s: live(s, lambda jobs: jobs.limits.override("smtp", "a", None))),
    Row("a limit's key that is none", lambda s: live(s, lambda jobs: jobs.limits.pause("smtp", cast("Any", 1.5))), A, "1.5 is no key of a limit: a key is text, a whole number, a bool, a UUID or an enum of these", lambda s: live(s, lambda jobs: jobs.limits.resume("smtp", 1))),
    Row("management of a closed app", lambda s: s.closed.runs.list(), e.AppNotOpen, "inside `async with jobs:`", lambda s: s.jobs.runs.list()),
]  # fmt: skip
