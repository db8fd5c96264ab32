"""The gate's statements, and its seat: a lock that one node of the database has, and the others wait for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import asyncpg
import msgspec

from ..config import Config
from ..core.breaker import Breaker, Guard
from ..messages import Held, SeatLost, Terms, Waiting
from .files import query
from .link import Link, Owned, is_lost

R = TypeVar("R")

CHANNEL = "howdah_gate"

SIT_S = 86_400.0
"""The wait for the seat begins anew this often: no statement waits for ever on a connection that nobody hears of."""

FENCED = ("HW002", "HW004")
"""The node has lost its lease; another node has taken the gate."""


class _Allowed(msgspec.Struct):
    number: int | None = None
    per_s: float | None = None
    burst: float | None = None
    failures: float = 0
    of: int = 0
    open_s: float = 0


class Gates:
    """What a node asks as the gate. Past any pooler: the seat is a session's, and so is what it hears."""

    def __init__(self, config: Config, name: str, heard: Callable[[str], None], lost: Callable[[], None]) -> None:
        """heard: called with what is said to the gate. lost: called when one of the connections ends by itself."""
        self._seat = Link(config, f"seat {name}", direct=True, prepare=self._watch)
        self._link = Link(config, f"gate {name}", direct=True, prepare=self._listen)
        self._config = config
        self._heard = heard
        self._lost = lost

    async def sit(self) -> None:
        """Waits until the seat is free, and takes it. Other nodes wait until rise(), or the end of the connection.
        The wait is in a transaction, which reads nothing and so holds nothing up: tables are locked in no other way."""

        async def work(connection: Owned) -> None:
            await connection.execute(query("know_seat", "sessions"))
            await connection.execute(query("take_seat", "sessions"), timeout=SIT_S)

        await self._seat.call(work)

    async def enter(self, node: int) -> int:
        """Takes the gate over for this node; the new epoch."""
        await self._link.connected()
        return await self._ask(lambda c: c.fetchval(query("gate_enter"), node))

    @property
    def is_taken(self) -> bool:
        """Whether the seat is this node's, and it hears what is said to the gate, as far as is known."""
        return self._seat.is_up and self._link.is_up

    async def rise(self) -> None:
        """Gives the seat up."""
        await self._seat.close()
        await self._link.close()

    async def terms(self) -> list[Terms]:
        """What limits allow, and those of their keys that have terms of their own."""
        rows = await self._ask(lambda c: c.fetch(query("gate_terms")))
        return [_terms(*row) for row in rows]

    async def buckets(self) -> list[tuple[str, str, float, float]]:
        """What the keys of rates have left: limit, key, tokens, and as of when in Unix time."""
        rows = await self._ask(lambda c: c.fetch(query("gate_buckets")))
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    async def closed(self, keys: Sequence[tuple[str, str]]) -> list[tuple[str, str, float]]:
        """Which of these keys are closed, and for how many seconds more."""
        rows = await self._ask(lambda c: c.fetch(query("gate_closed"), [name for name, _ in keys], [key for _, key in keys]))
        return [(row[0], row[1], row[2]) for row in rows]

    async def breakers(self) -> list[tuple[tuple[str, str], Breaker]]:
        """What is known of the keys of breakers. Moments are Unix time."""
        rows = await self._ask(lambda c: c.fetch(query("gate_breakers")))
        return [((row[0], row[1]), Breaker(row[2], row[3], row[4])) for row in rows]

    async def verdicts(self, runs: Sequence[int], leases: Sequence[int], tasks: Sequence[int]) -> list[tuple[int, bool]]:
        """Which of these attempts failed, and which did not; the others say nothing."""
        rows = await self._ask(lambda c: c.fetch(query("gate_verdicts"), runs, leases, tasks))
        return [(row[0], row[1]) for row in rows]

    async def note_breakers(self, epoch: int, states: Sequence[tuple[tuple[str, str], Breaker]]) -> None:
        """Writes down what is known of these now."""
        rows = [(*key, state.ends, state.opened, state.until) for key, state in states]
        columns = [list(column) for column in zip(*rows, strict=True)]
        await self._ask(lambda c: c.execute(query("gate_note_breakers"), epoch, *columns))

    async def held(self) -> list[Held]:
        """What nodes hold under limits."""
        return [Held(*row) for row in await self._ask(lambda c: c.fetch(query("gate_held")))]

    async def look(self, after: int | None, lines: int, heads: int) -> list[Waiting]:
        """The next lines behind this one, each with the first of its runs."""
        return [Waiting(*row) for row in await self._ask(lambda c: c.fetch(query("gate_look"), after, lines, heads))]

    async def heads(self, lines: Sequence[int], heads: int) -> list[Waiting]:
        """The first runs of these lines."""
        return [Waiting(*row) for row in await self._ask(lambda c: c.fetch(query("gate_heads"), lines, heads))]

    async def news(self, low: int | None, high: int | None, runs: Sequence[int], limit: int) -> tuple[list[Waiting], int | None]:
        """Which of these wait, by line, and how far this went; None: to the end."""
        rows = await self._ask(lambda c: c.fetch(query("gate_news"), low, high, runs, limit))
        return [Waiting(*row[:6], placement=row[7], sinces=row[8]) for row in rows if row[0] is not None], rows[0][6]

    async def places(self, placements: Sequence[str]) -> list[tuple[int, int, float]]:
        """Which living nodes each of these allows, and how well they fit: number of the placement from 1, node, score."""
        rows = await self._ask(lambda c: c.fetch(query("gate_places"), placements))
        return [(row[0], row[1], row[2]) for row in rows]

    async def left(self, runs: Sequence[int], leases: Sequence[int]) -> list[int]:
        """Which of these runs hold these leases no more."""
        return [row[0] for row in await self._ask(lambda c: c.fetch(query("gate_left"), runs, leases))]

    async def over(self, runs: Sequence[int]) -> tuple[list[int], bool]:
        """Which of these runs have ended, and whether the failure of one has blocked its key."""
        rows = await self._ask(lambda c: c.fetch(query("gate_over"), runs))
        return [row[0] for row in rows], any(row[1] for row in rows)

    async def refuse(self, runs: Sequence[int], kinds: Sequence[int], reasons: Sequence[str]) -> list[int]:
        """Ends those of these runs that wait and are newcomers, as these kinds have it. Answers which it ended."""
        return [row[0] for row in await self._ask(lambda c: c.fetch(query("refuse"), runs, kinds, reasons))]

    async def cancel(self, runs: Sequence[int], reason: str) -> None:
        """Has these runs cancelled."""
        await self._ask(lambda c: c.execute(query("cancel"), runs, reason))

    async def remind(self, runs: Sequence[int], leases: Sequence[int], nodes: Sequence[int]) -> None:
        """Tells these nodes again of what was admitted to them."""
        await self._ask(lambda c: c.execute(query("gate_remind"), runs, leases, nodes))

    async def ask_for_space(self) -> None:
        """Has every node say what it has room for."""
        await self._ask(lambda c: c.execute(query("tell_gate"), "howdah_space", ["?"]))

    async def want_room(self, wanted: Sequence[tuple[int, int]]) -> None:
        """Has nodes leave room for a run of a task each: pairs of both."""
        await self._ask(lambda c: c.execute(query("tell_gate"), "howdah_space", [f"want {node} {task}" for node, task in wanted]))

    async def admit(
        self, epoch: int, own: int, runs: Sequence[int], nodes: Sequence[int], levels: Sequence[tuple[str, str, float, float]]
    ) -> list[Any]:
        """Admits these runs to these nodes; a row for each that it did, as Claimed has it, for `own` with its payload. levels: as
        buckets() has them."""
        columns = [list(column) for column in zip(*levels, strict=True)] if levels else [None] * 4
        return await self._ask(lambda c: c.fetch(query("gate_admit"), epoch, own, runs, nodes, *columns))

    async def close(self) -> None:
        """Ends the connections."""
        await self.rise()

    async def _ask(self, work: Callable[[Owned], Awaitable[R]]) -> R:
        """Once: whether a statement took effect whose answer was lost, the rows tell the next one who sits down."""
        if not self.is_taken:  # A new connection has not heard what was said meanwhile.
            raise SeatLost("a connection of it has ended")
        connection = await self._link.connected()
        try:
            return await work(connection)
        except Exception as error:
            if isinstance(error, asyncpg.PostgresError) and error.sqlstate in FENCED:
                raise SeatLost(str(error)) from error
            if not is_lost(error, connection):
                raise
            await self._link.drop()
            raise SeatLost(str(error) or type(error).__name__) from error

    async def _listen(self, connection: Owned) -> None:
        await self._watch(connection)
        await connection.add_listener(CHANNEL, self._notified)

    async def _watch(self, connection: Owned) -> None:
        connection.add_termination_listener(self._ended)

    def _ended(self, _: object) -> None:
        self._lost()

    def _notified(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._heard(str(payload))


def _terms(name: str, key: str | None, kind: str, said: str | None, paused: bool, when_full: str | None) -> Terms:  # noqa: FBT001 - a row
    allowed = _Allowed() if said is None else msgspec.json.decode(said, type=_Allowed)
    guard = Guard(allowed.failures, allowed.of, allowed.open_s) if allowed.of else None
    return Terms(name, key, kind, allowed.number, allowed.per_s, allowed.burst, paused, when_full, guard)
