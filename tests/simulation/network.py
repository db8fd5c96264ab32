"""The way to the model: connections as asyncpg has them, with time on the way, and with faults.

A statement may be lost before it reaches the server, or its answer after it was carried out. A cut process sends and
hears nothing until it is joined again, and its connections stay open, as they do when a cable is pulled.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from contextvars import copy_context
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from howdah.core.states import Kind
from howdah.db.files import query
from howdah.errors import DatabaseAway

from .gate import GateVerbs, Seat
from .loop import PROCESS
from .model import Model
from .refusals import HW001, REFUSALS

Answer = Any


class Notice(NamedTuple):
    """What the server says beside an answer."""

    message: str
    detail: str | None = None


class Network:
    """Everything between the processes and the server."""

    def __init__(self, random: Random, now: Callable[[], float]) -> None:
        self.random = random
        self.model = Model(now, self._deliver)
        self.loss = 0.0
        """The share of statements that are lost, or whose answers are."""
        self.up = True
        self.cut: set[str] = set()
        self.seat = Seat()
        self.names: dict[int, str] = {}
        """What each identity of a node is called."""
        self.orders: dict[str, str] = {}
        """What nodes were told, by name."""
        self.trap: Callable[[str], None] | None = None
        """Springs once, when a claim has given a process something and before it hears of that."""
        self._connections: list[Connection] = []

    async def connect(self, *_: Any, **said: Any) -> "Connection":
        """As asyncpg.connect()."""
        connection = Connection(self, PROCESS.get(), said.get("server_settings", {}).get("application_name", ""))
        await self.trip(connection)
        self._connections.append(connection)
        return connection

    async def trip(self, connection: "Connection") -> None:
        """The way there, or back. ConnectionDoesNotExistError: it was lost."""
        random = self.random
        await asyncio.sleep(random.choice((0.0, 0.0005, 0.001, 0.005)) * random.random())
        while connection.process in self.cut and not connection.is_closed():
            await asyncio.sleep(0.1)
        if not self.up or connection.is_closed() or (self.loss and random.random() < self.loss):
            connection.terminate()
            raise asyncpg.ConnectionDoesNotExistError("the connection was lost")

    def drop(self, process: str | None = None) -> None:
        """Ends the connections of a process, or all of them."""
        for connection in list(self._connections):
            if process is None or connection.process == process:
                connection.terminate()

    def restart(self, *, crash: bool) -> None:
        """The server goes down, and up again at once: everybody has to connect anew."""
        if crash:
            self.model.crash(self.random)
        else:
            self.model.journal.flush()
            self.model.started = self.model.now()
        self.drop()

    def fail_over(self) -> set[int]:
        """A standby that lags takes the place of the server, under the same address. The runs of which something was forgotten."""
        forgotten = self.model.fail_over(self.random)
        self.drop()
        return forgotten

    def free_gate(self, blocked: str | None) -> None:
        """Ends what nodes that are not on the list have of the gate."""
        listed = {self.names[node] for node in self.model.nodes} - {blocked}
        for connection in list(self._connections):
            what, _, name = connection.name.removeprefix("howdah ").partition(" ")
            if what in ("seat", "gate") and name not in listed:
                connection.terminate()

    def _deliver(self, channel: str, payload: str) -> None:
        loop = asyncio.get_running_loop()
        for connection in self._connections:
            if channel in connection.listeners and connection.process not in self.cut:
                loop.call_later(self.random.random() * 0.002, connection.hear, channel, payload, context=connection.context)

    def forget(self, connection: "Connection") -> None:
        """It is closed."""
        if connection in self._connections:
            self._connections.remove(connection)
            self.seat.leave(connection)


class Connection:
    """What the stores use of asyncpg.Connection."""

    def __init__(self, network: Network, process: str, name: str = "") -> None:
        self.process = process
        self.name = name
        self.granted = asyncio.Event()
        """The seat of the gate is its own, or the wait for it is over since it has ended."""
        self.context = copy_context()
        self.listeners: dict[str, Callable[..., None]] = {}
        self._network = network
        self._closed = False
        self._log: list[Callable[[object, Any], None]] = []
        self._ends: list[Callable[[object], None]] = []
        self._later: list[Callable[[], Answer]] | None = None
        self.effects: list[Callable[[], None]] = []
        """What the transaction at hand does beside our statements, at its commit."""

    def is_closed(self) -> bool:
        return self._closed

    def terminate(self) -> None:
        if not self._closed:
            self._closed = True
            self._network.forget(self)
            self.granted.set()
            for ended in self._ends:
                asyncio.get_running_loop().call_soon(ended, self, context=self.context)

    async def close(self, timeout: float | None = None) -> None:
        self.terminate()

    def add_log_listener(self, listener: Callable[[object, Any], None]) -> None:
        self._log.append(listener)

    def remove_log_listener(self, listener: Callable[[object, Any], None]) -> None:
        self._log.remove(listener)

    def add_termination_listener(self, listener: Callable[[object], None]) -> None:
        self._ends.append(listener)

    async def add_listener(self, channel: str, listener: Callable[..., None]) -> None:
        await self._network.trip(self)
        self.listeners[channel] = listener

    def hear(self, channel: str, payload: str) -> None:
        """A notification has arrived."""
        if not self._closed:
            self.listeners[channel](self, 0, channel, payload)

    def get_server_pid(self) -> int:
        return id(self)

    def be_lent(self, *, lent: bool) -> None:
        """Nobody watches statements."""

    async def fetch(self, text: str, *arguments: Any, timeout: float | None = None) -> Answer:
        return await self._ask(_NAMES[text], *arguments)

    fetchrow = execute = fetch

    async def fetchval(self, text: str, *arguments: Any) -> Answer:
        answer = await self.fetch(text, *arguments)
        return next(iter(answer.values())) if isinstance(answer, dict) else answer

    async def copy_records_to_table(self, table: str, *, records: Any, **_: Any) -> None:
        rows = [(row[0], row[1], row[2], Kind(row[4]), row[5].total_seconds() if row[5] else 0.0) for row in records]
        rejected, unsettled = await self._carry_out(lambda: self._network.model.call(lambda _: self._network.model.record(rows)))
        if unsettled:
            self._say(Notice("howdah.settle"))
        if rejected:
            said = [{"run": run, "lease": lease, "verdict": verdict} for run, lease, verdict in rejected]
            self._say(Notice("howdah.rejected", json.dumps(said)))

    @asynccontextmanager
    async def lent(self) -> AsyncGenerator["Connection"]:
        """In the hands of a function."""
        yield self

    def transaction(self) -> "Block":
        return Block(self)

    async def _ask(self, name: str, *arguments: Any) -> Answer:
        if name == "gate_free":  # Takes no time: most histories have no gate, and are as they were without it.
            return self._network.free_gate(*arguments)
        if name == "take_seat":
            await self._network.trip(self)
            self._network.seat.ask(self)
            await self.granted.wait()
            return await self._network.trip(self)
        verb = getattr(_Verbs(self._network, self._say, self), name)
        if name == "complete" and self._later is not None:
            await self._network.trip(self)
            self._later.append(lambda: verb(*arguments))
            if not self._network.model.is_held(*arguments[:3]):
                raise HW001("held no more")
            return None
        return await self._carry_out(lambda: verb(*arguments))

    async def _carry_out(self, statement: Callable[[], Answer]) -> Answer:
        network = self._network
        await network.trip(self)
        try:
            answer = statement()
        except tuple(REFUSALS) as refusal:
            await network.trip(self)
            raise REFUSALS[type(refusal)](str(refusal)) from None
        await network.trip(self)
        return answer

    def spring(self) -> None:
        """A claim of this process has given it something."""
        trap, self._network.trap = self._network.trap, None
        if trap is not None:
            trap(self.process)

    def _say(self, notice: Notice) -> None:
        for listener in list(self._log):
            listener(self, notice)


class Block:
    """A transaction of a function: our statement and its effects take effect together, at its commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def start(self) -> None:
        await self._connection._network.trip(self._connection)
        self._connection._later, self._connection.effects = [], []

    async def rollback(self) -> None:
        self._connection._later, self._connection.effects = None, []

    async def commit(self) -> None:
        connection = self._connection
        later, effects = connection._later or [], connection.effects
        connection._later, connection.effects = None, []

        def all_of_it(_: object) -> None:
            for statement in [*later, *effects]:
                statement()

        await connection._carry_out(lambda: self._connection._network.model.call(all_of_it))


