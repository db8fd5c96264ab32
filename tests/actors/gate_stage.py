"""A gate without a database: rows that wait and are held, and a node that it is on."""

from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from howdah.actors.admissions import Level
from howdah.actors.gate import keep_gate
from howdah.config import Config
from howdah.core.breaker import Breaker
from howdah.core.keyed import Key
from howdah.core.tidings import Space, Tidings
from howdah.mailbox import Mailbox
from howdah.messages import Claimed, Held, SeatLost, Standing, Terms, Waiting, Woken

NODE, OTHER, QUEUE, TASK = 1, 2, 1, 5
DEMANDS = '[["all", ""]]'
READY_MAX = 1_000_000


class Sent:
    """One admission at the database. refused: runs that it does not admit."""

    def __init__(self, runs: Sequence[int], nodes: Sequence[int]) -> None:
        self.runs, self.nodes = [*runs], [*nodes]
        self.refused: Collection[int] = ()
        self.is_lost = self.took_effect = False
        self._answered = anyio.Event()

    def answer(self, *, refused: Collection[int] = (), is_lost: bool = False, took_effect: bool = False) -> None:
        """Lets it come back. is_lost: its connection ends, and whether it took effect nobody hears."""
        self.refused, self.is_lost, self.took_effect = refused, is_lost, took_effect or not is_lost
        self._answered.set()

    async def wait(self) -> None:
        await self._answered.wait()

    @property
    def is_out(self) -> bool:
        """Whether it is on its way still."""
        return not self._answered.is_set()


class Rows:
    """The seat, over rows in memory: a line is its number. Whoever asks what waits or is held must not do so while an admission is out."""

    def __init__(self, number: int, lines: dict[int, list[int]]) -> None:
        """number: what the one limit allows."""
        self.number = number
        self.waiting = lines
        self.held_by: dict[int, tuple[int, int]] = {}
        """Lease and node."""
        self.sent: list[Sent] = []
        self.asked: list[str] = []
        self.answers_at_once = False
        self.is_up = False
        self.tenures = 0
        self.space_asked: Callable[[], None] = lambda: None
        self.refreshed = anyio.Event()
        """Set when heads of lines are read: a test may put another one there."""
        self._line_of = {run: line for line, runs in lines.items() for run in runs}

    def wait_in(self, line: int, runs: list[int]) -> None:
        """These wait in a line that was not there before."""
        self.waiting[line] = runs
        self._line_of |= dict.fromkeys(runs, line)

    def end(self, run: int) -> int:
        """An attempt has ended. Answers with the lease that it had."""
        return self.held_by.pop(run)[0]

    @property
    def is_taken(self) -> bool:
        return self.is_up

    async def sit(self) -> None:
        self.is_up = True

    async def rise(self) -> None:
        self.is_up = False

    async def enter(self, node: int) -> int:
        self.tenures += 1
        return self.tenures

    async def admit(self, epoch: int, own: int, runs: Sequence[int], nodes: Sequence[int], levels: Sequence[Level]) -> list[Any]:
        assert not any(sent.is_out for sent in self.sent), "they are written one after the other"
        if not self.is_up:
            raise SeatLost("its connection has ended")
        sent = Sent(runs, nodes)
        self.sent.append(sent)
        if self.answers_at_once:
            sent.answer()
        await sent.wait()
        rows = self._write(sent, epoch) if sent.took_effect else []
        if sent.is_lost:
            raise SeatLost("its connection has ended")
        return rows

    def _write(self, sent: Sent, epoch: int) -> list[Any]:
        assert epoch == self.tenures
        rows: list[Any] = []
        for run, node in zip(sent.runs, sent.nodes, strict=True):
            line = self.waiting[self._line_of[run]]
            if run in line and run not in sent.refused:
                line.remove(run)
                lease = 1000 + len(self.sent)
                self.held_by[run] = (lease, node)
                rows.append((node, run, QUEUE, TASK, 0, 1, lease, "{}", None, None, None, False, None, None))
        assert len(self.held_by) <= self.number, "more are held than the limit allows"
        return rows

    async def terms(self) -> list[Terms]:
        self._asks("terms")
        return [Terms("all", None, "limit", self.number, None, None, paused=False)]

    async def held(self) -> list[Held]:
        self._asks("held")
        return [Held(run, lease, node, TASK, DEMANDS) for run, (lease, node) in self.held_by.items()]

    async def look(self, after: int | None, lines: int, heads: int) -> list[Waiting]:
        self._asks("look")
        return [self._row(line, runs, heads) for line, runs in self.waiting.items() if runs]

    async def heads(self, lines: Sequence[int], heads: int) -> list[Waiting]:
        self._asks("heads")
        self.refreshed.set()
        return [self._row(line, self.waiting[line], heads) for line in lines]

    async def news(self, low: int | None, high: int | None, runs: Sequence[int], limit: int) -> tuple[list[Waiting], int | None]:
        self._asks("news")
        told = {line: [run for run in known if run in runs or low is not None] for line, known in self.waiting.items()}
        return [self._row(line, known, READY_MAX) for line, known in told.items() if known], None

    async def left(self, runs: Sequence[int], leases: Sequence[int]) -> list[int]:
        self._asks("left")
        return [run for run, lease in zip(runs, leases, strict=True) if self.held_by.get(run, (0, 0))[0] != lease]

    async def buckets(self) -> list[tuple[str, str, float, float]]:
        return []

    async def closed(self, keys: Sequence[Key]) -> list[tuple[str, str, float]]:
        return []

    async def breakers(self) -> list[tuple[Key, Breaker]]:
        return []

    async def verdicts(self, runs: Sequence[int], leases: Sequence[int], tasks: Sequence[int]) -> list[tuple[int, bool]]:
        return []

    async def note_breakers(self, epoch: int, states: Sequence[tuple[Key, Breaker]]) -> None:
        raise AssertionError("there are none")

    async def places(self, placements: Sequence[str]) -> list[tuple[int, int, float]]:
        self._asks("places")
        return [(1, NODE, 0.0), (1, OTHER, 0.0)]

    async def over(self, runs: Sequence[int]) -> tuple[list[int], bool]:
        self._asks("over")
        return [], False

    async def remind(self, runs: Sequence[int], leases: Sequence[int], nodes: Sequence[int]) -> None: ...
    async def ask_for_space(self) -> None:
        self.space_asked()

    async def want_room(self, wanted: Sequence[tuple[int, int]]) -> None: ...
    async def refuse(self, runs: Sequence[int], kinds: Sequence[int], reasons: Sequence[str]) -> None: ...
    async def cancel(self, runs: Sequence[int], reason: str) -> None: ...

    def _asks(self, what: str) -> None:
        assert not any(sent.is_out for sent in self.sent), f"{what} is asked while an admission is out"
        self.asked.append(what)

    def _row(self, line: int, runs: list[int], heads: int) -> Waiting:
        first = runs[:heads]
        return Waiting(line, QUEUE, TASK, DEMANDS, [0] * len(first), first, len(runs) > heads)


