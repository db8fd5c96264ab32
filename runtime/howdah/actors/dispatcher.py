"""Claims what the rooms have space for, and hands it to them.

It owns the room accounting (how many runs each room holds, by lease) and the lines with their watermarks.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from time import monotonic
from typing import NamedTuple, Protocol, assert_never

from ..config import Config
from ..core.lines import Hints, Key, Line, Lines, Pause
from ..core.prefetch import Prefetch
from ..core.rota import Rota, Turn
from ..core.states import Kind
from ..mailbox import Mailbox
from ..messages import Admitted, Claimed, Freed, Looked, Outcome, Standing, Stop, ToDispatcher, Woken
from .permits import Permits
from .room import Room

GROUPS_MAX = 1000
"""Groups of one room have numbers below this: widths are few."""


class Claims(Protocol):
    """What the dispatcher needs of the database."""

    async def ready(self) -> None: ...
    async def look(self, node: int, tasks: list[int]) -> Looked: ...
    async def claim(
        self, node: int, room: int, lines: Sequence[tuple[Line, Key]], leases: list[int], *, aside: bool, durable: bool
    ) -> list[Claimed]: ...
    async def fetch_admitted(self, node: int, admitted: Mapping[int, int]) -> list[Claimed]: ...
    async def tell_gate(self, said: Sequence[str]) -> None: ...


class Gatehouse(Protocol):
    """What the dispatcher needs of the gate, wherever that is."""

    @property
    def permits(self) -> Permits: ...
    @property
    def also(self) -> AbstractSet[int]: ...
    def found(self, tasks: Iterable[int]) -> None: ...
    def take_wanted(self) -> frozenset[int]: ...
    def space(self, room: int, capacity: int, tasks: frozenset[int]) -> list[str]: ...


class _Group(NamedTuple):
    """Runs that the gate is told of the room of together: number, for the gate; width: slots that each takes."""

    number: int
    width: int
    once: bool
    tasks: frozenset[int]


class _Space:
    """How many runs a room holds, and how many more it may take: of tasks that start alone, or of one whose runs are gathered, so
    that `size` of them are in a slot."""

    def __init__(self, room: Room, tasks: frozenset[int], size: int, config: Config, weights: Mapping[int, float] | None) -> None:
        self.room = room
        self.tasks = tasks
        self.once = room.once & tasks
        self.limited = room.limited & tasks
        self._size = size
        self._slots = len(room.slots) * size
        self.turns = None if weights is None else Rota(weights)
        """Whose turn it is among the queues; None: they have no weights, and the best priority of all of them goes first."""
        self._config = config
        self.prefetch = Prefetch(config.prefetch_horizon_s, config.prefetch_max)
        self.held: dict[int, int] = {}
        self.aside_is_next = False
        """Suspects or misfits wait: nothing is held in advance until a claim had a free slot for them."""
        self.once_is_next: set[int | None] = set()
        """Where runs that start at most once wait, and it is their turn: the others hold back until a slot is free. Queues that take
        turns have each their own; None: all queues."""
        self._aside: set[int] = set()
        """Leases of runs that were taken aside: a suspect comes alone, and the next one when it has ended."""
        self._total = 0
        self.returned = 0
        """Runs of those held that went back unstarted: that they end says nothing of how fast runs do."""
        self.is_slow = False
        """Permits went back unused, and no run has ended since: what the rate of ends allowed does not start in time."""
        self._reserved = 0
        self._reserved_until = 0.0
        self._limited: frozenset[int] | None = None
        self._groups: list[_Group] = []

    def reserve(self, wanted: frozenset[int], now: float) -> None:
        """Leaves as many slots as a run of these tasks takes to what the gate admits next, for a while."""
        if mine := wanted & self.tasks:
            self._reserved = max(self.room.wide.get(task, 1) for task in mine) * self._size
            self._reserved_until = now + 2 * self._config.busy_look_s

    @property
    def reserved(self) -> int:
        """How many runs fewer than it has room for it asks for."""
        if self._reserved and monotonic() >= self._reserved_until:
            self._reserved = 0
        return self._reserved

    def groups(self, also: AbstractSet[int]) -> list[_Group]:
        """What the gate is told of: the tasks whose runs go by it, and those of `also`. Runs that start at most once count apart, since
        they are never held in advance; so do those that take as many slots."""
        limited = self.limited if self.limited >= also else self.limited | (also & self.tasks)
        if limited != self._limited:
            of_task = {task: (task in self.once, self.room.wide.get(task, 1)) for task in self.tasks}
            self._limited = limited
            self._groups = [
                _Group(number, width, once, frozenset(task for task in limited if of_task[task] == (once, width)))
                for number, (once, width) in enumerate(sorted(set(of_task.values())))
            ]
        return [group for group in self._groups if group.tasks]

    def for_gate(self, group: _Group, permits: Permits) -> int:
        """How many of these runs the gate may have held here, those that it has had included."""
        ahead = not (group.once or group.width > 1 or self.reserved or self.is_slow)
        extra = min(self.prefetch.extra, self._config.prefetch_max) if ahead else 0
        free = self._slots + extra - self._total - self.room.surplus
        return sum(permits.of_task[task] for task in group.tasks) + max(0, free) // group.width

    def want(self) -> int:
        """How many runs to ask for. While runs wait for a slot, small claims are put off: they cost as much.

        What has ended and is on its way to disk counts for memory alone: counted with what is to start, a slow disk
        would leave slots without work (held = rate x time until durable, and the rate follows what is held).
        """
        # What is reserved are slots, and nobody is held in advance before them.
        capacity = self._slots - self.reserved if self.reserved else self._slots + self.prefetch.extra
        free = min(capacity - self._unfinished, self._slots + self._config.prefetch_max - self._total)
        if self._size > 1 and free < self._size and self.room.waiting:
            # Others are held in advance: so is the next batch, or those would always be first.
            return min(max(0, free, self._size - self.room.unstarted(self.tasks)), self._config.claim_max)
        if free <= 0 or (free < capacity * self._config.low_water and len(self.room.waiting) > len(self.room.slots)):
            return 0
        return min(free, self._config.claim_max)

    def want_now(self) -> int:
        """How many runs would start at once: those that start at most once are never held in advance."""
        return max(0, self._slots - self._unfinished - self.reserved)

    @property
    def _unfinished(self) -> int:
        if self._size == 1:
            return self.room.unfinished
        return self.room.unfinished * self._size + self.room.gathering(self.tasks)

    def turn(self, lines: Lines) -> Turn | None:
        """Whose turn it is. None: that of all queues at once. So it is for a claim of what is to be had aside, wherever that waits:
        it comes once for each look, and what it takes counts like the rest."""
        return None if self.turns is None or self.aside_is_next else self.turns.next(lines.queues(self.tasks))

    def take(self, claimed: Sequence[Claimed], now: float) -> None:
        if self.turns is not None:
            for queue, count in Counter([run.queue for run in claimed]).items():
                self.turns.served(queue, count)
        if not self._total:
            self.prefetch.begin(now)
        # A crash of Postgres may forget claims and hand their lease out again, while the first are still held here.
        lease = claimed[0].lease
        self.held[lease] = self.held.get(lease, 0) + len(claimed)
        if claimed[0].aside:
            self._aside.add(lease)
        if claimed[0].lane is not None:
            self._reserved = 0
        self._total += len(claimed)

    def free(self, leases: dict[int, int], now: float) -> bool:
        """Whether all that was taken aside under one lease has ended: the next suspect may come."""
        ended, aside = 0, False
        for lease, count in leases.items():
            left = self.held.get(lease)
            if left is not None:
                ended += count
                if left == count:
                    del self.held[lease]
                    if lease in self._aside:
                        self._aside.remove(lease)
                        aside = True
                else:
                    self.held[lease] = left - count
        self._total -= ended
        back = min(ended, self.returned)
        self.returned -= back
        if ended > back:
            self.is_slow = False
            self.prefetch.note(ended - back, now, dry=not self.room.waiting)
        return aside


async def dispatch(
    desk: Mailbox[ToDispatcher],
    hints: Hints,
    rooms: Sequence[Room],
    claims: Claims,
    ledger: Mailbox[Outcome],
    standing: Callable[[], Standing | None],
    config: Config,
    paused: Callable[[], bool],
    gate: Gatehouse,
    weights: Mapping[int, float] | None = None,
) -> None:
    """Claims until it is told to stop; then hands back what has not started, and hears receipts until the desk ends. While it is
    paused nothing is claimed and nothing waits here: what had not started went back. A Woken tells it of either change.
    weights: of the queues, by their numbers; None: they do not take turns."""
    lines = Lines(
        second_look_s=config.second_look_s, busy_look_s=config.busy_look_s, idle_look_s=config.idle_look_s, look_share=config.look_share
    )
    spaces = [space for room in rooms for space in _spaces(room, config, weights)]
    tasks = sorted({task for room in rooms for task in room.tasks})
    stopping, more = False, True
    await claims.ready()
    while not desk.ended:
        rests = stopping or paused() or standing() is None
        for message in await desk.take(1024, None if rests else 0 if more else _wait_s(lines, gate.permits)):
            match message:
                case Woken():
                    _hand_back(rooms, ledger, hints.take_into(lines))
                    await _fetch_admitted(hints.take_admitted(), spaces, claims, gate.permits, standing())
                case Admitted(runs):
                    _take(spaces, runs, gate.permits)
                case Freed(leases):
                    _free(spaces, leases, lines)
                case Stop():
                    stopping = True
                    _end(rooms, ledger)
                case _:
                    assert_never(message)
        who = standing()
        if stopping or who is None or paused():
            if stopping or paused():
                _hand_back(rooms, ledger)
            await _tell_gate(spaces, claims, gate, none=True)
            continue
        _hand_back_late(spaces, ledger, gate.permits)
        await _look_if_due(spaces, lines, claims, who.node, tasks, gate)
        _reserve(spaces, gate.take_wanted())
        more = False
        for space in spaces:
            more |= await _fill(space, spaces, lines, claims, who.node)
        await _tell_gate(spaces, claims, gate)


def _spaces(room: Room, config: Config, weights: Mapping[int, float] | None) -> list[_Space]:
    """Those for batches first: a slot that is free is filled by the others at once."""
    spaces = [_Space(room, frozenset({task}), size, config, weights) for task, size in room.batched.items()]
    alone = room.tasks - room.batched.keys()
    return [*spaces, _Space(room, alone, 1, config, weights)] if alone else spaces


def _reserve(spaces: Sequence[_Space], wanted: frozenset[int]) -> None:
    """The gate wants room for runs of these tasks."""
    if wanted:
        now = monotonic()
        for space in spaces:
            space.reserve(wanted, now)


def _wait_s(lines: Lines, permits: Permits) -> float:
    late_at = permits.late_at()
    due = lines.next_look_at() if late_at is None else min(late_at, lines.next_look_at())
    return max(0.0, due - monotonic())


async def _fetch_admitted(
    admitted: Mapping[int, int], spaces: Sequence[_Space], claims: Claims, permits: Permits, who: Standing | None
) -> None:
    """What the gate, on another node, has admitted to this one."""
    fresh = {run: lease for run, lease in admitted.items() if not permits.holds(run, lease)}
    if fresh and who is not None:
        _take(spaces, await claims.fetch_admitted(who.node, fresh), permits)


def _take(spaces: Sequence[_Space], runs: Sequence[Claimed], permits: Permits) -> None:
    """Runs that the gate has admitted: each is its own permit, and goes to the room of its task."""
    now = monotonic()
    fresh = permits.grant(runs, now)
    for space in spaces:
        mine = [run for run in fresh if run.task in space.tasks]
        for lease in {run.lease for run in mine}:
            space.take([run for run in mine if run.lease == lease], now)
        if mine:
            space.room.offer(mine)


def _hand_back_late(spaces: Sequence[_Space], ledger: Mailbox[Outcome], permits: Permits) -> None:
    """Permits that this node does not use are for others to have."""
    late_at = permits.late_at()
    if late_at is not None and late_at <= (now := monotonic()) and (late := permits.late(now)):
        for space in spaces:
            mine = space.room.take_back(late, space.tasks)
            space.returned += len(mine)
            space.is_slow |= bool(mine)
            _release(mine, ledger)


async def _tell_gate(spaces: Sequence[_Space], claims: Claims, gate: Gatehouse, *, none: bool = False) -> None:
    """Of the room that there is for runs that go by it."""
    said: list[str] = []
    for number, space in enumerate(spaces):
        for group in space.groups(gate.also):
            said += gate.space(GROUPS_MAX * number + group.number, 0 if none else space.for_gate(group, gate.permits), group.tasks)
    if said:
        await claims.tell_gate(said)


def _free(spaces: Sequence[_Space], leases: dict[int, int], lines: Lines) -> None:
    """What has ended makes room, and a suspect that has ended makes way for the next."""
    now = monotonic()
    for space in spaces:
        if space.free(leases, now):
            lines.look_at_once()


async def _look_if_due(spaces: Sequence[_Space], lines: Lines, claims: Claims, node: int, tasks: list[int], gate: Gatehouse) -> None:
    """At every line, without any watermark."""
    began = monotonic()
    if lines.next_look_at() > began:
        return
    looked = await claims.look(node, tasks)
    lines.found(looked.heads, monotonic(), monotonic() - began)
    gate.found(looked.gated)
    for space in spaces:
        space.aside_is_next = looked.aside


async def _fill(space: _Space, spaces: Sequence[_Space], lines: Lines, claims: Claims, node: int) -> bool:
    """One claim for one room. True if another may follow at once."""
    room = space.room
    turn = space.turn(lines)
    queue = None if turn is None else turn.queue
    once = lines.choose(space.once, queue) if space.once else []
    ordinary = lines.choose(space.tasks - space.once if space.once else space.tasks, queue)
    durable = bool(once) and (queue in space.once_is_next or not ordinary)
    want = space.want_now() if durable or space.aside_is_next else space.want()
    asked = once if durable else ordinary
    if not want or not asked:
        return False
    if turn is not None:
        want = turn.of(want)
    if room.wide:
        # As if all of them took as much as the widest: what is claimed and does not fit would keep others waiting behind it.
        want = max(1, want // max(room.wide.get(task, 1) for (_, task), _ in asked))
    (space.once_is_next.add if once and not durable else space.once_is_next.discard)(queue)
    if space.want_now() > 0:
        space.aside_is_next = False
    leases = [lease for other in spaces for lease in other.held]
    began = monotonic()
    claimed = await claims.claim(node, want, asked, leases, aside=space.want_now() > 0, durable=durable)
    now = monotonic()
    space.prefetch.note_claim(now - began)
    if room.tally is not None:
        room.tally.claims.add((len(claimed), now - began))
    lines.claimed(asked, want, _tally(claimed, len(asked)), now)
    if not claimed:
        return turn is not None  # What was asked counts as empty now, and the turn is another queue's.
    space.take(claimed, now)
    room.offer(claimed)
    return True


def _tally(claimed: Sequence[Claimed], lines: int) -> dict[Line, tuple[int, Key]]:
    """How many runs each line gave, and its last key: rows come by priority, then id, behind those taken aside, which
    say nothing of their line."""
    if claimed and claimed[0].aside:
        claimed = [run for run in claimed if not run.aside]
    if not claimed:
        return {}
    if lines == 1:
        last = claimed[-1]
        return {(last.queue, last.task): (len(claimed), (last.priority, last.id))}
    counts = Counter([(run.queue, run.task) for run in claimed])
    return {line: (counts[line], key) for line, key in {(run.queue, run.task): (run.priority, run.id) for run in claimed}.items()}


def _hand_back(rooms: Sequence[Room], ledger: Mailbox[Outcome], pauses: Collection[Pause] | None = None) -> None:
    """What has not started, all of it or what is paused. That is hearsay: whether it is, the next look tells, and no attempt is burnt."""
    for room in rooms:
        _release(room.drain(pauses), ledger)


def _end(rooms: Sequence[Room], ledger: Mailbox[Outcome]) -> None:
    _hand_back(rooms, ledger)
    for room in rooms:
        room.end()


def _release(runs: Sequence[Claimed], ledger: Mailbox[Outcome]) -> None:
    for run in runs:
        # Has room: one outcome for each run held. It is closed where a node that ends is told of runs that the gate had under way: these
        # go back as it leaves.
        ledger.offer(Outcome(run.id, run.lease, run.node, None, int(Kind.RELEASED), None, None, run.task))
