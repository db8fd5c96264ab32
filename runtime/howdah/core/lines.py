"""Which lines (queue, task) are worth a claim, from which key on, and when to look at all of them again.

A line's watermark is the last key that was claimed from it: index entries before it are dead, and scanning them
is what slows a queue down when an old snapshot keeps them from being cleaned up. Watermarks are only hints: keys that
commit late lie behind them. A notification lowers the watermark to its key, and a look replaces all of them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

Line = tuple[int, int]
Key = tuple[int, int]

Pause = tuple[int | None, int | None]
"""A queue, or a task, beside None."""

FIRST: Key = (-32768, 0)


def is_paused(line: Line, pauses: Collection[Pause]) -> bool:
    """Whether one of the pauses is that of this line."""
    return any(queue == line[0] or task == line[1] for queue, task in pauses)


class Lines:
    """The lines that may have something, as one node sees them. Times are monotonic seconds."""

    def __init__(self, *, second_look_s: float, busy_look_s: float, idle_look_s: float, look_share: float) -> None:
        self._second_look_s = second_look_s
        self._busy_look_s = busy_look_s
        self._idle_look_s = idle_look_s
        self._look_share = look_share
        self._after: dict[Line, Key] = {}
        self._next_look = 0.0
        self._busy = False
        self._turn = 0
        self._patience_s = second_look_s

    def next_look_at(self) -> float:
        """When the next look at every line is due."""
        return self._next_look

    def look_at_once(self) -> None:
        """Something may have been missed: look at everything next."""
        self._next_look = 0.0

    def hint(self, line: Line, key: Key) -> None:
        """A line has a run at this key, says a notification."""
        before = (key[0], key[1] - 1)
        self._after[line] = min(before, self._after.get(line, before))

    def found(self, heads: Iterable[tuple[Line, Key]], now: float, took_s: float) -> None:
        """A look came back with these heads; it replaces what was believed. A costly look is made less often."""
        self._after = {line: (priority, number - 1) for line, (priority, number) in heads}
        wait_s = self._busy_look_s if self._after or self._busy else self._idle_look_s
        self._next_look = now + max(wait_s, took_s / self._look_share)
        self._busy = bool(self._after)

    def queues(self, tasks: frozenset[int]) -> set[int]:
        """The queues that may have something for these tasks."""
        return {queue for queue, task in self._after if task in tasks}

    def choose(self, tasks: frozenset[int], queue: int | None = None) -> list[tuple[Line, Key]]:
        """Lines of these tasks, in this queue alone or in all of them, to claim from now, in turns, with their watermarks.

        All of them, however little room there is: the claim must see every head to serve the best priority.
        """
        lines = [(line, after) for line, after in self._after.items() if line[1] in tasks and queue in (None, line[0])]
        if len(lines) > 1:
            self._turn = (self._turn + 1) % len(lines)
            lines = lines[self._turn :] + lines[: self._turn]
        return lines

    def claimed(self, asked: Sequence[tuple[Line, Key]], room: int, got: Mapping[Line, tuple[int, Key]], now: float) -> None:
        """A claim on these lines gave each of some of them so many runs, up to this key.

        A line that gave much less than its share is taken for empty until the second look, which comes soon: a
        short answer never proves it, since rows that others had locked were skipped. A row that stays locked is looked
        at less and less often.
        """
        if not got:
            for line, _ in asked:
                self._after.pop(line, None)
            self._look_within(self._patience_s, now)
            self._patience_s = min(self._patience_s * 2, self._busy_look_s)
            return
        self._busy = True
        self._look_within(self._busy_look_s, now)  # The last look may have found nothing and left it to the idle one.
        self._patience_s = self._second_look_s
        share = room // len(got)
        for line, (count, last) in got.items():
            if count * 2 < share:
                self._after.pop(line, None)
                self._look_within(self._second_look_s, now)
            else:
                self._after[line] = last

    def _look_within(self, wait_s: float, now: float) -> None:
        self._next_look = min(self._next_look, now + wait_s)


ADMITTED_MAX = 20_000
"""Runs that are said to be admitted: beyond that the gate says it again."""


class Hints:
    """What notifications said since the reader looked last, merged: never more than one entry for each line."""

    def __init__(self) -> None:
        self._keys: dict[Line, Key] = {}
        self._pauses: set[Pause] = set()
        self._admitted: dict[int, int] = {}
        self._all = False
        self._roused = False

    def add(self, line: Line, key: Key) -> bool:
        """A line has a run at this key. True if the reader must be woken."""
        first = self._rouse()
        self._keys[line] = min(key, self._keys.get(line, key))
        return first

    def add_all(self) -> bool:
        """Something may have been missed. True if the reader must be woken."""
        self._all = True
        return self._rouse()

    def add_pause(self, pause: Pause | None) -> None:
        """Runs of a queue or of a task start no more; what else has changed, a look finds. Wake the reader with add_all()."""
        if pause is not None:
            self._pauses.add(pause)

    def add_admitted(self, pairs: Iterable[tuple[int, int]]) -> bool:
        """The gate has admitted these runs under these leases to this node. True if the reader must be woken."""
        if len(self._admitted) < ADMITTED_MAX:
            self._admitted.update(pairs)
        return self._rouse()

    def add_nothing(self) -> bool:
        """Somebody asks the reader for its part. True if it must be woken."""
        return self._rouse()

    def take_into(self, lines: Lines) -> set[Pause]:
        """Hands everything over, and starts anew: called before the query, so that no later hint is lost. Returns what was paused."""
        for line, key in self._keys.items():
            lines.hint(line, key)
        if self._all:
            lines.look_at_once()
        pauses = self._pauses
        self._keys, self._pauses, self._all, self._roused = {}, set(), False, False
        return pauses

    def take_admitted(self) -> dict[int, int]:
        """The runs that were admitted, with their leases."""
        admitted, self._admitted = self._admitted, {}
        return admitted

    def _rouse(self) -> bool:
        first, self._roused = not self._roused, True
        return first