class Node:
    """The house."""

    def __init__(self) -> None:
        self.who: Standing | None = Standing(NODE, 1e9, 0.0)
        self.told: list[Claimed] = []
        self.is_open = False
        self.is_leaving = False

    def standing(self) -> Standing | None:
        return self.who

    def opened(self) -> None:
        self.is_open = True

    def closed(self) -> None:
        self.is_open = False

    def admitted(self, runs: list[Claimed]) -> None:
        self.told += runs

    def holds(self, run: int, lease: int) -> bool:
        return any(one.id == run and one.lease == lease for one in self.told)

    def missed(self, pairs: list[tuple[int, int]]) -> None: ...

    def leaves(self) -> bool:
        return self.is_leaving


class Stage:
    """A gate at work. Nothing of it happens by time: the test says what is heard, and what the database answers."""

    def __init__(self, rows: Rows, batch_max: int) -> None:
        self.rows, self.node, self.tidings = rows, Node(), Tidings()
        self.has_ended = False
        self._spaces: dict[int, Space] = {}
        rows.space_asked = self._say_again
        self._config = Config(claim_max=batch_max, backoff_s=0.001, second_look_s=0.001, busy_look_s=0.002)
        self._desk = Mailbox[Woken](1)

    def wake(self) -> None:
        self._desk.offer(Woken())

    async def hear(self) -> None:
        """The gate is woken, and does what it can."""
        self.wake()
        await self.rest()

    async def rest(self) -> None:
        """Until everybody waits, also for a task that has just ended: whoever waits for that does not look as if it went on."""
        for _ in range(3):
            await anyio.wait_all_tasks_blocked()
            await anyio.lowlevel.checkpoint()

    def has_room(self, capacity: int, node: int = NODE, tasks: Iterable[int] = (TASK,)) -> None:
        """A node says so, which the gate has yet to hear, and says it again to whoever asks."""
        self._spaces[node] = Space(node, 0, capacity, [*tasks], None)
        self.tidings.add_space(self._spaces[node])

    def _say_again(self) -> None:
        for space in self._spaces.values():
            self.tidings.add_space(space)

    async def answer(self, number: int, *, refused: Collection[int] = (), is_lost: bool = False) -> None:
        """The database answers the admission of this number, from 0."""
        self.rows.sent[number].answer(refused=refused, is_lost=is_lost)
        await self.rest()

    def sizes(self) -> list[int]:
        """Of the admissions that have reached the database."""
        return [len(sent.runs) for sent in self.rows.sent]

    async def keep(self) -> None:
        await keep_gate(self.rows, self.node, self._desk, self.tidings, self._config)
        self.has_ended = True


@asynccontextmanager
async def gate(number: int, lines: dict[int, list[int]], batch_max: int = 100, room: int = 10_000) -> AsyncGenerator[Stage]:
    """number: what the limit that all are under allows. lines: who waits. room: on the gate's own node."""
    stage = Stage(Rows(number, lines), batch_max)
    stage.has_room(room)
    async with anyio.create_task_group() as group:
        group.start_soon(stage.keep)
        await stage.rest()
        yield stage
        group.cancel_scope.cancel()
