"""What must hold when all is over. Each check is a query whose rows are violations, or a pure function of what a query found."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from howdah.core.states import Kind, State

from ..interleavings.invariants import replay

HERE = Path(__file__).with_name("checks")
QUERIES = (
    "unended", "promises", "marks", "hot_rows", "effects", "effect_fence", "bookings", "at_most_once", "leases", "reaped_alive",
    "begun_late", "accepted", "children", "cancels", "ends", "tallies", "permits", "crowds", "rates", "order",
)  # fmt: skip
SHOWN = 20
NAMED = re.compile(r"\brun (\d+)")
TAKEOVER_S = 1.0
"""How much later than its lease the first run of a killed node may begin again."""


class Violation(msgspec.Struct, frozen=True):
    """One thing that must not be. run: whose history tells of it; 0: none."""

    check: str
    said: str
    run: int = 0

    @property
    def runs(self) -> list[int]:
        """Those that it is about: the one, and others that it names."""
        return [run for run in (self.run, *map(int, NAMED.findall(self.said))) if run]


class Takeover(msgspec.Struct, frozen=True):
    """What became of the runs that a killed node held. Times are seconds after the kill; clear: nothing else went wrong meanwhile."""

    number: int
    process: str
    held: int
    first_s: float | None
    all_s: float | None
    spread_s: float | None
    clear: bool


class Found(msgspec.Struct):
    """By check: how many violations there are, and the first of them."""

    counts: dict[str, int] = {}
    first: list[Violation] = []

    def add(self, check: str, violations: Sequence[Violation], count: int | None = None) -> None:
        if violations:
            self.counts[check] = self.counts.get(check, 0) + (count or len(violations))
            self.first += violations[:SHOWN]


def text(name: str) -> str:
    """The query of a check."""
    return (HERE / f"{name}.sql").read_text()


async def violations(db: asyncpg.Connection, names: Iterable[str] = QUERIES) -> Found:
    """Of these checks and of the replay of all histories."""
    found = Found()
    for name in names:
        rows = await db.fetch(f"select q.run, q.said, count(*) over () from (\n{text(name)}\n) q order by q.run limit {SHOWN}")
        found.add(name, [Violation(name, row[1], row[0]) for row in rows], rows[0][2] if rows else None)
    for wrong, count in misread(await db.fetch(text("histories"))):
        found.add("replay", [wrong], count)
    return found


def misread(histories: Iterable[Any]) -> Iterable[tuple[Violation, int]]:
    """Of histories (kinds, state, how many, one of them) those that no run may have, or whose state is another one."""
    for kinds, state, runs, run in histories:
        said = "it has no state" if state is None else replay(in_turn(kinds), State(state))
        if said:
            yield Violation("replay", f"{said}: {kinds} (and {runs - 1} more)", run), runs


def in_turn(kinds: Sequence[int]) -> list[int]:
    """The order in which they were accepted. An outcome bears the time at which its COPY began, and is accepted when that ends: a
    cancel that was asked for in between, and so of a run that had not ended, stands behind it."""
    turns = list(kinds)
    for place in range(1, len(turns)):
        if turns[place] == Kind.CANCEL_REQUESTED and turns[place - 1] < Kind.CANCEL_REQUESTED:
            turns[place - 1 : place + 1] = reversed(turns[place - 1 : place + 1])
    return turns


async def takeovers(db: asyncpg.Connection, lease_s: float) -> list[Takeover]:
    """How fast others took over from each node that was killed."""
    return [Takeover(**row) for row in await db.fetch(text("takeovers"), lease_s)]


def late(each: Iterable[Takeover], lease_s: float) -> list[Violation]:
    """Takeovers that took longer than they may."""
    return [
        Violation("takeover", f"the first of {one.held} runs that {one.process} held began {one.first_s} s after the kill")
        for one in each
        if one.clear and (one.first_s is None or one.first_s > lease_s + TAKEOVER_S)
    ]
