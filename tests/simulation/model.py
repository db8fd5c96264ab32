"""Postgres as nodes see it: what the SQL functions promise, in memory, a statement at a time.

A statement is one transaction here, and notifications go out at its commit. What needs two sessions inside of their
transactions is not seen here: the interleavings are. test_model.py holds every answer against the real functions.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from howdah.core.states import Kind

from .journal import Commit, Journal, Table
from .rows import NEARLY_FULL, QUEUE, SUSPECT, Event, Hot, LeaseLost, Member, NodeGone, QueueFull, Run, Twice

ENDS = {Kind.SUCCEEDED, Kind.FAILED, Kind.STOPPED, Kind.CANCELLED, Kind.EXPIRED, Kind.LOST, Kind.QUARANTINED}

Hold = tuple[int, int | None, int | None]
"""A run, the lease, and the node that holds it so."""


class Model:
    """The database. notify is called at the commit of whatever notifies, with channel and payload."""

    def __init__(self, now: Callable[[], float], notify: Callable[[str, str], None]) -> None:
        self.now = now
        self.journal = Journal()
        self.runs = Table[int, Run](self.journal)
        self.hot = Table[int, Hot](self.journal)
        self.nodes = Table[int, Member](self.journal)
        self.events = Table[int, Event](self.journal)
        self.stale = Table[int, Event](self.journal)
        self.inbox = Table[int, tuple[int, str]](self.journal)
        self.keys = Table[str, int](self.journal)
        self.numbers = Table[str, int](self.journal)
        self.effects = Table[int, int](self.journal)
        """How often functions took effect in the database, in transactions of theirs, by run."""
        self.started = now()
        self.world = 1
        """Which history of the database this is. A standby or a copy that took its place begins another one."""
        self.queue = 0.0
        """How full the cluster's queue of notifications is, of one."""
        self.forgotten: set[Hold] = set()
        """What a crash, or a standby, took back: whoever holds it cannot know."""
        self.parted: set[Hold] = set()
        """Those among them that a standby took back, durable as they were."""
        self.given: dict[Hold, int] = {}
        """The world in which each was given, as an outside observer has it: nothing here is rolled back."""
        self.given_again: Callable[[Hold, int], None] = lambda _hold, _world: None
        """Hears of what was given in an earlier world, and is given once more."""
        self.audit: Callable[[Event, Hot | None], None] = lambda _event, _row: None
        """Hears of each event before it takes effect, with the hot row of its run."""
        self.overfull: Callable[[], None] = lambda: None  # Hears that more is held under the limit than it allows.
        self._notify = notify
        self._told: list[tuple[str, str]] = []
        self._under_way = False

    def call(self, verb: Callable[[Commit], Any]) -> Any:
        """One statement, or a part of the transaction at hand. What it has to tell goes out when it has committed."""
        if self._under_way:
            with self.journal.transaction() as commit:
                return verb(commit)
        self._told, self._under_way = [], True
        try:
            with self.journal.transaction() as commit:
                answer = verb(commit)
        finally:
            self._under_way = False
        for channel, payload in self._told:
            self._notify(channel, payload)
        return answer

    def next(self, name: str) -> int:
        """The next number of a sequence."""
        number = (self.numbers.get(name) or 0) + 1
        self.numbers[name] = number
        return number

    def tell(self, channel: str, payload: str) -> None:
        """Notifies at the commit, unless the queue is nearly full."""
        if self.queue < NEARLY_FULL:
            self.notify(channel, payload)

    def notify(self, channel: str, payload: str) -> None:
        """Notifies at the commit. QueueFull: there is no room."""
        if self.queue >= 1:
            raise QueueFull
        if (channel, payload) not in self._told:
            self._told.append((channel, payload))

    def wake(self, rows: Sequence[Hot]) -> None:
        """Says of each line which of these rows is first, and to the gate what waits for it."""
        if gated := [row.run.id for row in rows if row.run.limited]:
            self.tell("howdah_gate", "runs " + " ".join(map(str, gated)))
        for task in {row.run.task for row in rows if not row.run.limited}:
            priority, number = min(row.place for row in rows if row.run.task == task)
            self.tell("howdah_work", f"{QUEUE} {task} {priority} {number}")

    def submit(
        self, task: int, count: int = 1, *, delay_s: float = 0.0, expires_s: float | None = None, key: str | None = None, **said: Any
    ) -> list[int]:
        """Enqueues; the ids, or that of the run that holds the key."""
        if key is not None and (held := self.keys.get(key)) is not None and held in self.hot:
            return [held]
        made: list[Hot] = []
        for _ in range(count):
            run = Run(self.next("run"), task, key=key, **said)
            self.runs[run.id] = run
            ends = None if expires_s is None else self.now() + delay_s + expires_s
            row = self.hot[run.id] = Hot(run, expires=ends, due=self.now() + delay_s if delay_s else None)
            made.append(self.hot[run.id])
            if key is not None:
                self.keys[key] = row.run.id
        if delay_s:
            self.tell("howdah_timer", str(delay_s))
        else:
            self.wake(made)
        if expires_s is not None:
            self.tell("howdah_timer", str(delay_s + expires_s))
        return [row.run.id for row in made]

    def ready(self) -> list[Hot]:
        """Rows of job that nobody holds, in the order of their lines."""
        return sorted((row for row in self.hot.rows() if row.due is None and row.lease is None), key=lambda row: row.place)

    def look(self, tasks: Sequence[int]) -> list[tuple[int, int, int, int, bool]]:
        """The head of each line."""
        heads: dict[tuple[int, bool], Hot] = {}
        for row in self.ready():
            if row.run.task in tasks and not row.run.limited:
                heads.setdefault((row.run.task, row.crashes >= SUSPECT), row)
        return [(QUEUE, task, row.run.priority, row.run.id, aside) for (task, aside), row in heads.items()]

    def claim(
        self, commit: Commit, node: int, room: int, lines: dict[int, tuple[int, int]], *, aside: bool, durable: bool
    ) -> list[tuple[Hot, bool]]:
        """Rows for a node, behind the watermarks of the lines; whether each was taken aside."""
        ready = [row for row in self.ready() if not row.run.limited]
        taken: list[Hot] = []
        if aside and any(row.crashes >= SUSPECT for row in self.hot.rows()):
            self.check_member(node)
            holds = self.has_suspect(node)
            suspects = [row for row in ready if row.crashes >= SUSPECT and row.run.task in lines and not holds]
            taken = suspects[: min(room, 1)]
        others = [row for row in ready if row.crashes < SUSPECT and row.run.task in lines and row.place > lines[row.run.task]]
        heads = {row.run.task: row.run.priority for row in reversed(others)}
        room -= len(taken)
        if not room or (len(lines) > 1 and not heads):
            return [(self.hold(row, node, self.next("lease")), True) for row in taken]
        self.check_member(node)
        commit.durable = durable or bool(taken)
        share = room
        if len(lines) > 1:
            best = min(heads.values())
            share = max(1, room // sum(1 for priority in heads.values() if priority == best))
            others = [row for row in others if row.run.priority <= best]
        fresh = [row for row in others if row.expires is None or row.attempt > 0 or row.expires > self.now()]
        picked: list[Hot] = []
        for task in lines:
            picked += [row for row in fresh if row.run.task == task][:share]
        lease = self.next("lease")
        held = [(self.hold(row, node, lease), True) for row in taken]
        return held + [(self.hold(row, node, lease), False) for row in sorted(picked[:room], key=lambda row: row.place)]

    def has_suspect(self, node: int) -> bool:
        """Whether a node holds one already."""
        return any(row.node == node and row.crashes >= SUSPECT for row in self.hot.rows())

    def check_member(self, node: int) -> None:
        """NodeGone: it is not on the list."""
        if node not in self.nodes or self.nodes[node].world != self.world:
            raise NodeGone

    def hold(self, row: Hot, node: int, lease: int) -> Hot:
        """Gives a run to a node."""
        held = self.hot[row.run.id] = msgspec.structs.replace(row, attempt=row.attempt + 1, node=node, lease=lease)
        if self.given.setdefault(held.hold, self.world) != self.world:
            self.given_again(held.hold, self.given[held.hold])
        return held

    def is_held(self, run: int, lease: int | None, node: int | None) -> bool:
        """The fence."""
        row = self.hot.get(run)
        return row is not None and row.lease is not None and (row.lease, row.node) == (lease, node)

    def record(self, outcomes: Sequence[tuple[int, int, int, Kind, float]]) -> tuple[list[tuple[int, int, str]], bool]:
        """Outcomes (run, lease, node, kind, delay) of a node, by COPY: those rejected, and whether there is something to settle."""
        rejected: list[tuple[int, int, str]] = []
        accepted: set[int] = set()
        back: list[Hot] = []
        unsettled = False
        for run, lease, node, kind, delay_s in outcomes:
            if not self.is_held(run, lease, node):
                if run in accepted:
                    raise Twice
                before = any((e.run, e.lease, e.node) == (run, lease, node) and e.kind < Kind.CANCEL_REQUESTED for e in self.events.rows())
                rejected.append((run, lease, "duplicate" if before else "stale"))
                self.stale[self.next("stale")] = Event(run, kind, self.now(), lease, node)
                continue
            accepted.add(run)
            self._write(Event(run, kind, self.now(), lease, node))
            unsettled |= self._apply(self.hot[run], kind, delay_s)
            if kind is Kind.RELEASED and run in self.hot:
                back.append(self.hot[run])
        self.wake(back)
        return rejected, unsettled

    def _apply(self, row: Hot, kind: Kind, delay_s: float) -> bool:
        if kind in ENDS:
            return self._end(row, kind)
        if row.cancelling:
            self._write(Event(row.run.id, Kind.CANCELLED, self.now()))
            return self._end(row, Kind.CANCELLED)
        if kind in (Kind.RETRIED, Kind.SNOOZED):
            attempt = row.attempt - (kind is Kind.SNOOZED)
            self.hot[row.run.id] = msgspec.structs.replace(
                row, lease=None, node=None, attempt=attempt, due=self.now() + delay_s, expires=None
            )
        else:
            self._free(row)
        return False

    def _free(self, row: Hot, crashes: int = 0) -> None:
        back = msgspec.structs.replace(row, lease=None, node=None, attempt=row.attempt - 1, crashes=row.crashes + crashes)
        self.hot[row.run.id] = back

    def _write(self, event: Event) -> None:
        self.audit(event, self.hot.get(event.run))
        self.events[self.next("event")] = event

    def _end(self, row: Hot, kind: Kind) -> bool:
        """Deletes the hot row and notes what its end means for others. Whether it means anything."""
        self.hot.pop(row.run.id)
        means = (
            ("ended", row.run.awaited),
            ("freed", row.run.key is not None),
            ("cancelled", kind in (Kind.STOPPED, Kind.CANCELLED)),
        )
        effects = [what for what, applies in means if applies]
        for what in effects:
            self.inbox[self.next("inbox")] = (row.run.id, what)
        return bool(effects)

    def _end_by_us(self, row: Hot, kind: Kind) -> None:
        self._write(Event(row.run.id, kind, self.now(), row.lease, row.node))
        if self._end(row, kind):
            self.tell("howdah_timer", "-1")

    def complete(self, run: int, lease: int, node: int) -> bool:
        """Ends a run in its own transaction. Whether there is something to settle."""
        if not self.is_held(run, lease, node):
            raise LeaseLost
        self._write(Event(run, Kind.SUCCEEDED, self.now(), lease, node))
        return self._end(self.hot[run], Kind.SUCCEEDED)

    def settle(self, commit: Commit) -> int:
        """Applies what ends mean for others."""
        commit.durable = False
        taken = [(number, self.inbox.pop(number)) for number in self.inbox]
        for _, (run, what) in taken:
            key = self.runs[run].key
            if what == "freed" and key is not None and self.keys.get(key) == run:
                self.keys.pop(key)
            elif what == "cancelled":
                self.cancel([row.run.id for row in self.hot.rows() if row.run.parent == run and not row.run.keeps])
            elif what == "ended":
                self.tell("howdah_done", str(run))
        return len(taken)

    def cancel(self, runs: Sequence[int]) -> dict[int, str]:
        """Ends those that wait and flags those that run."""
        answers: dict[int, str] = {}
        for run in runs:
            row = self.hot.get(run)
            if row is None:
                answers[run] = "ended" if run in self.runs else "unknown"
            elif row.lease is None:
                self._end_by_us(row, Kind.CANCELLED)
                answers[run] = "cancelled"
            else:
                if not row.cancelling:
                    self._write(Event(run, Kind.CANCEL_REQUESTED, self.now()))
                    self.hot[run] = msgspec.structs.replace(row, cancelling=True)
                self.tell("howdah_cancel", f"{run} {row.lease}")
                answers[run] = "requested"
        return answers

    def asked(self, runs: Sequence[int], leases: Sequence[int]) -> list[tuple[int, int]]:
        """Which of these attempts somebody wants cancelled."""
        pairs = zip(runs, leases, strict=True)
        return [(run, lease) for run, lease in pairs if (row := self.hot.get(run)) and row.lease == lease and row.cancelling]

    def join(self, node: int, lease_s: float, tasks: Sequence[int]) -> float:
        """A node enters. KeyError: this identity has."""
        if node in self.nodes:
            raise KeyError(node)
        self.nodes[node] = Member(self.now() + lease_s, self.now(), tuple(tasks), self.world)
        return self.now()

    def renew(self, commit: Commit, node: int, lease_s: float) -> tuple[float, bool] | None:
        """Extends a lease. None: the node was reaped, or entered another world."""
        commit.durable = False
        member = self.nodes.get(node)
        if member is None or member.world != self.world:
            return None
        self.nodes[node] = msgspec.structs.replace(member, until=self.now() + lease_s, renewed=self.now())
        return self.now(), len(self.inbox) > 0

    def leave(self, node: int) -> None:
        """A node goes; what it should still hold comes back."""
        if node in self.nodes:
            self.nodes.pop(node)
        self._return(node, set(), None)

    def recover(self, node: int, leases: Sequence[int]) -> int:
        """Hands back what a living node does not know to hold, and passes over the numbers of the leases that it knows."""
        while (self.numbers.get("lease") or 0) < max(leases, default=0):
            self.next("lease")
        rows = [row for row in self.hot.rows() if row.node == node and row.lease not in leases and not row.run.limited]
        for row in rows:
            if row.cancelling:
                self._end_by_us(row, Kind.CANCELLED)
            else:
                self._write(Event(row.run.id, Kind.RETURNED, self.now()))
                self._free(row)
        return len(rows)

    def _return(self, node: int, known: set[int], quarantine: int | None) -> None:
        back: list[Hot] = []
        for row in sorted(self.hot.rows(), key=lambda row: row.run.id):
            if row.node != node or row.lease in known:
                continue
            kind = self._judged(row, quarantine)
            if kind in ENDS:
                self._end_by_us(row, kind)
                continue
            self._write(Event(row.run.id, kind, self.now(), row.lease, row.node))
            self._free(row, crashes=int(kind is Kind.REAPED))
            back.append(row)
        self.wake(back)

    @staticmethod
    def _judged(row: Hot, quarantine: int | None) -> Kind:
        if row.cancelling:
            return Kind.CANCELLED
        if row.run.once:
            return Kind.LOST
        if quarantine is None:
            return Kind.RETURNED
        return Kind.QUARANTINED if row.crashes - 1 >= quarantine else Kind.REAPED

    def keep(self, longest_s: float, quarantine: int) -> tuple[float, int, int]:
        """A round of upkeep: the seconds until the next one, how many timers fired, how many runs expired."""
        now = self.now()
        for node, member in self.nodes.items():
            if member.until < now and self.started + (member.until - member.renewed) < now:
                self.nodes.pop(node)
                self._return(node, set(), quarantine)
        due = [row for row in self.hot.rows() if row.due is not None and row.due <= now]
        for row in due:
            self.hot[row.run.id] = msgspec.structs.replace(row, due=None)
        self.wake(due)
        late = [row for row in self.ready() if row.attempt == 0 and row.expires is not None and row.expires <= now]
        for row in late:
            self._end_by_us(row, Kind.EXPIRED)
        return self._next_round_in(longest_s), len(due), len(late)

    def _next_round_in(self, longest_s: float) -> float:
        times = [row.due for row in self.hot.rows() if row.due is not None]
        times += [row.expires for row in self.ready() if row.attempt == 0 and row.expires is not None]
        times += [max(one.until, self.started + (one.until - one.renewed)) + 0.001 for one in self.nodes.rows()]
        return max(0.0, min([longest_s, *(time - self.now() for time in times)]))

    def take_effect(self, run: int) -> None:
        """A function did something in the database."""
        self.effects[run] = (self.effects.get(run) or 0) + 1

    def crash(self, random: Any) -> None:
        """The server dies and comes back: commits that were not on disk may be forgotten."""
        with self._forgetting():
            self.journal.crash(random)

    def fail_over(self, random: Any) -> set[int]:
        """An older state takes the place of this one, in another world. Returns the runs of which something did not happen there."""
        before = self.forgotten.copy()
        with self._forgetting():
            undone = self.journal.fail_over(random)
        self.parted |= self.forgotten - before
        self.world += 1
        self.queue = 0.0
        return self.hot.named_in(undone) | self.runs.named_in(undone) | self.effects.named_in(undone)

    @contextmanager
    def _forgetting(self) -> Generator[None]:
        before = {row.hold for row in self.hot.rows() if row.lease is not None}
        yield
        self.forgotten |= before - {row.hold for row in self.hot.rows()}
        self.started = self.now()
