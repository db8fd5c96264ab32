"""The gate's part of the model: runs of one task are under one limit, and nobody but the gate admits them.

The seat is a lock of a connection, which the server hands over whether the client is awake or not.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Protocol

from .journal import Commit
from .model import Model
from .rows import NEARLY_FULL, QUEUE, SUSPECT, GateTaken, Hot

WIDTH = 2
DEMANDS = '[["narrow", ""]]'
LINE = 77

Row = tuple[Any, ...]


class Sitter(Protocol):
    """A connection that waits for the seat, or has it."""

    granted: asyncio.Event


class Seat:
    """Whose turn it is: the first has it."""

    def __init__(self) -> None:
        self._queue: list[Sitter] = []

    def ask(self, sitter: Sitter) -> None:
        """It waits from now on."""
        self._queue.append(sitter)
        self._grant()

    def leave(self, sitter: Sitter) -> None:
        """Its connection has ended."""
        if sitter in self._queue:
            self._queue.remove(sitter)
            self._grant()

    def _grant(self) -> None:
        if self._queue:
            self._queue[0].granted.set()


class Gate:
    """The statements of the gate."""

    def __init__(self, model: Model, names: dict[int, str]) -> None:
        self._model = model
        self._names = names

    def enter(self, node: int) -> int:
        """The new epoch."""
        self._model.check_member(node)
        return self._model.next("epoch")

    def held(self) -> list[Row]:
        """What nodes hold under the limit."""
        return [(row.run.id, row.lease, row.node, row.run.task, DEMANDS) for row in self._limited() if row.lease is not None]

    def look(self, after: int | None, heads: int) -> list[Row]:
        """Suspects, each a line of its own, and the line."""
        waiting = self._waiting()
        rows = [self._line(-row.run.id, [row], 1) for row in waiting if row.crashes >= SUSPECT and after is None]
        others = [row for row in waiting if row.crashes < SUSPECT]
        return rows + ([self._line(LINE, others, heads)] if others and (after is None or after < LINE) else [])

    def heads(self, lines: Sequence[int], heads: int) -> list[Row]:
        """The first of these lines."""
        waiting = self._waiting()
        return [
            self._line(line, [row for row in waiting if (row.crashes < SUSPECT if line == LINE else row.run.id == -line)], heads)
            for line in lines
        ]

    def news(self, low: int | None, high: int | None, runs: Sequence[int]) -> list[Row]:
        """Which of these wait."""
        told = [
            row for row in self._waiting() if row.run.id in runs or (low is not None and high is not None and low <= row.run.id <= high)
        ]
        rows = [self._line(-row.run.id, [row], 1)[:6] for row in told if row.crashes >= SUSPECT]
        if others := [row for row in told if row.crashes < SUSPECT]:
            rows.append(self._line(LINE, others, len(others))[:6])
        return [(*row, None, None, None) for row in rows] or [(None,) * 9]

    def left(self, runs: Sequence[int], leases: Sequence[int]) -> list[Row]:
        """Which of these hold these leases no more."""
        held = {(row.run.id, row.lease) for row in self._limited()}
        return [(run,) for run, lease in zip(runs, leases, strict=True) if (run, lease) not in held]

    def remind(self, runs: Sequence[int], leases: Sequence[int], nodes: Sequence[int]) -> None:
        """Tells nodes again."""
        for run, lease, node in zip(runs, leases, nodes, strict=True):
            if node in self._model.nodes:
                self._model.tell(f"howdah_at_{self._names[node]}", f"admitted {run} {lease}")

    def admit(self, epoch: int, own: int, runs: Sequence[int], nodes: Sequence[int]) -> list[Row]:
        """Admits these."""
        model = self._model
        if model.numbers.get("epoch") != epoch:
            raise GateTaken
        lease = model.next("lease")
        admitted: list[Row] = []
        for run, node in zip(runs, nodes, strict=True):
            row, member = model.hot.get(run), model.nodes.get(node)
            if member is None or member.world != model.world or row is None or not self._may_start(row, node):
                continue
            if node != own and model.queue >= NEARLY_FULL:  # It could not be told.
                continue
            held = model.hold(row, node, lease)
            if node != own:
                model.tell(f"howdah_at_{self._names[node]}", f"admitted {run} {lease}")
            admitted.append((node, *_payload(held, told=node == own)))
        if sum(row.lease is not None for row in self._limited()) > WIDTH:
            model.overfull()
        return admitted

    def fetch(self, node: int, runs: Sequence[int], leases: Sequence[int]) -> list[Row]:
        """Of these what the node holds."""
        rows = [self._model.hot.get(run) for run in runs]
        pairs = zip(rows, leases, strict=True)
        return [
            (*_payload(row, told=True), "narrow:") for row, lease in pairs if row is not None and (row.node, row.lease) == (node, lease)
        ]

    def tell(self, commit: Commit, channel: str, said: Sequence[str]) -> None:
        """Says something to the gate, or to all nodes."""
        commit.durable = False
        for one in said:
            self._model.tell(channel, one)

    def _may_start(self, row: Hot, node: int) -> bool:
        model = self._model
        if row.lease is not None or row.due is not None or (row.crashes >= SUSPECT and model.has_suspect(node)):
            return False
        return row.expires is None or row.attempt > 0 or row.expires > model.now()

    def _limited(self) -> list[Hot]:
        return [row for row in self._model.hot.rows() if row.run.limited]

    def _waiting(self) -> list[Hot]:
        return [row for row in self._model.ready() if row.run.limited]

    def _line(self, line: int, rows: list[Hot], heads: int) -> Row:
        task = rows[0].run.task if rows else 0
        some = rows[:heads]
        demands = DEMANDS if rows else None
        return line, QUEUE, task, demands, [row.run.priority for row in some], [row.run.id for row in some], len(rows) > heads, None, None


class GateVerbs:
    """Each query of the gate by its name, with its arguments as it sends them."""

    def __init__(self, model: Model, names: dict[int, str]) -> None:
        self._model = model
        self._gate = Gate(model, names)

    def know_seat(self) -> Any:
        return None

    def take_seat(self) -> Any:
        raise AssertionError("a connection waits for it by itself")

    gate_free = take_seat

    def gate_enter(self, node: int) -> Any:
        return self._model.call(lambda _: self._gate.enter(node))

    def gate_terms(self) -> Any:
        return [("narrow", None, "limit", json.dumps({"number": WIDTH}), False, None, None)]

    def gate_places(self, placements: list[str]) -> Any:
        assert placements in ([], ["{}"]), "no run here has a placement: the gate asks who is there"
        return [(1, node, 0.0) for node in self._model.nodes for _ in placements]

    def gate_buckets(self) -> Any:
        return []

    def gate_held(self) -> Any:
        return self._gate.held()

    def gate_look(self, after: int | None, lines: int, heads: int) -> Any:
        return self._gate.look(after, heads)

    def gate_heads(self, lines: list[int], heads: int) -> Any:
        return self._gate.heads(lines, heads)

    def gate_news(self, low: int | None, high: int | None, runs: list[int], limit: int) -> Any:
        return self._gate.news(low, high, runs)

    def gate_left(self, runs: list[int], leases: list[int]) -> Any:
        return self._gate.left(runs, leases)

    def gate_remind(self, runs: list[int], leases: list[int], nodes: list[int]) -> Any:
        self._model.call(lambda _: self._gate.remind(runs, leases, nodes))

    def gate_admit(self, epoch: int, own: int, runs: list[int], nodes: list[int], *_: Any) -> Any:
        return self._model.call(lambda _: self._gate.admit(epoch, own, runs, nodes))

    def fetch_admitted(self, node: int, runs: list[int], leases: list[int]) -> Any:
        return self._gate.fetch(node, runs, leases)

    def tell_gate(self, channel: str, said: list[str]) -> Any:
        self._model.call(lambda commit: self._gate.tell(commit, channel, said))


def _payload(row: Hot, *, told: bool) -> Row:
    args = "{}" if told else None
    return row.run.id, QUEUE, row.run.task, row.run.priority, row.attempt, row.lease, args, None, None, None, False, None, None