class _Verbs(GateVerbs):
    """Each query by its name, with its arguments as the stores send them."""

    def __init__(self, network: Network, say: Callable[[Notice], None], connection: Connection) -> None:
        self._network = network
        super().__init__(network.model, network.names)
        self._say = say
        self._connection = connection

    def claim(
        self, node: int, room: int, queues: list[int], tasks: list[int], priorities: list[int], ids: list[int], aside: bool, durable: bool
    ) -> Answer:
        lines = {task: (priority, number) for task, priority, number in zip(tasks, priorities, ids, strict=True)}
        held = self._model.call(lambda commit: self._model.claim(commit, node, room, lines, aside=aside, durable=durable))
        if held:
            self._connection.spring()
        return [
            (row.run.id, queues[0], row.run.task, row.run.priority, row.attempt, row.lease, "{}", None, None, None, taken)
            for row, taken in held
        ]

    def look(self, node: int, tasks: list[int], queues: list[int] | None) -> Answer:
        return self._model.look(tasks)

    def recover(self, node: int, leases: list[int], application: str) -> Answer:
        return self._model.call(lambda _: self._model.recover(node, leases))

    def settle(self) -> Answer:
        return self._model.call(self._model.settle)

    def complete(self, run: int, lease: int, node: int, *_: Any) -> Answer:
        if self._model.call(lambda _: self._model.complete(run, lease, node)):
            self._say(Notice("howdah.settle"))

    def guard_idle(self, milliseconds: str) -> Answer:
        return milliseconds

    def asked(self, runs: list[int], leases: list[int]) -> Answer:
        return self._model.asked(runs, leases)

    def keep(self, batch: int, longest_s: float, quarantine: int) -> Answer:
        next_s, _, expired = self._model.call(lambda _: self._model.keep(longest_s, quarantine))
        return {"next_s": next_s, "facts": None, "expired": expired}

    def tend(self, *_: Any) -> Answer:
        return None

    def old_days(self, _: int) -> Answer:
        return []

    def thin_rates(self, _: int) -> Answer:
        return None

    def trim(self, *_: Any) -> Answer:
        return {"examined": 0, "deleted": 0}

    def sweep(self, _: int) -> Answer:
        return 0

    def note_progress(self, *_: Any) -> Answer:
        return 0

    def gate_free(self) -> Answer:
        return 0

    def join_node(self, node: int, name: str, host: str, pid: int, version: str, tasks: list[int], *rest: Any) -> Answer:
        self._network.names[node] = name
        try:
            return _instant(self._model.call(lambda _: self._model.join(node, rest[-2], tasks)))
        except KeyError:
            raise asyncpg.UniqueViolationError("it has entered") from None

    def renew(self, node: int, lease_s: float) -> Answer:
        answer = self._model.call(lambda commit: self._model.renew(commit, node, lease_s))
        if answer is None:
            return None
        ordered = self._network.orders.get(self._network.names[node])
        return {"now": _instant(answer[0]), "unsettled": answer[1], "ordered": ordered}

    def leave_node(self, node: int) -> Answer:
        self._model.call(lambda _: self._model.leave(node))

    def probe(self, channel: str) -> Answer:
        self._model.call(lambda _: self._model.notify(channel, "probe"))

    def register(self, name: str, *_: Any) -> Answer:
        return TASKS.index(name) + 1

    def installation(self) -> Answer:
        return UUID(int=1)


TASKS = ("plain", "once", "charge", "flaky", "patient", "quick", "narrow")
"""The tasks by their numbers, from 1."""

_SESSIONS = ("know_seat", "take_seat")
_NAMES = {query(name, "sessions" if name in _SESSIONS else "queries"): name for name in dir(_Verbs) if not name.startswith("_")}


class Pool:
    """What a node uses of howdah's pool."""

    instruments = None
    """Nobody measures."""

    def __init__(self, network: Network, config: Any) -> None:
        self.config = config
        self._network = network

    @asynccontextmanager
    async def ours(self) -> AsyncGenerator[Connection]:
        async with self.lend() as connection:
            yield connection

    @asynccontextmanager
    async def lend(self) -> AsyncGenerator[Connection]:
        try:
            connection = await self._network.connect()
        except asyncpg.PostgresConnectionError as error:
            raise DatabaseAway("the server is away") from error
        try:
            yield connection
        finally:
            connection.terminate()


def _instant(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
