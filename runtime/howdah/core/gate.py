"""Which of the runs that wait under limits start next, and where: the decisions of the elected gate.

Runs that wait for the same keys are a line. The gate is told of the first of each line, of what runs under each key, and of the
terms; it answers with runs to admit, all of whose keys have room at once, in the order of priority, fair turns, and age. A permit
is free when the gate is told so, and not before: what it believes to run is never less than what does.

A line waits in one place. It is ready to be looked at, or parked under the first of its keys that had no room, where it costs
nothing until that key has some: then the key calls the best of its lines, one at a time, and the next one when that is answered.
So a full key hides nothing behind it, and nobody who can go is forgotten:

- a key is stirred by whatever may give it room, and each stirred key is asked whom it calls before anybody is admitted;
- a line that was called for want of nothing but a place does not stand in the way of a task that has one;
- in front of a bucket the best line saves up. Whoever it precedes waits behind it, since it would take the tokens for ever.

Between two admissions each line is looked at no more than twice: permits only get fewer, and who was parked under a bucket is not
called from there before something changed. So an admission ends, whatever circle lines and keys make.
"""

import math
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import count

from .bucket import ROUNDING, Bucket
from .crowd import Crowd, Front, Head, precedes, run_of
from .keyed import Admitted, Demand, Key, Kind, Line, Places, Room, Rooms, Task, Terms
from .savers import Savers
from .turns import Share, Turns


