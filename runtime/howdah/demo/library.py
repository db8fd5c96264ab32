"""The demo's task and its tables: each source file is one run, which stores what the file says about itself.

A file enters demo.file in the transaction that enqueues its run, and is stored in the transaction that ends the run.
So whenever the demo is killed, the next start finds every file either stored once or with a run that will store it.
"""

from collections.abc import Sequence

import msgspec

from ..app import App
from ..context import current_run, transaction
from ..db.files import query
from ..db.link import transaction as own_transaction
from ..errors import GiveUp
from ..runs import Run
from ..tasks import Task
from .sources import Entry, Source, Unreadable, entries

QUEUE = "demo"
"""A queue of its own: the demo's node takes no other runs of the database that it is pointed at."""

LEASE_S = 6.0
"""Shorter than the default: the demo invites its user to kill it, and what it held comes back after this time."""

AT_ONCE = 16
"""Files in flight. Reading one takes Python's lock, so more at once only wait; these fill the pauses of the commits."""


class Figures(msgspec.Struct, frozen=True):
    """What the history says about runs: how many attempts were made again, and how long they waited to start."""

    retries: int
    p50_s: float | None
    p99_s: float | None


class Entered(msgspec.Struct, frozen=True):
    """How many files were new or changed, and the run of each file that is not stored: theirs, and those left behind."""

    fresh: int
    runs: dict[str, Run[int]]


class Library:
    """The demo's app: a client and a node inside `async with library.jobs.work(queues=[QUEUE])`."""

    def __init__(self, dsn: str | None) -> None:
        self.jobs = App(dsn, lease_s=LEASE_S, heartbeat_s=LEASE_S / 4, concurrency=AT_ONCE, pool_size=AT_ONCE + 2)
        self._read: Task[[str, str], int] = self.jobs.task(name="demo.read", queue=QUEUE, timeout="1m")(read)

    async def prepare(self) -> None:
        """Makes the demo's tables where they are missing."""
        async with self.jobs.client.pool.ours() as connection, own_transaction(connection):
            await connection.execute(query("schema", "demo"))

    async def enter(self, files: Sequence[Source], *, again: bool) -> Entered:
        """Files that are new or changed enter with a run each, in one transaction; `again` enters all of them."""
        paths = [file.path for file in files]
        columns = [file.module for file in files], [file.size for file in files], [file.modified_ns for file in files]
        async with self.jobs.client.pool.ours() as connection:
            async with own_transaction(connection):
                entered = await connection.fetch(query("enter", "demo"), paths, *columns, again)
                names = [row["path"] for row in entered]
                await connection.execute(query("clear", "demo"), names)
                calls = [self._read.call(row["path"], row["module"]) for row in entered]
                runs = await self._read.options(conn=connection).enqueue_many(calls)
                await connection.execute(query("assign", "demo"), names, [run.id for run in runs])
            left = await connection.fetch(query("open", "demo"), paths)
        return Entered(len(entered), {row["path"]: self._read.attach(row["run"]) for row in left})

    async def forget(self, folder: str, files: Sequence[Source]) -> None:
        """Files that have gone from the folder leave the tables too."""
        async with self.jobs.client.pool.ours() as connection:
            await connection.execute(query("forget", "demo"), f"{folder.rstrip('/')}/", [file.path for file in files])

    async def figures(self, runs: Sequence[int]) -> Figures:
        """What the history says about these runs, of which there is at least one."""
        async with self.jobs.client.pool.ours() as connection:
            row = await connection.fetchrow(query("figures", "demo"), runs, min(runs), max(runs))
        assert row is not None, "an aggregate has a row"
        return Figures(*row)


async def read(path: str, module: str) -> int:
    """The demo's task: reads one file and stores what it says; its result is how many entries that is.

    Parsing runs in the event loop: it holds Python's lock anyway, and eight threads took a third longer than one
    for the standard library (9.9 s and 7.4 s), of which the longest file takes 0.13 s.
    """
    try:
        found = entries(path, module)
    except Unreadable as error:
        raise GiveUp(f"does not parse: {error}") from error
    except FileNotFoundError as error:
        raise GiveUp("is gone") from error
    async with transaction() as connection:
        await connection.execute(query("store", "demo"), path, current_run().id, *_columns(found))
        current_run().set_result(len(found))
    return len(found)


def _columns(found: Sequence[Entry]) -> tuple[list[str], list[str], list[int], list[str], list[str]]:
    return (
        [entry.kind for entry in found],
        [entry.name for entry in found],
        [entry.line for entry in found],
        [entry.summary for entry in found],
        [entry.body for entry in found],
    )
