"""Upkeep: sleeps until the next deadline of the database, and looks after what nobody else was told of."""

import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from ..config import Config
from ..mailbox import Mailbox
from ..messages import Fact
from .room import Room

log = logging.getLogger("howdah.keeper")

ASK = -2.0
"""A reminder: somebody may want an attempt cancelled that runs here."""


class House(Protocol):
    """What the keeper needs of the database."""

    async def keep(self) -> tuple[float, list[Fact]]: ...
    async def tend(self) -> bool: ...
    async def trim(self) -> bool: ...
    async def settle(self) -> None: ...
    async def asked(self, runs: list[int], leases: list[int]) -> list[tuple[int, int]]: ...


async def keep_house(
    reminders: Mailbox[float], house: House, rooms: Sequence[Room], cancel: Callable[[int, int], None], config: Config
) -> None:
    """Upkeep until the reminders end. A reminder says in how many seconds something is due; a negative one, that
    effects wait to be settled; ASK, that a cancel may have been asked for. Everything here is safe on any node, at any time, twice."""
    due = tend_due = trim_due = monotonic()
    asked_due = due + config.idle_look_s
    while not reminders.ended:
        # Also when nothing runs: a run that starts during this sleep may be cancelled in it.
        wake_at = min(due, tend_due, trim_due, asked_due)
        for reminder in await reminders.take(1024, max(0.0, wake_at - monotonic())):
            if reminder == ASK:
                asked_due = monotonic()
                continue
            if reminder < 0:
                await house.settle()
            due = min(due, monotonic() + max(0.0, reminder))
        if reminders.ended:
            return
        now = monotonic()
        if now >= tend_due:
            tend_due = now + (config.tend_s if await house.tend() else config.keep_longest_s)
        if now >= trim_due:
            trim_due = now + (config.trim_pause_s if await house.trim() else config.tend_s)
        if now >= asked_due:
            asked_due = now + config.idle_look_s
            await _ask(house, rooms, cancel)
        if monotonic() >= due:
            next_s, facts = await house.keep()
            due = monotonic() + next_s
            for fact in facts:
                log.warning("%s", _sentence(fact))


async def _ask(house: House, rooms: Sequence[Room], cancel: Callable[[int, int], None]) -> None:
    """Passes on cancels that nobody heard of."""
    running = [run.claimed for room in rooms for run in room.running]
    if running:
        for run, lease in await house.asked([one.id for one in running], [one.lease for one in running]):
            cancel(run, lease)


def _sentence(fact: Fact) -> str:
    if fact.fact == "node.lost":
        return f"node {fact.node} ({fact.name}, pid {fact.pid} on {fact.host}) was lost: its lease ran out, what it held is ready again"
    return (
        f"run {fact.run} is quarantined: node {fact.node}, which held it under lease {fact.lease}, was one node too many to die while it"
        " was the only suspect there. Look into it, then retry it: `howdah todo`"
    )