class Gate:
    """Everything that waits under limits, as the one gate of a database knows it. Moments are seconds of one clock."""

    __slots__ = ("_dues", "_entries", "_front", "_hungry", "_lines", "_now", "_parked", "_poured", "_rooms", "_savers", "_stirred",
                 "_tasks", "_turn")  # fmt: skip

    def __init__(self) -> None:
        self._rooms = Rooms()
        self._lines: dict[int, Line] = {}
        self._tasks: dict[Kind, Task] = {}
        self._front: Front[Line] = Front()
        self._hungry: set[int] = set()
        self._parked: list[int] = []
        self._stirred: list[Room] = []
        self._poured: set[Room] = set()
        self._savers = Savers()
        self._dues: list[tuple[float, int, Room]] = []
        self._entries = count(1)
        self._turn = 0
        self._now = 0.0

    @property
    def is_idle(self) -> bool:
        """Nothing waits here and nothing runs."""
        return not self._lines and not any(room.held for room in self._rooms)

    def set_terms(self, limit: str, terms: Terms, now: float = 0.0) -> None:
        """The terms of a limit from now on, for all of its keys that have none of their own. Nothing starts under one without terms."""
        for room in self._rooms.set_terms(limit, terms, max(now, self._now)):
            self._reconsider(room)

    def set_own(self, key: Key, terms: Terms | None, now: float = 0.0) -> None:
        """The terms of one key: AtMost(0) pauses it. None: those of its limit hold again."""
        self._reconsider(self._rooms.set_own(key, terms, max(now, self._now)))

    def set_bucket(self, key: Key, bucket: Bucket) -> None:
        """What the bucket of this key holds, as it was written down, or since somebody closed it."""
        room = self._rooms.open(key)
        room.bucket = bucket
        self._reconsider(room)

    def bucket(self, key: Key) -> Bucket | None:
        """What the bucket of this key holds, to be written down. None: nothing was taken that matters still."""
        room = self._rooms.get(key)
        return None if room is None else room.bucket

    def take_poured(self) -> list[tuple[Key, Bucket]]:
        """The buckets from which admissions have taken since this was asked last, as they are now: to be written down, by key."""
        if not self._poured:
            return []
        poured, self._poured = self._poured, set()
        return sorted((room.key, room.bucket) for room in poured if room.bucket is not None)

    def hold(self, demands: Iterable[Demand]) -> tuple[Room, ...]:
        """One run more holds these, though nothing was admitted here: the gate learns what runs already. Answers with their rooms."""
        rooms = tuple(self._rooms.open(demand.key) for demand in demands)
        for room in rooms:
            room.held += 1
        return rooms

    def free(self, demands: Iterable[Demand]) -> None:
        """One run less holds these. Tokens are spent, whatever became of the run."""
        self.leave(self._rooms.open(demand.key) for demand in demands)

    def leave(self, rooms: Iterable[Room]) -> None:
        """The same by what an admission, or hold(), has answered: while a run holds a key, its room is known."""
        for room in rooms:
            held = room.held
            assert held > 0, f"{room.key} is freed more often than it is held"
            room.held = held - 1
            if held == 1 and room.lines == 0:
                self._rooms.leave(room)
            elif held == room.number and not room.stirred:
                room.stirred = True
                self._stirred.append(room)

    def undo(self, demands: Iterable[Demand]) -> None:
        """An admission did not happen: permits and tokens are as if there had been none. Its line is told of anew, if it waits still."""
        self.free(demands)
        for demand in demands:
            room = self._rooms.get(demand.key)
            if room is not None and room.flow is not None and room.bucket is not None:
                room.bucket = room.bucket.without(-demand.cost)
                self._reconsider(room)

    def offer(self, number: int, task: Kind, demands: tuple[Demand, ...], heads: Iterable[Head], *, more: bool) -> None:
        """These are the first of a line, in order, and all that the gate is to know of it: they replace what was told before.

        more: others wait behind them. Neither heads nor more: the line is forgotten. What told them must have seen what became of
        the runs of this line that were admitted before: they are not among the heads.
        """
        line = self._lines.get(number)
        if line is not None:
            self._withdraw(line)
            if line.task.name != task or line.demands != demands:
                self._end(line)
                line = None
        told = tuple(heads)
        if not told and not more:
            if line is not None:
                self._end(line)
            return
        if line is None:
            line = self._lines[number] = Line(number, self._task(task), demands, tuple(self._rooms.open(demand.key) for demand in demands))
        line.heads, line.gone = told, 0
        line.more = more
        if told:
            self._hungry.discard(number)
            self._make_ready(line)
        else:
            self._hungry.add(number)

    def add(self, number: int, task: Kind, demands: tuple[Demand, ...], heads: Sequence[Head], most: int) -> None:
        """These wait in a line, too, beside those that are known; of all of them the first `most` are kept at hand."""
        line = self._lines.get(number)
        merged = (heads[:most], len(heads) > most) if line is None else line.among(heads, most)
        if merged is not None:
            self.offer(number, task, demands, merged[0], more=merged[1])

    def kinds(self) -> dict[Kind, bool]:
        """The kinds of runs that wait here, or did a moment ago, and whether somebody of each waits for nothing but a place."""
        return {kind: not task.has and task.ready.best() is not None for kind, task in self._tasks.items()}

    def hungry(self) -> list[int]:
        """Lines that have others waiting, of which the gate was not told: each until it is told of them."""
        return list(self._hungry)

    def take_parked(self) -> list[int]:
        """Lines that found a key full since this was asked last; some of them may have gone since."""
        parked, self._parked = self._parked, []
        return parked

    def stuck(self, number: int) -> tuple[Key, list[Head], bool] | None:
        """The key that a line waits for, which has no room, the runs that are known of it, and whether there are others. None: it waits
        for a place, or not at all."""
        line = self._lines.get(number)
        if line is None or line.at is None or line.at.number == 0:  # 0: it is paused.
            return None
        return line.at.key, list(line.heads[line.gone :]), line.more

    def next_at(self) -> float | None:
        """When a bucket next has enough for somebody. None: no bucket keeps anybody waiting."""
        dues = self._dues
        while dues:
            at, _, room = dues[0]
            if room.due == at:
                if room.saver is not None:
                    return at
                room.due = None
            heappop(dues)
        return None

    def sweep(self, now: float) -> None:
        """Forgets keys that nothing waits for, that nothing holds and whose buckets are full, and groups that are away."""
        self._rooms.sweep(now)
        self._tasks = {name: task for name, task in self._tasks.items() if task.lines}
        for task in self._tasks.values():
            task.ready.sweep()
            task.absent = {room for room in task.absent if self._rooms.get(room.key) is room}
        self._dues = [due for due in self._dues if due[2].due == due[0] and self._rooms.get(due[2].key) is due[2]]
        heapify(self._dues)
        self._stirred = [room for room in self._stirred if self._rooms.get(room.key) is room]

    def admit(self, places: Places, now: float) -> list[Admitted]:
        """Whoever can go now, in order. Each holds its keys from here on, until free() or undo() say otherwise."""
        self._now = now
        self._turn += 1
        self._wake(now)
        self._look_for(places)
        admitted: list[Admitted] = []
        task, left = None, 0
        while True:
            while self._stirred:
                self._call(self._stirred.pop(), places, now)
            line = self._front.first()
            if line is None:
                return admitted
            if left == 0 or line.task is not task:  # Tasks share places: what one takes, another has no more.
                task = line.task
                left = places.left(task.name)
                if left == 0:
                    self._close(task)  # This stirs keys, which call others now.
                    continue
            line.step_out()
            if line.called_by is not None:
                self._release(line)
            missing = line.missing(now)
            if missing is None:
                left -= 1
                admitted.append(self._take(line, places, now))
            else:
                self._park(line, missing)

    def _wake(self, now: float) -> None:
        """Stirs the keys whose buckets were to have enough by now."""
        dues = self._dues
        while dues and dues[0][0] <= now + ROUNDING:
            at, _, room = heappop(dues)
            if room.due == at:
                room.due = None
                self._stir(room)

    def _look_for(self, places: Places) -> None:
        """Finds out which tasks have places again, and which have none any more."""
        for task in self._tasks.values():
            if not places.has(task.name):
                self._close(task)
            elif not task.has:
                task.has = True
                for room in task.absent:
                    self._stir(room)
                task.absent = set()
                line = task.best()
                if line is not None:
                    self._front.tell(task, line.rank, next(self._entries))

    def _close(self, task: Task) -> None:
        """There is no place for this task: its lines stand in nobody's way."""
        if not task.has:
            return
        task.has = False
        self._turn += 1
        for room in [*task.leans]:
            if room.called is not None:
                self._release(room.called)
            self._reconsider(room)

    def _call(self, room: Room, places: Places, now: float) -> None:
        """Calls the best line that is parked here, if there is room for one and none was called already."""
        room.stirred = False
        self._savers.remove(room)
        if not room.parked or (room.number is not None and room.held >= room.number):
            return
        line = room.best()
        if line is None:
            return
        if room.called is not None:
            if not precedes(line, room.called):
                return
            self._release(room.called)  # Somebody was parked since who goes before it, or saves up before it.
        if room.flow is not None:
            at = room.enough_at(line.cost_at(room))
            if at > now + ROUNDING or line.turn == self._turn:
                if places.has(line.task.name):
                    self._save_up(room, line, at)
                else:  # The last place was taken since this admission looked for one.
                    self._close(line.task)
                    self._stir(room)
                return
        line.step_out()
        line.at = None
        line.called_by = room
        room.called = line
        line.task.leans.add(room)
        self._make_ready(line)

    def _take(self, line: Line, places: Places, now: float) -> Admitted:
        """The first run of this line goes, and the line waits for the next one."""
        for room in line.rooms:
            room.held += 1
            if room.flow is not None:
                room.pour(room.flow, line.cost_at(room), now)
                self._poured.add(room)
                if room.saver is not None:
                    self._stir(room)
        if line.turns is not None and line.share is not None:
            self._serve(line.turns, line.share)
        kind = line.task.name
        run = run_of(line.heads[line.gone])
        line.gone += 1
        admitted = Admitted(run, line.number, places.take(kind), kind, line.demands, line.rooms, line.keeps, line.lane)
        if self._savers:
            self._look_after_savers(places)
        if line.gone < len(line.heads):
            missing = line.missing(now)
            if missing is None:
                self._make_ready(line)
            else:
                self._park(line, missing)
        elif line.more:
            self._hungry.add(line.number)
        else:
            self._end(line)
        self._turn += 1
        return admitted

    def _serve(self, turns: Turns[str | None], share: Share) -> None:
        """A group has its turn: whoever of it saves up may come later now."""
        turns.serve(share)
        for room in self._savers.of_share(share):
            self._stir(room)

    def _look_after_savers(self, places: Places) -> None:
        """Whoever saves up may have no place any more, since tasks may share theirs."""
        for task in self._savers.tasks():
            if not places.has(task.name):
                self._close(task)

    def _make_ready(self, line: Line) -> None:
        """The line is to be looked at."""
        entry = next(self._entries)
        task = line.task
        task.ready.push(line, entry)
        told = task.told
        if told is None or line.rank < told[0]:
            self._front.tell(task, line.rank, entry)

    def _park(self, line: Line, room: Room) -> None:
        """The line waits until this key calls it."""
        self._parked.append(line.number)
        crowd = room.parked.get(line.task)
        if crowd is None:
            crowd = room.parked[line.task] = Crowd()
        crowd.push(line, next(self._entries))
        line.at = room
        if room.flow is not None:
            line.turn = self._turn
            self._stir(room)  # It may be the one that saves up from now on.

    def _withdraw(self, line: Line) -> None:
        """The line is nowhere any more, and nobody counts on it."""
        assert line.called_by is None  # An admission leaves no call behind.
        line.step_out()
        if line.at is not None:
            if line.at.saver is line:
                self._reconsider(line.at)
            line.at = None

    def _release(self, line: Line) -> None:
        """The line that a key called is answered: the key may call another one."""
        room = line.called_by
        assert room is not None
        assert room.called is line
        room.called = None
        line.called_by = None
        line.task.leans.discard(room)
        self._stir(room)

    def _save_up(self, room: Room, line: Line, at: float) -> None:
        """The line waits for the bucket to have enough for it, and others behind it."""
        self._savers.add(room, line)
        if at == math.inf:
            room.due = None
        elif room.due != at:
            room.due = at
            heappush(self._dues, (at, next(self._entries), room))

    def _reconsider(self, room: Room) -> None:
        """What was decided of this key may be wrong now."""
        self._savers.remove(room)
        self._stir(room)

    def _stir(self, room: Room) -> None:
        """The key may have room: it is asked whom it calls."""
        if not room.stirred:
            room.stirred = True
            self._stirred.append(room)

    def _task(self, name: Kind) -> Task:
        if name not in self._tasks:
            self._tasks[name] = Task(name)
        return self._tasks[name]

    def _end(self, line: Line) -> None:
        """Nothing waits in this line any more."""
        del self._lines[line.number]
        self._hungry.discard(line.number)
        line.end()
