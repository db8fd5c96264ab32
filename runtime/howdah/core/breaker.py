"""A circuit breaker as a value: it opens when enough of the last ends were failures, lets one probe through after a while, and closes
when that succeeds.

Who keeps these and when. The gate does, from the ends of the runs that it admitted, as their events say it: an end counts once, since its
permit is freed once. Counting in the transaction of the outcome would be exact over takeovers of the gate as well, but every end under a
breaker would write a row of its own, or fight for one, where most breakers never see a failure. Here an end that succeeds under
a breaker without failures costs one look into its event and no write; one that fails, or comes after a failure, is written down
together with all that were heard of at the same time. What a new gate does not learn are ends between the last writing
and the takeover: the breaker opens so many failures later, and an open one stays open.
"""

import math
from collections.abc import Iterable, Mapping

import msgspec

from .keyed import Key

FAILED, FINE = "f", "s"

FORGET_S = 86_400.0
"""A closed one of which nothing was heard for so long is as good as new: keys that are used once would stay for ever."""


class Guard(msgspec.Struct, frozen=True):
    """The terms of a breaker: it opens for open_s seconds when this share of the last `of` ends were failures."""

    failures: float
    of: int
    open_s: float

    @property
    def enough(self) -> int:
        """So many failures open it. Fewer ends than `of` may hold them all: what is to come cannot make them fewer."""
        return max(1, math.ceil(self.failures * self.of - 1e-9))


class Breaker(msgspec.Struct, frozen=True):
    """What is known of one key. ends: the last ones, oldest first. opened: since when it is not closed; until: when it lets a probe
    through. Moments are seconds of one clock; None: it is closed."""

    ends: str = ""
    opened: float | None = None
    until: float | None = None

    @property
    def is_idle(self) -> bool:
        """Closed, with no failure that counts: as good as unknown."""
        return self.until is None and FAILED not in self.ends

    def room(self, now: float) -> int | None:
        """How many may run: none while it is open, one as a probe. None: it is closed and bounds nothing."""
        if self.until is None:
            return None
        return 0 if now < self.until else 1

    def ended(self, guard: Guard, admitted: float, now: float, *, failed: bool) -> "Breaker":
        """The same after an attempt that was admitted at this moment. One that began before the probe says nothing about it."""
        if self.until is not None:
            if admitted < self.until:
                return self
            return Breaker("", self.opened, now + guard.open_s) if failed else Breaker()
        ends = (self.ends + (FAILED if failed else FINE))[-guard.of :]
        if ends.count(FAILED) >= guard.enough:
            return Breaker("", now, now + guard.open_s)
        return Breaker(ends)


class Breakers:
    """The breakers of all keys of which there is something to know."""

    def __init__(self) -> None:
        self._guards: dict[str, Guard] = {}
        self._states: dict[Key, Breaker] = {}
        self._heard: dict[Key, float] = {}
        """When something was last heard of those that are closed, as far as it is known."""
        self._changed: set[Key] = set()

    def __bool__(self) -> bool:
        return bool(self._guards)

    def guard(self, guards: Mapping[str, Guard]) -> None:
        """The terms of all limits that are breakers."""
        self._guards = dict(guards)

    def know(self, states: Iterable[tuple[Key, Breaker]]) -> None:
        """What was written down, and that is all there is to know."""
        self._states = dict(states)

    def among(self, keys: Iterable[Key]) -> list[Key]:
        """Those of these that are keys of breakers."""
        return [key for key in keys if key[0] in self._guards]

    def ended(self, key: Key, admitted: float, now: float, *, failed: bool) -> None:
        """An attempt under this key has ended."""
        guard = self._guards.get(key[0])
        if guard is None:
            return
        before = self._states.get(key, Breaker())
        after = before.ended(guard, admitted, now, failed=failed)
        if after == before or (after.is_idle and before.is_idle):
            return
        self._heard[key] = now
        self._change(key, after)

    def sweep(self, now: float) -> None:
        """Forgets closed ones of which nothing was heard for long. One that is not closed stays: it has yet to let its probe through."""
        for key, state in list(self._states.items()):
            if state.until is None and self._heard.setdefault(key, now) < now - FORGET_S:
                self._change(key, Breaker())
        self._heard = {key: heard for key, heard in self._heard.items() if key in self._states}

    def take_changed(self) -> list[tuple[Key, Breaker]]:
        """What is to be written down: each key that has changed, as it is now. An idle one is to be forgotten."""
        changed, self._changed = self._changed, set()
        return [(key, self._states.get(key, Breaker())) for key in sorted(changed)]

    def rooms(self, now: float) -> dict[Key, int]:
        """The keys that are bounded now, with how many may run."""
        rooms = ((key, state.room(now)) for key, state in self._states.items() if key[0] in self._guards)
        return {key: room for key, room in rooms if room is not None}

    def next_at(self, now: float) -> float | None:
        """When the next of them lets a probe through. None: none is open."""
        return min((state.until for state in self._states.values() if state.until is not None and state.until > now), default=None)

    def _change(self, key: Key, state: Breaker) -> None:
        self._changed.add(key)
        if state.is_idle:
            self._states.pop(key, None)
        else:
            self._states[key] = state
