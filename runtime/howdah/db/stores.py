"""What each actor asks of Postgres: a link and its two or three queries. Each store has one owner."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Protocol

import anyio
import asyncpg
import msgspec

from .. import codec
from ..config import Config
from ..core.lines import Key, Line
from ..core.states import Kind
from ..messages import EVENT_COLUMNS, Claimed, Closing, Fact, Failure, Looked, Outcome, Rejection
from ..progress import Reporter
from .files import query
from .link import Link, Owned, is_lost

NODE_GONE = "HW002"
TWICE = "HW003"


class Names(Protocol):
    """Who needs the names of queues, and which."""

    def missing(self, queues: Iterable[int], /) -> list[int]:
        """Those whose names it needs and does not know."""
        ...

    def learn(self, names: Iterable[tuple[int, str]], /) -> None:
        """Tells them."""
        ...


class Claims:
    """Claims runs for a node. After a loss of the connection it is made sure that both sides know of the same claims."""

    def __init__(self, config: Config, name: str, queues: list[int] | None, overtaken: Callable[[], None], names: Names) -> None:
        """overtaken: called soon after a claim whose answer may name runs that somebody wanted cancelled meanwhile. names: they are
        told the names of queues before runs of these are claimed."""
        self._link = Link(config, f"claim {name}", prepare=self._doubt)
        self._queues = queues
        self._unsure = False
        self._began = False
        self._overtaken = overtaken
        self._names = names
        self._cancelled = False

    async def ready(self) -> None:
        """Connects, so that the first claim need not wait for it."""
        await self._link.connected()

    async def look(self, node: int, tasks: list[int]) -> Looked:
        """The head of each line that has a run for one of these tasks of the node, and what else waits."""
        rows = await self._link.call(lambda c: c.fetch(query("look"), node, tasks, self._queues))
        heads = [((row[0], row[1]), (row[2], row[3])) for row in rows if row[0] is not None]
        return Looked(heads, any(row[4] for row in rows), frozenset(row[1] for row in rows if row[0] is None))

    async def claim(
        self, node: int, room: int, lines: Sequence[tuple[Line, Key]], leases: list[int], *, aside: bool, durable: bool
    ) -> list[Claimed]:
        """Up to `room` runs from these lines, in id order. `leases`: those the node knows to hold already. aside: suspects
        and misfits, too, since a slot is free for them. durable: on disk before this returns."""
        queues = [line[0] for line, _ in lines]
        tasks = [line[1] for line, _ in lines]
        priorities = [key[0] for _, key in lines]
        ids = [key[1] for _, key in lines]

        async def work(connection: Owned) -> list[asyncpg.Record]:
            if self._unsure:
                await connection.execute(query("recover"), node, leases, self._link.name)
            if missing := self._names.missing(queues):
                self._names.learn([(row[0], row[1]) for row in await connection.fetch(query("queue_names"), missing)])
            self._unsure = self._began = True
            rows = await connection.fetch(query("claim"), node, room, queues, tasks, priorities, ids, aside, durable)
            self._unsure = False
            return rows

        try:
            rows = await self._link.call(work)
        except asyncpg.PostgresError as error:
            if error.sqlstate != NODE_GONE:
                raise
            self._unsure = False
            return []
        if self._cancelled:
            self._cancelled = False
            asyncio.get_running_loop().call_soon(self._overtaken)  # Then the caller has put them where they are looked for.
        return [Claimed(node, *row) for row in rows]

    async def fetch_admitted(self, node: int, admitted: Mapping[int, int]) -> list[Claimed]:
        """Of these runs, with their leases, those that the gate has admitted to this node."""
        rows = await self._link.call(lambda c: c.fetch(query("fetch_admitted"), node, list(admitted), list(admitted.values())))
        return [Claimed(node, *row) for row in rows]

    async def tell_gate(self, said: Sequence[str]) -> None:
        """Tells the gate, on another node."""
        await self._link.call(lambda c: c.execute(query("tell_gate"), "howdah_gate", said))

    def note_cancel(self) -> None:
        """Somebody wants attempts cancelled that are not known here. They may be in the answer to a claim that is under way."""
        self._cancelled |= self._unsure

    async def close(self) -> None:
        """Ends the connection."""
        await self._link.close()

    async def _doubt(self, _: Owned) -> None:
        # The answer to a claim was lost; or Postgres crashed, forgot claims that were answered, and counts on from before them.
        self._unsure = self._began


class Outcomes:
    """Makes outcomes durable with COPY, and hears in-band which were rejected and whether there is something to settle."""

    def __init__(self, config: Config, name: str) -> None:
        self._link = Link(config, f"write {name}", prepare=self._listen)
        self._config = config
        self._rejected: list[Rejection] = []
        self.unsettled = False

    async def ready(self) -> None:
        """Connects and writes nothing, so that the first outcomes find types, plans and functions at hand."""
        await self._record([])

    async def record(self, batch: Sequence[Outcome]) -> list[Rejection]:
        """Writes the batch, however long Postgres is away; a row that cannot be stored is told apart by bisection
        and becomes a failure that says so. Returns the outcomes that came too late."""
        self._rejected = []
        await self._record(batch)
        return self._rejected

    async def settle(self) -> None:
        """Tells others what the batch means for them."""
        self.unsettled = False
        await self._link.call(lambda c: c.execute(query("settle")))

    async def close_buckets(self, closings: Sequence[Closing]) -> None:
        """Closes rates, however long Postgres is away. Said twice it is said once: their outcomes are not written yet."""
        columns = zip(*map(msgspec.structs.astuple, closings), strict=True)
        arguments = [list(column) for column in columns]
        await self._link.call(lambda c: c.execute(query("close_buckets"), *arguments))

    async def tell_gate(self, said: Sequence[str]) -> None:
        """Tells the gate, on another node."""
        await self._link.call(lambda c: c.execute(query("tell_gate"), "howdah_gate", said))

    async def close(self) -> None:
        """Ends the connection."""
        await self._link.close()

    async def _record(self, batch: Sequence[Outcome]) -> None:
        try:
            await self._link.call(
                lambda c: c.copy_records_to_table(
                    "event", schema_name="howdah", columns=EVENT_COLUMNS, records=map(msgspec.structs.astuple, batch)
                )
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError, TypeError, OverflowError) as error:
            if not _is_data(error):
                raise
            if len(batch) == 1:
                await self._record([_unstorable(batch[0], error)])
                return
            half = len(batch) // 2
            await self._record(batch[:half])
            await self._record(batch[half:])

    async def _listen(self, connection: Owned) -> None:
        connection.add_log_listener(self._hear)

    def _hear(self, _: object, message: asyncpg.PostgresLogMessage) -> None:
        if message.message == "howdah.settle":
            self.unsettled = True
        elif message.message == "howdah.rejected":
            self._rejected += msgspec.json.decode(message.detail or "[]", type=list[Rejection])


def _is_data(error: BaseException) -> bool:
    """Whether the data is at fault, not the way to the database: also one run twice in a batch, under an old lease and a new."""
    if isinstance(error, asyncpg.PostgresError):
        if error.sqlstate == TWICE:
            return True
        return (error.sqlstate or "")[:2] in ("22", "23", "54")
    return isinstance(error, asyncpg.DataError | ValueError | TypeError | OverflowError)


def _unstorable(outcome: Outcome, error: BaseException) -> Outcome:
    failure = Failure("howdah.errors.HowdahError", f"the outcome could not be stored: {error}")
    assert outcome.data is None or "could not be stored" not in outcome.data, "a failure that we made ourselves can be stored"
    return msgspec.structs.replace(outcome, kind=int(Kind.FAILED), delay=None, data=codec.encode(failure))


class Upkeep:
    """Timers, late runs, dead nodes, partitions, and cancels that nobody heard of."""

    def __init__(self, config: Config, name: str) -> None:
        self._link = Link(config, f"keep {name}")
        self._config = config
        self._aged_to = 0
        self._free_at = 0.0

    async def keep(self) -> tuple[float, list[Fact]]:
        """One round; returns in how many seconds the next thing is due, and what was found."""
        # A node that enters after this round is not among its deadlines, but its lease cannot end before one lease from now.
        longest_s = min(self._config.keep_longest_s, self._config.lease_s)
        if not self._config.hears:  # Of a new timer, or of effects to settle, nobody can tell it.
            longest_s = min(longest_s, self._config.poll_s)
        row = await self._link.call(lambda c: c.fetchrow(query("keep"), self._config.keep_batch, longest_s, self._config.quarantine_after))
        assert row is not None
        facts = [] if row["facts"] is None else msgspec.json.decode(row["facts"], type=list[Fact])
        if row["expired"]:
            facts.append(Fact("run.expired", count=row["expired"]))
        if any(fact.fact == "node.lost" for fact in facts) or monotonic() >= self._free_at:
            self._free_at = monotonic() + self._config.lease_s
            await self._link.call(lambda c: c.execute(query("gate_free"), None))
        if facts or not self._config.hears:
            await self.settle()
        return float(row["next_s"]), facts

    async def age(self) -> bool:
        """Raises runs that have waited for long. True: there are more to be looked at, or to be raised."""
        config = self._config
        row = await self._link.call(lambda c: c.fetchrow(query("age"), config.ageing_s, config.keep_batch, self._aged_to))
        assert row is not None
        self._aged_to = row["reached"] or 0
        return row["more"] or row["reached"] is not None

    async def tend(self) -> bool:
        """Looks after partitions and rates. Each day is dropped in a transaction of its own: one that somebody holds keeps none
        of the others. False: something held their locks for too long; come back."""
        config = self._config
        made = await self._unless_locked("tend", config.ahead_days, config.hashes)
        days = await self._link.call(lambda c: c.fetch(query("old_days"), config.retention_days))
        dropped = [await self._unless_locked("drop_day", row["day"]) for row in days]
        await self._link.call(lambda c: c.execute(query("thin_rates"), config.retention_days))
        return made and all(dropped)

    async def trim(self) -> bool:
        """Deletes a batch of what outlived the retention of its queue, or was left behind. False: there is no more."""
        config = self._config
        row = await self._link.call(lambda c: c.fetchrow(query("trim"), config.retention_days, config.trim_batch))
        swept = await self._link.call(lambda c: c.fetchval(query("sweep"), config.trim_batch))
        assert row is not None
        return row["examined"] > 0 or swept >= config.trim_batch

    async def _unless_locked(self, name: str, *arguments: int) -> bool:
        try:
            await self._link.call(lambda c: c.execute(query(name), *arguments))
        except asyncpg.LockNotAvailableError:
            return False
        return True

    async def settle(self) -> None:
        """Applies effects that somebody left behind."""
        await self._link.call(lambda c: c.execute(query("settle")))

    async def asked(self, runs: list[int], leases: list[int]) -> list[tuple[int, int]]:
        """Which of these attempts (run, lease) somebody wants cancelled."""
        rows = await self._link.call(lambda c: c.fetch(query("asked"), runs, leases))
        return [(row[0], row[1]) for row in rows]

    async def note_progress(self, latest: Mapping[Reporter, str]) -> None:
        """Stores what these attempts said last. Those that have lost their run are not heard."""
        runs, leases, nodes = zip(*latest, strict=True)
        await self._link.call(lambda c: c.execute(query("note_progress"), runs, leases, list(latest.values()), nodes))

    async def close(self) -> None:
        """Ends the connection."""
        await self._link.close()


class Bell:
    """A connection that only listens."""

    def __init__(self, config: Config, name: str, channels: Sequence[str], heard: Callable[[str, str], None]) -> None:
        self._own = f"howdah_{name}_{random.getrandbits(48):012x}"
        self._channels = [*channels, self._own]
        self._heard = heard
        self._echo = anyio.Event()
        self._config = config
        self._link = Link(config, f"listen {name}", direct=True, prepare=self._subscribe)

    async def connect(self) -> None:
        """Listens on all channels, on a new connection if the old one is gone."""
        await self._link.connected()

    async def probe(self) -> bool:
        """Whether a notification to ourselves comes back. False: the connection was given up."""
        self._echo = anyio.Event()
        try:
            with anyio.fail_after(self._config.probe_timeout_s):
                connection = await self._link.connected()
                await connection.execute(query("probe"), self._own)
                await self._echo.wait()
        except Exception as error:
            if not is_lost(error):
                raise
            await self._link.drop()
            return False
        return True

    async def close(self) -> None:
        """Ends the connection."""
        await self._link.close()

    async def _subscribe(self, connection: Owned) -> None:
        connection.add_termination_listener(lambda _: self._heard("", ""))
        for channel in self._channels:
            await connection.add_listener(channel, self._notified)

    def _notified(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        if channel == self._own:
            self._echo.set()
        else:
            self._heard(channel, str(payload))
