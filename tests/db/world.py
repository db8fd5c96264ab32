"""A small world to put runs into states with, by the same statements that a node and a client use."""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
from howdah.core.states import Kind
from howdah.db.files import query
from howdah.messages import EVENT_COLUMNS, Claimed, Outcome, Rejection

Session = asyncpg.Connection
"""One session of the test's database."""

Connect = Callable[..., Awaitable[Session]]
"""Opens further sessions."""

SHIFT = "select set_config('howdah.shift', $1, false)"

_nodes = itertools.count(1000)


class Heard(msgspec.Struct):
    """What a session was told on its own connection while it sent a batch of outcomes."""

    rejected: list[Rejection] = []
    unsettled: bool = False


async def shift(db: Session, by: str) -> None:
    """Moves the clock of this session, as in '1 hour'."""
    await db.execute(SHIFT, by)


async def join(db: Session, lease_s: float = 60.0, *, labels: dict[str, Any] | None = None, **definitions: str) -> int:
    """A living node, with the hashes of these definitions of tasks; returns its id."""
    node = next(_nodes)
    tasks = [await db.fetchval(query("introduce"), name, "default", 0, "{}", None) for name in definitions]
    hashes = [*definitions.values()]
    await db.fetchval(query("join_node"), node, "test", "here", 1, "0", tasks, hashes, None, lease_s, json.dumps(labels or {}))
    return node


async def enqueue(db: Session, count: int = 1, task: str = "work", **options: Any) -> list[int]:
    """So many runs of a task, by the statement that the client uses."""
    row = await db.fetchrow(query("submit"), task, ["{}"] * count, json.dumps(options) if options else None, False, None)
    assert row is not None
    return row["ids"]


async def claim(db: Session, node: int, room: int = 1000, tasks: Sequence[str] = ()) -> list[Claimed]:
    """A look, then a claim on everything found: of all tasks, or of these."""
    numbers = [
        row[0] for row in await db.fetch("select id from howdah.task where cardinality($1::text[]) = 0 or name = any($1)", list(tasks))
    ]
    heads = [row for row in await db.fetch(query("look"), node, numbers, None) if row["queue"] is not None]
    lines = [[row[0] for row in heads], [row[1] for row in heads], [row[2] for row in heads], [row[3] - 1 for row in heads]]
    return [Claimed(node, *row) for row in await db.fetch(query("claim"), node, room, *lines, True, False)]


async def running(db: Session, count: int = 1, **options: Any) -> list[Claimed]:
    """So many runs, claimed by a node of their own."""
    ids = await enqueue(db, count, **options)
    claimed = await claim(db, await join(db), count)
    assert [run.id for run in claimed] == ids, "other runs are waiting in this database"
    return claimed


def outcome(run: Claimed, kind: Kind = Kind.SUCCEEDED, delay_s: float | None = None, data: str | None = None) -> Outcome:
    """What a node says of an attempt."""
    return Outcome(run.id, run.lease, run.node, None, int(kind), None if delay_s is None else timedelta(seconds=delay_s), data, run.task)


async def send(db: Session, *outcomes: Outcome) -> Heard:
    """Outcomes by COPY, as the writer sends them; what was heard by the time that COPY returned."""
    heard = Heard()

    def hear(_: object, message: asyncpg.PostgresLogMessage) -> None:
        if message.message == "howdah.settle":
            heard.unsettled = True
        elif message.message == "howdah.rejected":
            heard.rejected += [
                Rejection(late.run, late.lease, late.verdict) for late in msgspec.json.decode(message.detail or "", type=list[Rejection])
            ]

    db.add_log_listener(hear)
    try:
        records = [msgspec.structs.astuple(one) for one in outcomes]
        await db.copy_records_to_table("event", schema_name="howdah", columns=EVENT_COLUMNS, records=records)
        return msgspec.structs.replace(heard)
    finally:
        db.remove_log_listener(hear)


async def state(db: Session, run: int) -> str | None:
    """Where the run is."""
    return await db.fetchval(query("state"), run)


async def kinds(db: Session, run: int) -> list[int]:
    """The kinds of the events of a run, in the order in which they were written."""
    return [row[0] for row in await db.fetch("select kind from howdah.event where run = $1 order by at", run)]


async def cancel(db: Session, *runs: int, reason: str | None = None) -> dict[int, str]:
    """Cancels runs; the answer for each."""
    return {row[0]: row[1] for row in await db.fetch(query("cancel"), list(runs), reason)}


async def watch(db: Session, *runs: int) -> dict[int, int | None]:
    """Marks runs as awaited; the final kind of each that has ended."""
    return {row["run"]: row["kind"] for row in await db.fetch(query("watch"), list(runs))}


async def blocked(db: Session, other: Session) -> None:
    """Returns when the other session waits for a lock. Asks again and again: Postgres has no event for it."""
    pid = other.get_server_pid()
    while not await db.fetchval("select cardinality(pg_blocking_pids($1)) > 0", pid):
        pass


async def while_held(other: Session, statement: Awaitable[object], watcher: Session) -> "asyncio.Future[object]":
    """Starts a statement of another session and returns when it waits for a lock; await the answer later."""
    future = asyncio.ensure_future(statement)
    waiting = asyncio.ensure_future(blocked(watcher, other))
    await asyncio.wait([future, waiting], return_when=asyncio.FIRST_COMPLETED)
    assert waiting.done(), f"the statement did not wait: {future}"
    return future


async def tidy(db: Session) -> None:
    """Nothing is pending, nobody is alive, and the clock is right."""
    await db.execute(
        "truncate howdah.job, howdah.timer, howdah.misfit, howdah.node, howdah.node_order, howdah.paused, howdah.inbox, howdah.stale_event,"
        " howdah.held_key, howdah.subscriber, howdah.progress, howdah.tally, howdah.total, howdah.rate"
    )
    await shift(db, "")


@asynccontextmanager
async def transaction(db: Session, isolation: str = "read committed") -> AsyncGenerator[None]:
    """begin; the test's statements; commit, or rollback if they raise."""
    await db.execute(f"begin isolation level {isolation}")
    try:
        yield
    except BaseException:
        await db.execute("rollback")
        raise
    await db.execute("commit")
