"""Enqueue, state, cancel: statements of ours on borrowed connections."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from time import monotonic

import anyio
import asyncpg

from .combiner import Combiner
from .config import Config
from .context import check_held
from .core.states import State
from .db.catalogue import stating
from .db.files import query
from .db.link import Connection, transaction
from .db.migrate import check
from .db.pool import Pool
from .definitions import Definition
from .drivers import async_driver, sync_driver
from .errors import AppNotOpen, ArgumentsInvalid, HowdahError
from .messages import Ended
from .nearby import Nearby
from .results import Results
from .submission import Made, Request, Submitted, answer, enqueuing, introduction, one, one_new, one_telling, refusals, several
from .telemetry import unseen

log = logging.getLogger("howdah.client")

TIMER_NEWS_S = 30.0
"""A timer that is due within the keepers' longest sleep is announced."""

RARE_S = 0.01
"""An enqueue that comes so long after the one before is rare."""

DEAF = (
    "HOWDAH_DSN goes through a pooler, where nothing can be heard: runs, timers, cancels and results are asked for each %g s"
    " (poll_s). Set HOWDAH_DIRECT_DSN to the same database past the pooler; or, if it pools whole sessions, HOWDAH_POOLER=false"
)

NOT_OPEN = "the app is not open: do this inside `async with jobs:` (or jobs.work()), or pass conn="

UNRUN = (
    ". Its lifespan was given to an ASGI app, and no server has run it. Servers run that of the outermost app alone: where yours is"
    " mounted inside of another one, give lifespan=jobs.lifespan to that one, or wrap it in jobs.asgi(). A server may also speak no"
    " lifespan or be told not to (uvicorn --lifespan off); and a TestClient runs it in `with TestClient(app) as client:`"
)

IDLE = (
    "task %s is enqueued on a connection of yours, and nothing in this process works on it: jobs.lifespan was given to an ASGI app,"
    " and no server has run it. If this is a server, its outermost app is another one, in which yours is mounted: give"
    " lifespan=jobs.lifespan to that one, or wrap it in jobs.asgi(). (This is said once.)"
)


