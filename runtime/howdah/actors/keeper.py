"""Upkeep: sleeps until the next deadline of the database, and looks after what nobody else was told of."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Protocol

import msgspec

from ..config import Config
from ..mailbox import Mailbox
from ..messages import Fact
from ..progress import Board, Reporter
from .room import Room

log = logging.getLogger("howdah.keeper")

ASK = -2.0
"""A reminder: somebody may want an attempt cancelled that runs here, or waits for a slot."""


class House(Protocol):
    """What the keeper needs of the database."""

    async def keep(self) -> tuple[float, list[Fact]]: ...
    async def age(self) -> bool: ...
    async def tend(self) -> bool: ...
    async def trim(self) -> bool: ...
    async def settle(self) -> None: ...
    async def asked(self, runs: list[int], leases: list[int]) -> list[tuple[int, int]]: ...
    async def note_progress(self, latest: Mapping[Reporter, str]) -> None: ...


async def keep_house(
    reminders: Mailbox[float],
    house: House,
    rooms: Sequence[Room],
    cancel: Callable[[int, int], None],
    board: Board,
    config: Config,
) -> None:
    """Upkeep until the reminders end. A reminder says in how many seconds something is due; a negative one, that
    effects wait to be settled; ASK, that a cancel may have been asked for; infinity, that there is
    progress on the board. Everything here is safe on any node, at any time, twice."""
    now = monotonic()
    due = _Due(keep=now, tend=now, trim=now, ask=now + config.idle_look_s, note=now, age=now + _ageing_round_s(config))
    while not reminders.ended:
        # Also when nothing runs: a run that starts during this sleep may be cancelled in it.
        heard = await reminders.take(1024, max(0.0, due.first(noting=bool(board)) - monotonic()))
        if any(ASK < reminder < 0 for reminder in heard):
            await house.settle()
        if reminders.ended:
            return
        due.heed(heard, monotonic())
        now = monotonic()
        await _tidy(house, due, now, config)
        if board and now >= due.note:
            due.note = now + config.progress_s
            await house.note_progress(board.take())
        if now >= due.ask:
            due.ask = now + config.idle_look_s
            await _ask(house, rooms, cancel)
        if monotonic() >= due.keep:
            next_s, facts = await house.keep()
            due.keep = monotonic() + next_s
            for fact in facts:
                log.warning("%s", _sentence(fact))


class _Due(msgspec.Struct):
    """When each kind of upkeep is due next, in monotonic seconds."""

    keep: float
    tend: float
    trim: float
    ask: float
    note: float
    age: float

    def first(self, *, noting: bool) -> float:
        return min(self.keep, self.tend, self.trim, self.ask, self.age, self.note if noting else math.inf)

    def heed(self, heard: Sequence[float], now: float) -> None:
        for reminder in heard:
            if reminder == ASK:
                self.ask = now
            else:
                self.keep = min(self.keep, now + max(0.0, reminder))


async def _tidy(house: House, due: _Due, now: float, config: Config) -> None:
    """What is never in a hurry."""
    if now >= due.tend:
        due.tend = now + (config.tend_s if await house.tend() else config.keep_longest_s)
    if now >= due.trim:
        due.trim = now + (config.trim_pause_s if await house.trim() else config.tend_s)
    if now >= due.age:
        due.age = now + (config.trim_pause_s if await house.age() else _ageing_round_s(config))


def _ageing_round_s(config: Config) -> float:
    """Runs age to within a tenth of a step."""
    return max(config.ageing_s / 10, config.trim_pause_s) if config.ageing_s else math.inf


async def _ask(house: House, rooms: Sequence[Room], cancel: Callable[[int, int], None]) -> None:
    """Passes on cancels that nobody heard of."""
    held = [claimed for room in rooms for claimed in room.held]
    if held:
        for run, lease in await house.asked([one.id for one in held], [one.lease for one in held]):
            cancel(run, lease)


def _sentence(fact: Fact) -> str:
    if fact.fact == "run.expired":
        return f"{fact.count} runs expired: nobody started them in time; `howdah runs ls --state expired` names them"
    if fact.fact == "run.lost":
        return f"run {fact.run} is lost: it starts at most once, and node {fact.node}, which held it under lease {fact.lease}, was lost"
    if fact.fact == "node.lost":
        return (
            f"node {fact.node} ({fact.name}, pid {fact.pid} on {fact.host}) was lost: its lease ran out; what it held goes back, or ends"
            " where it may not start again"
        )
    return (
        f"run {fact.run} is quarantined: node {fact.node}, which held it under lease {fact.lease}, was one node too many to die while it"
        " was the only suspect there. Look into it, then retry it: `howdah todo`"
    )
