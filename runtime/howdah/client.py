"""Enqueue, state, cancel: statements of ours on borrowed connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from . import codec
from .config import Config
from .context import check_held
from .core.states import State
from .db.files import query
from .db.link import Connection, transaction
from .db.pool import Pool
from .definitions import Definition
from .errors import AppNotOpen, ArgumentsInvalid, ConfigurationError
from .messages import Ended
from .nearby import Nearby
from .results import Results

log = logging.getLogger("howdah.client")

TIMER_NEWS_S = 30.0
"""A timer that is due within the keepers' longest sleep is announced."""


NO_SCHEMA = "this database has no howdah schema: run `howdah migrate`"


class CallsFailed(Exception):
    """Whoever made the calls for an enqueue_many raised: on its way out that must not be taken for the database's error."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class Request(msgspec.Struct, frozen=True):
    """Runs to enqueue: one task, its encoded arguments, its encoded options."""

    definition: Definition
    args: list[str]
    options: str | None


class _Submitted(msgspec.Struct, frozen=True):
    ids: list[int]
    queue: int
    task: int
    priority: int
    due_s: float | None
    created: list[bool] | None


class Client:
    """What an app does with a database. Open between `async with jobs:` and its end."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.pool = Pool(config)
        self.results = Results(config, self)
        self.nearby = Nearby()
        self._open = False
        self._introduced: set[str] = set()

    async def open(self) -> None:
        """Connects. DatabaseAway: Postgres does not answer."""
        await self.pool.open()
        self._open = True

    async def close(self) -> None:
        """Ends the connections."""
        self._open = False
        self.results.close()
        await self.pool.close()

    def check_open(self) -> None:
        """AppNotOpen outside of `async with jobs:`. LeaseLost in an attempt that has lost its run."""
        check_held()
        if not self._open:
            raise AppNotOpen("the app is not open: do this inside `async with jobs:` (or jobs.work()), or pass conn=")

    def know(self, definitions: Iterable[Definition]) -> None:
        """A node has put these into the catalogue: introducing them would need a second connection inside of a transaction()."""
        self._introduced.update(definition.name for definition in definitions)

    async def enqueue(self, request: Request, conn: object) -> list[int]:
        """Enqueues in the caller's transaction on conn, or durably on the pool; the ids of the runs, in order."""
        if conn is not None:
            check_held()
            connection = as_connection(conn)
            await self._introduce(request.definition, connection)
            return (await _submit(connection, request, notify=True)).ids
        self.check_open()
        async with self.pool.ours() as connection:
            await self._introduce(request.definition, connection)
            submitted = await _submit(connection, request, notify=False)
            await self._announce(connection, submitted)
        return submitted.ids

    async def enqueue_many(self, requests: AsyncIterator[Request], conn: object) -> list[int]:
        """All in one transaction, in chunks: memory is bounded by a chunk and the ids."""
        if conn is not None:
            check_held()
            connection = as_connection(conn)
            if connection.is_in_transaction():
                return await self._enqueue_within(connection, requests)
            async with transaction(connection):
                return await self._enqueue_within(connection, requests)
        self.check_open()
        async with self.pool.ours() as connection:
            return await self._enqueue_all(connection, requests)

    async def state(self, run: int) -> State | None:
        """Where the run is; None: there is no such run, or its history has been dropped."""
        self.check_open()
        async with self.pool.ours() as connection:
            state = await connection.fetchval(query("state"), run)
        return None if state is None else State(state)

    async def cancel(self, runs: Sequence[int], reason: str | None) -> dict[int, str]:
        """For each run whether it was cancelled, requested, had ended before, or is unknown."""
        self.check_open()
        async with self.pool.ours() as connection:
            try:
                rows = await connection.fetch(query("cancel"), list(runs), reason)
            except asyncpg.DataError as error:
                raise ArgumentsInvalid(f"Postgres cannot store reason={reason!r}: {error}") from error
            answers = {row[0]: row[1] for row in rows}
            if "cancelled" in answers.values():
                await connection.execute(query("settle"))
        return answers

    async def watch(self, runs: Sequence[int]) -> list[Ended]:
        """Marks runs as awaited; those that have ended already, and those that do not exist."""
        async with self.pool.ours() as connection:
            return [Ended(*row) for row in await connection.fetch(query("watch"), list(runs))]

    async def outcomes(self, runs: Sequence[int]) -> list[Ended]:
        """Those that have ended."""
        async with self.pool.ours() as connection:
            return [Ended(*row) for row in await connection.fetch(query("outcomes"), list(runs))]

    async def _enqueue_within(self, connection: Connection, requests: AsyncIterator[Request]) -> list[int]:
        """In the caller's transaction: it is theirs to roll back."""
        ids: list[int] = []
        async for request in requests:
            await self._introduce(request.definition, connection)
            ids += (await _submit(connection, request, notify=True)).ids
        return ids

    async def _enqueue_all(self, connection: Connection, requests: AsyncIterator[Request]) -> list[int]:
        ids: list[int] = []
        news: dict[tuple[int, int, int], _Submitted] = {}
        async with transaction(connection):
            async for request in requests:
                await self._introduce(request.definition, connection)
                submitted = await _submit(connection, request, notify=False)
                ids += submitted.ids
                news.setdefault((submitted.queue, submitted.task, submitted.priority), submitted)
        for submitted in news.values():
            await self._announce(connection, submitted)
        return ids

    async def _announce(self, connection: Connection, submitted: _Submitted) -> None:
        """Wakes nodes after the commit: those of this process at once, the others by a notification."""
        if not submitted.ids:
            return
        if submitted.due_s is None:
            key = submitted.queue, submitted.task, submitted.priority, submitted.ids[0]
            if self.nearby.tell(*key):
                await asyncio.sleep(0)  # Their claim goes first; the notification is for others.
            await connection.execute(query("hint"), *key, self.nearby.origin)
        elif submitted.due_s < TIMER_NEWS_S:
            await connection.execute(query("hint_timer"), str(submitted.due_s))

    async def _introduce(self, definition: Definition, connection: Connection) -> None:
        """The first enqueue of a task puts it into the catalogue, so that this works before any worker has started."""
        if definition.name in self._introduced:
            return
        defaults = codec.encode(definition.catalogue()["defaults"])
        name, queue, priority = definition.name, definition.queue, definition.priority
        if self._open:
            async with self.pool.ours() as own:
                await own.fetchval(query("introduce"), name, queue, priority, defaults)
            self._introduced.add(name)
            return
        try:
            await connection.fetchval(query("introduce"), name, queue, priority, defaults)
        except (asyncpg.UndefinedFunctionError, asyncpg.InvalidSchemaNameError) as error:
            raise ConfigurationError(NO_SCHEMA) from error
        if not connection.is_in_transaction():  # A transaction may roll it back.
            self._introduced.add(name)


