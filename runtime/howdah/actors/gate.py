"""The gate: the one node of a database that admits runs with limits, for all nodes.

Every node that has tasks with limits waits for the seat; who has it takes the gate over: a new epoch fences its predecessor, and
what is held is read from the rows. From then on it keeps in memory what waits (the heads of lines) and what is held, decides
(core/gate.py), and has what it decided written in one statement under its epoch (admissions.py). What it remembers to be held is
never less than what is: a permit is freed when its row is seen to be gone, and by nothing else. Whatever else it is told is a hint.
"""

import logging
from collections.abc import Iterable, Sequence
from operator import attrgetter
from time import monotonic

import anyio.lowlevel

from ..config import Config
from ..core.bucket import Bucket
from ..core.gate import Gate
from ..core.keyed import Admitted as Decided
from ..core.keyed import Key
from ..core.places import Places
from ..core.tidings import Heard, Tidings
from ..mailbox import Mailbox
from ..messages import Claimed, Held, SeatLost, Woken
from .admissions import Admissions, Answer
from .guards import Guards
from .holdings import Holdings, Permit
from .impatience import Impatience
from .placing import Placing
from .rules import Rules
from .seat import House, Seat
from .waiters import HEADS_MAX, Waiters

log = logging.getLogger("howdah.gate")

HEADS_MIN, HEADS_AT_ONCE = 16, 8_000
"""Runs of each line that are kept at hand: more of few lines, so that neither many lines nor a long one cost a statement a run."""

LINES_AT_ONCE = 1_000
"""Lines in one statement: beyond that the others wait longer for their turn than the statement is worth."""

RUNS_AT_ONCE = 5_000
"""The same of runs, where news are read and where it is checked what is held."""

WANTED_MAX = 100
"""Nodes that are asked at once to leave room: each is a notification."""


async def keep_gate(seat: Seat, house: House, desk: Mailbox[Woken], tidings: Tidings, config: Config) -> None:
    """Waits for the seat and is the gate while it has it, until the node leaves."""
    while not (desk.ended or house.leaves()):
        if house.standing() is None:  # Not on the list: it would be taken for one that froze on the seat.
            await desk.take(1024, config.backoff_s)
            continue
        await seat.sit()
        try:
            standing = house.standing()
            if standing is not None and not (desk.ended or house.leaves()):
                epoch = await seat.enter(standing.node)
                keeper = _Keeper(seat, house, desk, tidings, config, epoch, standing.node)
                await keeper.take_over()
                house.opened()
                await keeper.work()
        except SeatLost as lost:
            log.info("this node is the gate no more: %s", lost)
        finally:
            house.closed()
            await seat.rise()
        if not (desk.ended or house.leaves()):
            await desk.take(1024, config.backoff_s)


