"""The breakers of one tenure of the gate: it hears how attempts under them ended, and bounds the keys of those that are open.

See core/breaker.py for what opens one, and why the gate counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from typing import Protocol

import msgspec

from ..core.breaker import Breaker, Breakers, Guard
from ..core.keyed import Key


class Book(Protocol):
    """What it needs of the database. Moments are Unix time of the database."""

    async def breakers(self) -> list[tuple[Key, Breaker]]: ...
    async def verdicts(self, runs: Sequence[int], leases: Sequence[int], tasks: Sequence[int]) -> list[tuple[int, bool]]: ...
    async def note_breakers(self, epoch: int, states: Sequence[tuple[Key, Breaker]]) -> None: ...


class _Spent(msgspec.Struct, frozen=True, gc=False):
    """A permit that was given back, and since when (monotonic seconds) it was held."""

    run: int
    lease: int
    task: int
    since: float
    keys: list[Key]


class Guards:
    """What is known of breakers, as the rows have it and as ends have changed it since."""

    def __init__(self, book: Book, epoch: int) -> None:
        self._book = book
        self._epoch = epoch
        self._breakers = Breakers()
        self._spent: list[_Spent] = []
        self._stirred = True
        self._due: float | None = None

    def __bool__(self) -> bool:
        """Whether there are breakers at all."""
        return bool(self._breakers)

    def guard(self, guards: Mapping[str, Guard]) -> None:
        """The terms of all breakers, as they are now."""
        self._breakers.guard(guards)

    async def read(self) -> None:
        """Learns what is written down: by the gate before, by this one, and that somebody has closed one."""
        self._breakers.know(await self._book.breakers() if self._breakers else ())
        self._stirred = True

    def freed(self, run: int, lease: int, task: int, since: float, held: Iterable[Key]) -> None:
        """An attempt holds its permits no more: how it ended is asked before anybody else is admitted."""
        if not self._breakers:
            return
        keys = self._breakers.among(held)
        if keys:
            self._spent.append(_Spent(run, lease, task, since, keys))

    async def judge(self, offset_s: float) -> dict[Key, int] | None:
        """Hears how attempts ended, and writes down what that changed. Answers how many may run under which keys; None: as it was."""
        if self._spent:
            await self._hear(offset_s)
        now = monotonic() + offset_s
        if not self._stirred and (self._due is None or now < self._due):
            return None
        self._stirred = False
        self._due = self._breakers.next_at(now)
        return self._breakers.rooms(now)

    async def sweep(self, now: float) -> None:
        """Forgets breakers of which nothing was heard for long."""
        self._breakers.sweep(now)
        await self._note()

    def next_at(self) -> float | None:
        """When the next breaker lets a probe through, in Unix time."""
        return self._due

    async def _hear(self, offset_s: float) -> None:
        spent, self._spent = self._spent, []
        columns = [one.run for one in spent], [one.lease for one in spent], [one.task for one in spent]
        failed = dict(await self._book.verdicts(*columns))
        now = monotonic() + offset_s
        for one in spent:
            if one.run in failed:
                for key in one.keys:
                    self._breakers.ended(key, one.since + offset_s, now, failed=failed[one.run])
        await self._note()

    async def _note(self) -> None:
        changed = self._breakers.take_changed()
        if changed:
            self._stirred = True
            await self._book.note_breakers(self._epoch, changed)