async def _submit(connection: Connection, request: Request, *, notify: bool) -> _Submitted:
    try:
        row = await connection.fetchrow(query("submit"), request.definition.name, request.args, request.options, notify)
    except (asyncpg.UndefinedFunctionError, asyncpg.InvalidSchemaNameError) as error:
        raise ConfigurationError(NO_SCHEMA) from error
    except asyncpg.DataError as error:
        raise ArgumentsInvalid(f"Postgres refused the options of {request.definition.name!r}: {error}") from error
    assert row is not None
    return _Submitted(*row)


def as_connection(conn: object) -> Connection:
    """The asyncpg connection in the caller's hand. ConfigurationError for anything else."""
    if isinstance(conn, asyncpg.Connection | PoolConnectionProxy):
        return conn  # type: ignore[return-value] # a proxy passes everything on
    raise ConfigurationError(
        f"conn= takes an asyncpg connection, not {type(conn).__module__}.{type(conn).__qualname__}; with other drivers call"
        " select howdah.enqueue(...) in your transaction"
    )


def chunked(payloads: Iterable[str], runs_max: int, characters_max: int) -> Iterator[list[str]]:
    """Payloads in order, at most so many at once; a chunk ends where it reaches so many characters."""
    chunk: list[str] = []
    size = 0
    for payload in payloads:
        chunk.append(payload)
        size += len(payload)
        if len(chunk) == runs_max or size >= characters_max:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


async def chunked_as_they_come(payloads: AsyncIterable[str], runs_max: int, characters_max: int) -> AsyncGenerator[list[str], None]:
    """The same of payloads that are awaited one by one. Written out twice: a shared step costs a call for each payload,
    a third of what it takes to make one."""
    chunk: list[str] = []
    size = 0
    async for payload in payloads:
        chunk.append(payload)
        size += len(payload)
        if len(chunk) == runs_max or size >= characters_max:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
