"""A node's side of the gate: what it is told, what it tells, and the gate itself where this node has it.

What is said to the gate goes straight to it where it is here, and otherwise into a notification.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence

import anyio

from . import knocks, notices
from .actors.gate import keep_gate
from .actors.lane import DROPPED
from .actors.permits import Permits
from .actors.room import Room
from .config import Config
from .core.lines import Hints
from .core.tidings import Space, Tidings
from .db.gates import Gates
from .mailbox import Mailbox
from .messages import Admitted, Claimed, Closing, Outcome, Standing, ToDispatcher, Woken

log = logging.getLogger("howdah.gatehouse")

SPACE_SHARE = 0.25
"""A gate elsewhere is told of the room of this node when it has changed by this share: each change would be a notification."""


class Gatehouse:
    """The permits of a node, and its way to the gate."""

    def __init__(
        self, config: Config, name: str, desk: Mailbox[ToDispatcher], hints: Hints, standing: Callable[[], Standing | None]
    ) -> None:
        self.permits = Permits(config.unused_permit_s)
        self.channels = ("howdah_space", f"howdah_at_{name}")
        self._config, self._name, self._desk, self._hints, self._standing = config, name, desk, hints, standing
        self._tidings = Tidings()
        self._gate_desk = Mailbox[Woken](1)
        self._is_open = False
        self._leaves = False
        self._queues: list[int] | None = None
        self._told: dict[int, Space] = {}
        self._tasks = frozenset[int]()
        self._wanted = anyio.Event()
        self._wanted_for: frozenset[int] = frozenset()
        self.also: frozenset[int] = frozenset()
        """Tasks whose definitions here do not say that their runs go by the gate, and runs of which do, since a call said so."""

    async def keep(self, queues: list[int] | None, rooms: Sequence[Room]) -> None:
        """Is the gate whenever it is this node's turn, until the node leaves. A node that has no tasks whose runs go by it, as far
        as it knows, or that hears nothing, leaves the gate to others; to the latter nothing is admitted, since it would not hear of it."""
        self._queues = queues
        names = sorted({room.lanes[task].name for room in rooms for task in room.limited})
        if names and not self._config.hears:
            log.warning(
                "this node hears nothing behind its pooler, so it runs none of its tasks with limits or placement (%s): set"
                " HOWDAH_DIRECT_DSN",
                ", ".join(names),
            )
        if not self._config.hears:
            return
        self._tasks = frozenset[int]().union(*(room.tasks for room in rooms))
        if not any(room.limited for room in rooms):
            await self._wanted.wait()
            if self._leaves:
                return
        gates = Gates(self._config, self._name, self._hear, self._wake)
        try:
            await keep_gate(gates, self, self._gate_desk, self._tidings, self._config)
        finally:
            await gates.close()

    def leave(self) -> None:
        """The node admits nothing more: another one is the gate from here on."""
        self._leaves = True
        self._wanted.set()
        self._wake()

    def heard(self, channel: str, payload: str) -> None:
        """What a notification on one of its channels says: that the gate has admitted runs to this node, or that it asks for its room."""
        what, _, pairs = payload.partition(" ")
        if channel == self.channels[0] and what == "task":
            self.found(notices.numbers([pairs], 1) or ())
        elif channel == self.channels[0] and what == "want":
            self._want(notices.numbers(pairs.split(" "), 2))
        elif channel == self.channels[0]:
            self.asked()
        elif what == "admitted":
            self.missed(notices.pairs(pairs))

    def found(self, tasks: Iterable[int]) -> None:
        """Runs of these tasks wait for the gate."""
        fresh = self._tasks.intersection(tasks) - self.also
        if fresh:
            self.also |= fresh
            self._wanted.set()
            self._rouse()

    def take_wanted(self) -> frozenset[int]:
        """The tasks for which the gate wants room here."""
        wanted, self._wanted_for = self._wanted_for, frozenset()
        return wanted

    def _want(self, said: list[int] | None) -> None:
        standing = self._standing()
        if said is not None and standing is not None and said[0] == standing.node and said[1] in self._tasks:
            self._wanted_for |= {said[1]}
            self._rouse()

    def asked(self) -> None:
        """A gate wants to know what room there is."""
        self._told.clear()
        self._rouse()

    def look(self) -> None:
        """Runs may wait of which nobody told the gate: it looks at everything, if it is here."""
        if self._is_open and self._tidings.add_everything():
            self._wake()

    def space(self, room: int, capacity: int, tasks: Collection[int]) -> list[str]:
        """An executor has room for so many runs with limits. What is to be said of it to a gate on another node."""
        standing = self._standing()
        if standing is None or not self._config.hears:
            return []
        told = self._told.get(room)
        before = 0 if told is None else told.capacity
        if told is not None and told.node == standing.node and len(told.tasks) == len(tasks):  # They only become more.
            if capacity == before:
                return []
            if not self._is_open and capacity > 0 and before > 0 and abs(capacity - before) < SPACE_SHARE * before:
                return []
        said = self._told[room] = Space(standing.node, room, capacity, sorted(tasks), self._queues)
        if not self._is_open:
            return [knocks.space(said)]
        if self._tidings.add_space(said):
            self._wake()
        return []

    def take_closings(self, outcomes: Sequence[Outcome]) -> Sequence[Closing]:
        """Rates that are to be closed before these are written."""
        return self.permits.take_closings(outcomes)

    def ended(self, outcomes: Sequence[Outcome]) -> Sequence[str]:
        """These are durable, or were dropped. What is to be said to a gate on another node."""
        if not self.permits:
            return ()
        free, doubtful = self.permits.end(outcomes, DROPPED)
        if not free and not doubtful:
            return ()
        if not self._is_open:
            return knocks.ended([*free.items(), *doubtful.items()])
        wake = self._tidings.add_ended(free)
        if self._tidings.add_doubtful(doubtful.items()) or wake:
            self._wake()
        return ()

    def standing(self) -> Standing | None:
        """Who this node is."""
        return self._standing()

    def opened(self) -> None:
        """The gate is here from now on."""
        self._is_open = True
        self.asked()

    def closed(self) -> None:
        """It is elsewhere."""
        self._is_open = False
        self._tidings.take()
        self._told.clear()

    def admitted(self, runs: list[Claimed]) -> None:
        """The gate, which is here, has admitted these to this node."""
        # Has room: each holds a run of those held. A node that ends hears no more, and what it held goes back as it leaves.
        self._desk.offer(Admitted(runs))

    def holds(self, run: int, lease: int) -> bool:
        """Whether this node knows that it holds a run."""
        return self.permits.holds(run, lease)

    def missed(self, pairs: list[tuple[int, int]]) -> None:
        """It is said to hold these."""
        if self._hints.add_admitted([pair for pair in pairs if not self.permits.holds(*pair)]):
            self._desk.offer(Woken())

    def leaves(self) -> bool:
        """Whether the node is on its way out."""
        return self._leaves

    def _hear(self, payload: str) -> None:
        if knocks.hear(payload, self._tidings):
            self._wake()

    def _wake(self) -> None:
        self._gate_desk.offer(Woken())

    def _rouse(self) -> None:
        if self._hints.add_nothing():
            self._desk.offer(Woken())
