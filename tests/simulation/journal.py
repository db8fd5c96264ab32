"""Tables that know how to go back: a transaction that is rolled back, commits that a crash of the server forgets, and those
that its standby never heard of."""

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

Change = tuple[dict[Any, Any], Any, Any]
"""A table, a key, and the row that was there before."""

_ABSENT = object()

LAG_MAX = 150
"""Commits that a standby may not have heard of."""


class Journal:
    """What was changed, newest last: of the transaction at hand, of those whose commit is not on disk yet, and of the latest
    commits, which a standby may not have."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._unflushed: list[list[Change]] = []
        self._latest: deque[list[Change]] = deque(maxlen=LAG_MAX)
        self._commit: Commit | None = None

    def note(self, table: dict[Any, Any], key: Any) -> None:
        """This entry is about to change."""
        self._changes.append((table, key, table.get(key, _ABSENT)))

    @contextmanager
    def transaction(self) -> Generator["Commit"]:
        """One transaction; within another one, a part of that. Raising rolls it back."""
        if self._commit is not None:
            yield self._commit
            return
        self._commit = commit = Commit()
        try:
            yield commit
        except BaseException:
            _undo(self._changes)
            raise
        else:
            if self._changes:
                self._latest.append(self._changes)
            if commit.durable:
                self._unflushed.clear()  # The log is one: what came before is on disk, too.
            elif self._changes:
                self._unflushed.append(self._changes)
        finally:
            self._changes, self._commit = [], None

    def flush(self) -> None:
        """The log writer came by."""
        self._unflushed.clear()

    def crash(self, random: Random) -> None:
        """The server dies: of the commits that are not on disk, the newest are forgotten, as many as the seed says."""
        for _ in range(random.randint(0, len(self._unflushed))):
            _undo(self._unflushed.pop())
            if self._latest:
                self._latest.pop()
        self._unflushed.clear()

    def fail_over(self, random: Random) -> list[Change]:
        """A standby takes the place of the server, or an older state is restored: the newest commits are forgotten, durable or
        not, as many as the seed says. Returns what was undone."""
        undone: list[Change] = []
        for _ in range(int(len(self._latest) * random.random() ** 2)):
            changes = self._latest.pop()
            _undo(changes)
            undone += changes
        self._latest.clear()
        self._unflushed.clear()
        return undone


class Commit:
    """How the transaction at hand will commit."""

    durable = True


class Table(Generic[K, V]):
    """Rows by key. Rows are values: a change is a new row."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rows: dict[K, V] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._rows

    def __getitem__(self, key: K) -> V:
        return self._rows[key]

    def __setitem__(self, key: K, row: V) -> None:
        self._journal.note(self._rows, key)
        self._rows[key] = row

    def __iter__(self) -> Iterator[K]:
        return iter(list(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: K) -> V | None:
        """The row, if there is one."""
        return self._rows.get(key)

    def pop(self, key: K) -> V:
        """Deletes the row and returns it."""
        self._journal.note(self._rows, key)
        return self._rows.pop(key)

    def named_in(self, changes: list[Change]) -> set[K]:
        """The keys of this table that these changes are about."""
        return {key for table, key, _ in changes if table is self._rows}

    def rows(self) -> list[V]:
        """All of them."""
        return list(self._rows.values())

    def items(self) -> list[tuple[K, V]]:
        """All of them, with their keys."""
        return list(self._rows.items())


def _undo(changes: list[Change]) -> None:
    for table, key, before in reversed(changes):
        if before is _ABSENT:
            table.pop(key, None)
        else:
            table[key] = before
