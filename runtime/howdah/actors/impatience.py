"""What becomes of runs that find a limit full, where they are not to wait: the modes of howdah.Limit(when_full=).

A run waits for the gate at a key that has no room. Then, by the limit's mode, it is refused; or all but the newest of its line are; or
as many of those that run under the key are cancelled as wait there, the oldest first: a newcomer starts when such an end is durable.
A paused key is not full: who waits there waits. So does who is no newcomer, having begun or been handed out before: its row says so,
the database leaves it alone, and what was left alone is not asked about again for a while.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from ..core.crowd import run_of
from ..core.gate import Gate
from ..core.keyed import Demand, Key
from ..core.states import Kind


class Ends(Protocol):
    """What it needs of the database."""

    async def refuse(self, runs: Sequence[int], kinds: Sequence[int], reasons: Sequence[str]) -> list[int]: ...
    async def cancel(self, runs: Sequence[int], reason: str) -> None: ...


class Impatience:
    """The modes of one tenure of the gate. modes: of each limit that has one."""

    def __init__(self, gate: Gate, ends: Ends) -> None:
        self.modes: dict[str, str] = {}
        self._gate = gate
        self._ends = ends
        self._running: dict[Key, dict[int, None]] = {}
        """Of limits that cancel: who runs under each key, the oldest first."""
        self._asked: set[int] = set()
        self._left: set[int] = set()
        """Runs that were not ended when they were to be: no newcomers, or locked, or gone. Until the next sweep."""
        self._full: dict[Key, set[int]] = {}
        """Lines that wait at such keys."""

    def admitted(self, run: int, demands: Iterable[Demand]) -> None:
        """A run holds these."""
        for demand in demands:
            if self.modes.get(demand.key[0]) == "cancel_oldest":
                self._running.setdefault(demand.key, {})[run] = None

    def freed(self, run: int, keys: Iterable[Key]) -> None:
        """A run holds these no more."""
        self._asked.discard(run)
        for key in keys:
            running = self._running.get(key)
            if running is not None:
                running.pop(run, None)
                if not running:
                    del self._running[key]

    async def act(self, lines: Iterable[int]) -> list[int]:
        """Does what is to be done about lines that found a key full. Returns those to be asked for again, since runs of them have ended,
        or others may have to. Each answer has fewer runs left to be ended: nobody is asked about twice between two sweeps."""
        runs: list[int] = []
        kinds: list[int] = []
        reasons: list[str] = []
        changed: list[int] = []
        for line in dict.fromkeys(lines):
            stuck = self._gate.stuck(line)
            mode = None if stuck is None else self.modes.get(stuck[0][0])
            if stuck is None or mode is None:
                continue
            key, heads, more = stuck
            if mode == "cancel_oldest":
                self._full.setdefault(key, set()).add(line)
                continue
            doomed = [run_of(head) for head in heads]
            if mode == "keep_latest":
                doomed.remove(max(doomed))  # Where others are not known yet, one of those may be newer: then the next round ends it.
                if more and not doomed:
                    changed.append(line)
            doomed = [run for run in doomed if run not in self._left]
            if doomed:
                kind = Kind.REJECTED if mode == "reject" else Kind.SKIPPED
                runs += doomed
                kinds += [int(kind)] * len(doomed)
                reasons += [_reason(key, mode)] * len(doomed)
                changed.append(line)
        if runs:
            self._left.update(set(runs).difference(await self._ends.refuse(runs, kinds, reasons)))
        for key in [*self._full]:
            if oldest := self._make_way(key):
                await self._ends.cancel(oldest, f"a newer run waits for limit {key[0]} under the key {key[1]!r}")
        return changed

    def sweep(self) -> None:
        """Whoever was left alone may be asked about again: it was locked, perhaps."""
        self._left = set()

    def _make_way(self, key: Key) -> list[int]:
        """The oldest that run under this key, so that as many are asked to end as newcomers wait."""
        waiting = 0
        for line in [*self._full[key]]:
            stuck = self._gate.stuck(line)
            if stuck is None or stuck[0] != key:
                self._full[key].remove(line)
            else:
                waiting += len(stuck[1])
        if not self._full[key]:
            del self._full[key]
        running = self._running.get(key, {})
        chosen = [run for run in running if run not in self._asked]
        chosen = chosen[: max(0, min(waiting, len(running)) - (len(running) - len(chosen)))]
        self._asked.update(chosen)
        return chosen


def _reason(key: Key, mode: str) -> str:
    under = f" under the key {key[1]!r}" if key[1] else ""
    match mode:
        case "skip":
            return f"rate {key[0]} had no token left{under}"
        case "keep_latest":
            return f"limit {key[0]} was full{under}, and a newer run waited"
        case _:
            return f"limit {key[0]} was full{under}"