class _Keeper:
    """One tenure. It owns the gate's memory. Each statement of it is awaited before the next, but for admissions: whatever asks the
    database anything has the answers to those that are out first (_settle), so that a look sees every admission before it."""

    def __init__(self, seat: Seat, house: House, desk: Mailbox[Woken], tidings: Tidings, config: Config, epoch: int, node: int) -> None:
        self._seat, self._house, self._desk, self._tidings, self._config = seat, house, desk, tidings, config
        self._node = node
        self._admissions = Admissions(seat, epoch, node, desk)
        self._early: list[tuple[int, int]] = []
        """Ends that were heard of before the answer that says that these were admitted."""
        self._undone: list[Decided] = []
        """What the database did not admit: it is yet to be asked why."""
        self._gate = Gate()
        self._places = Places(node, config.claim_max)
        self._placing = Placing(self._places)
        self._impatience = Impatience(self._gate, seat)
        self._guards = Guards(seat, epoch)
        self._rules = Rules(self._gate, self._impatience, self._guards)
        self._holdings = Holdings(self._gate, self._places, self._impatience, self._guards)
        self._waiters = Waiters(self._gate, self._rules, self._placing, self._holdings)
        now = monotonic()
        self._cursor: int | None = None
        self._round_began = self._scan_at = self._ask_at = self._want_at = now
        self._check_at = now + config.heartbeat_s
        self._sweep_at = now + config.idle_look_s
        self._wants = False
        self._refused: set[int] = set()
        self._refused_at = now
        self._patience_s = config.second_look_s

    async def take_over(self) -> None:
        """Learns from the rows what is held, what rates have left, and what is allowed."""
        self._rules.read(await self._seat.terms())
        await self._guards.read()
        for name, key, level, at in await self._seat.buckets():
            self._gate.set_bucket((name, key), Bucket(level, at))
        now = monotonic()
        for held in sorted(await self._seat.held(), key=_by_lease):
            self._holdings.inherit(held, self._rules.demands(held.demands), now)
        await self._ask_for_space()

    async def _read_terms(self) -> None:
        standing = self._house.standing()
        self._rules.read(await self._seat.terms(), 0.0 if standing is None else monotonic() + standing.offset_s)
        await self._guards.read()

    async def work(self) -> None:
        """Admits until the node leaves, or has another identity."""
        lost: SeatLost | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._admissions.serve)
            try:
                await self._work()
                await self._settle()
            except SeatLost as error:  # Past the group, which would wrap it.
                lost = error
            finally:
                self._admissions.end()
        if lost is not None:
            raise lost

    async def _work(self) -> None:
        more = True
        while not (self._desk.ended or self._house.leaves()):
            standing = self._house.standing()
            if standing is None or standing.node != self._node:
                raise SeatLost("its node has lost its lease")
            await self._desk.take(1024, 0 if more else self._wait_s(standing.offset_s))
            if not self._seat.is_taken:
                raise SeatLost("a connection of it has ended")
            self._note(await self._admissions.take())
            heard, now = self._tidings.take(), monotonic()
            if self._asks(heard, now):
                await self._settle()
            await self._heed(heard)
            await self._upkeep(now, standing.offset_s)
            await self._feed()
            if (rooms := await self._guards.judge(standing.offset_s)) is not None:
                self._rules.bound(rooms)
            more = await self._admit(standing.offset_s)
            if not more and not self._admissions.are_out:
                await self._want_room()
                if self._cursor is not None:
                    self._scan_at = monotonic()
            parked = self._gate.take_parked()
            if self._impatience.modes:
                await self._settle()
                if changed := await self._impatience.act(parked):
                    await self._refresh(changed, HEADS_MAX)
                    more = True

    def _asks(self, heard: Heard, now: float) -> bool:
        """Whether the database is to be asked anything before the next is decided. Only what is most frequent by far, ends and changes
        of room under plain limits and rates, is told apart: all else is, or may be."""
        return bool(
            self._undone
            or heard.asks
            or any(not self._places.has_place(space) for space in heard.spaces.values())
            or now >= min(self._scan_at, self._check_at, self._sweep_at)
            or (self._refused and now >= self._refused_at)
            or self._gate.hungry()
            or self._holdings.kept
            or self._impatience.modes
            or self._guards
        )

    async def _settle(self) -> None:
        """Has the answers to all admissions that are out, and sees to what was refused."""
        while self._admissions.are_out:
            self._note(await self._admissions.take(None))
        if self._undone:
            undone, self._undone = self._undone, []
            await self._take_back(undone)

    def _wait_s(self, offset_s: float) -> float | None:
        if not self._admissions.have_room:
            return None  # Nothing can be done before the next answer, which wakes.
        due = min(self._scan_at, self._check_at) if self._holdings.permits else self._scan_at
        if self._refused:
            due = min(due, self._refused_at)
        if self._wants and not self._admissions.are_out:
            due = min(due, self._want_at)
        for at in (self._gate.next_at(), self._guards.next_at(), self._placing.next_at()):
            if at is not None:
                due = min(due, at - offset_s)
        return max(0.0, due - monotonic())

    async def _heed(self, heard: Heard) -> None:
        holdings = self._holdings
        if heard.terms:
            await self._read_terms()
        await self._close(heard.closed)
        if heard.labels:
            self._placing.doubt()
        for space in heard.spaces.values():
            self._places.tell(space, holdings.whereabouts())
        self._free(heard.ended.items())
        await self._check([pair for pair in heard.doubtful.items() if holdings.is_held(*pair)])
        if holdings.kept:
            await self._let_go([run for run in {*heard.ended, *heard.doubtful, *heard.over} if run in holdings.kept])
        if heard.everything:
            self._cursor, self._scan_at = None, 0.0
        for low, high in heard.ranges:
            last: int | None = low - 1
            while last is not None:
                rows, last = await self._seat.news(last + 1, high, [], RUNS_AT_ONCE)
                self._waiters.add(rows)
        if heard.runs:
            self._waiters.add((await self._seat.news(None, None, list(heard.runs), RUNS_AT_ONCE))[0])

    async def _upkeep(self, now: float, offset_s: float) -> None:
        """What is due. now: that by which it was asked whether anything is, or admissions might be out."""
        if now >= self._scan_at:
            await self._scan()
        if self._refused and now >= self._refused_at:
            lines, self._refused = list(self._refused), set()
            await self._refresh(lines, HEADS_MIN)
        if now >= self._check_at:
            self._check_at = now + self._config.heartbeat_s
            before, holdings = now - self._config.heartbeat_s, self._holdings
            await self._check([(run, permit.lease) for run, permit in holdings.before(before)])
            await self._let_go([run for run in holdings.kept if run not in holdings.permits])
            await self._remind(holdings.before(before))
        if now >= self._sweep_at:
            self._sweep_at = now + self._config.idle_look_s
            self._gate.sweep(now + offset_s)
            self._places.sweep()
            self._rules.sweep()
            self._placing.sweep(self._gate.kinds())
            await self._guards.sweep(now + offset_s)

    async def _scan(self) -> None:
        """Looks at the next lines of all: at everything each idle_look_s, and for no more than a share of the time. In between there is
        as much time for admissions, as long as there are any: they wait for each look, and nodes have to have enough until then."""
        began = monotonic()
        if self._cursor is None:
            self._round_began = began
            await self._read_terms()  # Nobody says it again where a notification was lost.
            self._placing.doubt()
        rows = await self._seat.look(self._cursor, LINES_AT_ONCE, HEADS_MIN)
        for row in rows:
            self._waiters.tell(row)
        if len(rows) >= LINES_AT_ONCE:
            self._cursor = rows[-1].line
            now = monotonic()
            self._scan_at = now + (now - began)
            return
        self._cursor = None
        await self._ask_for_space()  # What was said of it last may be lost: a node says it once.
        now = monotonic()
        self._scan_at = now + max(self._config.idle_look_s, (now - self._round_began) / self._config.look_share)

    async def _feed(self) -> None:
        """Asks for the next runs of lines that have others waiting."""
        hungry = self._gate.hungry()
        for at in range(0, len(hungry), LINES_AT_ONCE):
            lines = hungry[at : at + LINES_AT_ONCE]
            heads = max(HEADS_MIN, min(HEADS_MAX, HEADS_AT_ONCE // len(lines)))
            await self._refresh(lines, heads)

    async def _refresh(self, lines: Sequence[int], heads: int) -> None:
        for row in await self._seat.heads(lines, heads):
            self._waiters.tell(row)

    async def _admit(self, offset_s: float) -> bool:
        """Decides on one admission, and sends it out. True if another may follow at once."""
        if not self._admissions.have_room:
            return False  # Its answer wakes.
        await self._placing.ask(self._seat)
        self._places.begin(monotonic() + offset_s)
        decided = self._gate.admit(self._places, monotonic() + offset_s)
        if not decided:
            return bool(self._gate.hungry())
        self._placing.went(decided)
        decided.sort(key=_by_run)  # Neighbours in the table, as far as that goes.
        levels = [(*key, bucket.level, bucket.at) for key, bucket in self._gate.take_poured()]  # Written down with them.
        self._admissions.send(decided, levels)
        await anyio.lowlevel.checkpoint()  # It is on its way before the next is decided.
        return True

    def _note(self, answers: Iterable[Answer]) -> None:
        """These were admitted. What was not is as if it had never been decided; why, is asked before anything else is."""
        for decided, rows, twice in answers:
            admitted = [decided.pop(row[1]) for row in rows]
            self._holdings.take(admitted, [row[6] for row in rows], monotonic())
            own = [Claimed(*row, lane=one.lane) for row, one in zip(rows, admitted, strict=True) if row[0] == self._node]
            if own:
                self._house.admitted(own)
            for one in (*decided.values(), *twice):
                self._gate.undo(one.demands)
                self._places.free(one.place, one.task[1])
                self._undone.append(one)
            if not decided:
                self._patience_s = self._config.second_look_s
        if answers and self._early:
            early, self._early = self._early, []
            self._free(early)

    def _free(self, ended: Iterable[tuple[int, int]]) -> None:
        """These hold their leases no more."""
        unknown = self._holdings.free(ended)
        if unknown and self._admissions.are_out:
            self._early += [pair for pair in unknown if self._admissions.include(pair[0])]

    async def _let_go(self, runs: Sequence[int]) -> None:
        """Frees what these have kept, if they have ended; where that blocks a key, the key is blocked first."""
        for at in range(0, len(runs), RUNS_AT_ONCE):
            over, blocks = await self._seat.over(runs[at : at + RUNS_AT_ONCE])
            if blocks:
                await self._read_terms()
            for run in over:
                self._holdings.let_go(run)

    async def _close(self, keys: Iterable[Key]) -> None:
        """Some of these were closed. For how long still, the database says: this clock may be ahead of its own."""
        rates = self._rules.rates(keys)
        if rates:
            closed = await self._seat.closed(rates)
            standing = self._house.standing()
            if standing is not None:
                self._rules.close(closed, monotonic() + standing.offset_s)

    async def _take_back(self, refused: Sequence[Decided]) -> None:
        """What the database did not admit: it ended, is locked or not due any more, its node is gone, or a rate is closed. What waits in
        its line is asked for again a little later: a row may be locked for long."""
        await self._close({demand.key for one in refused for demand in one.demands})
        nodes = {one.place for one in refused} - {self._node}
        await self._check(self._holdings.of_nodes(nodes))  # What it held went with it.
        nodes -= {node for node, _ in self._holdings.whereabouts()}
        if nodes and (gone := nodes - await self._placing.living(self._seat)):
            for node in gone:
                self._places.forget(node)
            await self._ask_for_space()
        if not self._refused:
            self._refused_at = monotonic() + self._patience_s
            self._patience_s = min(self._patience_s * 2, self._config.busy_look_s)
        self._refused.update(one.line for one in refused)

    async def _want_room(self) -> None:
        """Has nodes that are full leave room for those who wait for nothing else, once in a while: whatever any node may claim would
        fill each slot as it becomes free, and nobody would ever get in from here."""
        now = monotonic()
        self._wants = now < self._want_at
        if self._wants:
            return
        wanting = [kind for kind, wants in self._gate.kinds().items() if wants]
        aims = {(node, kind[1]) for kind in wanting if (node := self._places.aim(kind)) is not None}
        if aims:
            self._wants = True
            self._want_at = now + self._config.busy_look_s
            await self._seat.want_room(sorted(aims)[:WANTED_MAX])

    async def _ask_for_space(self) -> None:
        """Has every node say what it has room for, at most once in a while."""
        now = monotonic()
        if now >= self._ask_at:
            self._ask_at = now + self._config.busy_look_s
            await self._seat.ask_for_space()

    async def _check(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Frees those that hold their lease no more, by the word of the database."""
        for at in range(0, len(pairs), RUNS_AT_ONCE):
            some = pairs[at : at + RUNS_AT_ONCE]
            leases = dict(some)
            left = await self._seat.left(list(leases), list(leases.values()))
            self._holdings.free([(run, leases[run]) for run in left])

    async def _remind(self, old: Sequence[tuple[int, Permit]]) -> None:
        """Has nodes look for what was admitted to them a while ago, in case they were not told."""
        near = [(run, permit.lease) for run, permit in old if permit.node == self._node and not self._house.holds(run, permit.lease)]
        if near:
            self._house.missed(near)
        far = [(run, permit) for run, permit in old if permit.node != self._node]
        if far:
            await self._seat.remind([run for run, _ in far], [one.lease for _, one in far], [one.node for _, one in far])


_by_run = attrgetter("run")


def _by_lease(held: Held) -> int:
    return held.lease or 0