class CallsFailed(Exception):
    """Whoever made the calls for an enqueue_many raised: on its way out that must not be taken for the database's error."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class Client:
    """What an app does with a database. Open between `async with jobs:` and its end."""

    def __init__(self, config: Config) -> None:
        self.pool = Pool(config)
        self.results = Results(self)
        self.combiner = Combiner(config, self._submit)
        self.nearby = Nearby()
        self.opener: Callable[[], Awaitable[None]] | None = None
        """Opens the app, in a child process: nobody has entered it there, and few functions need it."""
        self.unrun = False
        """An ASGI app has been given a lifespan that opens this, and no server has run it so far."""
        self.unworked = False
        """The same of one that works on tasks, until that has been said once."""
        self._open = False
        self._process = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._introduced: set[str] = set()
        self._submitted = -math.inf

    @property
    def config(self) -> Config:
        """The settings, with what was found out when it connected."""
        return self.pool.config

    def point(self, config: Config) -> None:
        """To another database, while it is closed."""
        self.pool = Pool(config)
        self._introduced.clear()

    async def open(self) -> None:
        """Connects. DatabaseAway: Postgres does not answer. SchemaMismatch: this code cannot work with the schema. HowdahError: the
        event loop is not one of asyncio."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as error:
            raise HowdahError(
                "the app needs an event loop of asyncio, and is opened on another one: leave out what chose that, such as hypercorn's"
                " --worker-class trio"
            ) from error
        await self.pool.open()
        if not self.config.hears:
            log.warning(DEAF, self.config.poll_s)
        self._open, self._process, self._loop = True, os.getpid(), loop
        try:
            async with self.pool.ours() as connection:
                await check(connection)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Ends the connections."""
        self._open = False
        self.combiner.close()
        self.results.close()
        await self.pool.close()

    async def serve(self) -> None:
        """Answers who awaits a result and commits what is enqueued, until it is cancelled. Any number may offer to."""
        async with anyio.create_task_group() as group:
            group.start_soon(self.results.serve)
            group.start_soon(self.combiner.serve)

    async def ready(self) -> None:
        """check_open(), after opening it where its process does that at the first use."""
        if self.opener is not None and not self._open:
            check_held()
            await self.opener()
        self.check_open()

    def check_open(self) -> None:
        """AppNotOpen outside of `async with jobs:`. LeaseLost in an attempt that has lost its run."""
        check_held()
        self._check_open()

    def check_here(self) -> None:
        """HowdahError where it is open in the process that this one was forked from, or on another event loop."""
        if self._open and os.getpid() != self._process:
            raise HowdahError(
                f"this process was forked from {self._process}, where the app is open already, and connections cannot be shared: open"
                " it after the fork (a server that forks its workers runs their lifespans after it), or start processes with `spawn`"
            )
        if self._open and self._loop is not asyncio.get_running_loop():
            raise HowdahError(
                "the app is open on another event loop, that of a TestClient or of another thread, and its connections live there:"
                " await this on that loop; or call enqueue_sync and result_sync from a thread that runs no loop"
            )

    def know(self, definitions: Iterable[Definition]) -> None:
        """A node has put these into the catalogue: introducing them would need a second connection inside of a transaction()."""
        self._introduced.update(definition.name for definition in definitions)

    async def enqueue(self, request: Request, conn: object) -> Made:
        """Enqueues one run, in the caller's transaction on conn, or durably on the pool."""
        if conn is None:
            await self.ready()
            if request.alone:
                return (await self._submit([request]))[0].made()[0]
            return await self.combiner.enqueue(request)
        check_held()
        name = request.definition.name
        self._warn_of_idleness(name)
        driver = async_driver(conn, f"{name}.enqueue", f"call {name}.enqueue_sync(...) there")
        known = await self._is_known(request.definition)
        with enqueuing([request]), refusals(name), unseen():
            row = await driver.fetch(*(one if known else one_new)(request, notify=True))
        return answer(row).made()[0]

    def enqueue_sync(self, request: Request, conn: object) -> Made:
        """The same on a connection of sync code, and on nothing else."""
        check_held()
        name = request.definition.name
        self._warn_of_idleness(name)
        driver = sync_driver(conn, f"{name}.enqueue_sync", f"await {name}.enqueue(...) there")
        known = name in self._introduced
        with enqueuing([request]), refusals(name), unseen():
            row = driver.fetch(*(one if known else one_new)(request, notify=True))
        return answer(row).made()[0]

    async def enqueue_many(self, definition: Definition, requests: AsyncIterator[Request], conn: object) -> list[Submitted]:
        """All in one transaction, in chunks: memory is bounded by a chunk and the ids."""
        if conn is None:
            await self.ready()
            await self._introduce(definition)
            async with self.pool.ours() as connection:
                return await self._enqueue_all(connection, requests)
        check_held()
        name = definition.name
        self._warn_of_idleness(name)
        driver = async_driver(conn, f"{name}.enqueue_many", f"call {name}.enqueue_sync(...) there, once for each")
        known = await self._is_known(definition)
        submitted: list[Submitted] = []
        async with driver.together():
            async for request in requests:
                with enqueuing([request]), refusals(name), unseen():
                    row = await driver.fetch(*(one if known else one_new)(request, notify=True))
                submitted.append(answer(row))
                known = True
        return submitted

    async def state(self, run: int) -> State | None:
        """Where the run is; None: there is no such run, or its history has been dropped."""
        await self.ready()
        async with self.pool.ours() as connection:
            state = await connection.fetchval(query("state"), run)
        return None if state is None else State(state)

    async def cancel(self, runs: Sequence[int], reason: str | None) -> dict[int, str]:
        """For each run whether it was cancelled, requested, had ended before, or is unknown."""
        await self.ready()
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

    async def _submit(self, requests: Sequence[Request]) -> list[Submitted]:
        """Commits all of them or none on a connection of the pool, and tells the nodes."""
        self._check_open()
        for request in requests:
            await self._introduce(request.definition)
        name = requests[0].definition.name
        async with self.pool.ours() as connection:
            with enqueuing(requests), refusals(name):
                if len(requests) == 1:
                    statement, values = one_telling(requests[0]) if self._is_rare() else one(requests[0], notify=False)
                    submitted = [answer(await connection.fetchrow(statement, *values))]
                else:
                    statement, values = several(requests)
                    submitted = [answer(row) for row in await connection.fetch(statement, *values)]
            await self._announce(connection, submitted)
        return submitted

    async def _enqueue_all(self, connection: Connection, requests: AsyncIterator[Request]) -> list[Submitted]:
        submitted: list[Submitted] = []
        async with transaction(connection):
            async for request in requests:
                with enqueuing([request]), refusals(request.definition.name):
                    statement, values = one(request, notify=False)
                    submitted.append(answer(await connection.fetchrow(statement, *values)))
        await self._announce(connection, submitted)
        return submitted

    async def _announce(self, connection: Connection, news: Sequence[Submitted]) -> None:
        """Wakes nodes after the commit, once for each line: those of this process at once, the others by a notification."""
        lines: dict[tuple[int, int, int], tuple[int, int]] = {}
        due_s = TIMER_NEWS_S
        for submitted in news:
            made = submitted.made_span()
            if made is None or submitted.told:
                continue
            if submitted.due_s is None:
                line = (submitted.queue, submitted.task, submitted.priority)
                before = lines.get(line, made)
                lines[line] = (min(before[0], made[0]), max(before[1], made[1]))
            else:
                due_s = min(due_s, submitted.due_s)
        heard = [self.nearby.tell(*line, first) for line, (first, _) in lines.items()]
        if any(heard):
            await asyncio.sleep(0)  # Their claim goes first; the notification is for others.
        origin = self.nearby.origin
        try:
            if len(lines) == 1:
                [(line, (first, last))] = lines.items()
                await connection.execute(query("hint"), *line, first, origin, last)
            elif lines:
                await connection.execute(
                    query("hint_all"),
                    *map(list, zip(*lines, strict=True)),
                    [made[0] for made in lines.values()],
                    origin,
                    [made[1] for made in lines.values()],
                )
            if due_s < TIMER_NEWS_S:
                await connection.execute(query("hint_timer"), str(due_s))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            # The runs are committed, and so it is said: an error here would have them enqueued again. Nodes find them at their next look.
            log.warning("what was enqueued is committed, but nodes could not be notified of it: %s", error)

    def _is_rare(self) -> bool:
        """Whether the commit shall wake the nodes itself: sooner by a tenth, but commits in quick succession would stand in
        line for each other's flush. A node in this process hears by itself, and should not share its core with the others."""
        before, self._submitted = self._submitted, monotonic()
        return self._submitted - before > RARE_S and not self.nearby.listened

    def _check_open(self) -> None:
        if not self._open:
            raise AppNotOpen(NOT_OPEN + UNRUN if self.unrun else NOT_OPEN)
        self.check_here()

    def _warn_of_idleness(self, task: str) -> None:
        """An enqueue on the caller's connection needs no open app, so that a lifespan that never runs would go unnoticed."""
        if self.unworked and not self._open and self.opener is None:
            self.unworked = False
            log.warning(IDLE, task)

    async def _is_known(self, definition: Definition) -> bool:
        """Whether the catalogue holds the task whatever becomes of the caller's transaction. An open app sees to that."""
        if self._open and os.getpid() == self._process:
            await self._introduce(definition)
        return definition.name in self._introduced

    async def _introduce(self, definition: Definition) -> None:
        """The first enqueue of a task puts it into the catalogue, so that this works before any worker has started."""
        if definition.name in self._introduced:
            return
        async with self.pool.ours() as own:
            with stating(definition):
                await own.fetchval(query("introduce"), *introduction(definition))
        self._introduced.add(definition.name)


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
