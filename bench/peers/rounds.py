"""A pass: rounds in which every row does every piece of work once, kept as they end, so that a pass goes on where it stopped."""

import os
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import asyncpg
import msgspec

from ..measure import alone, commit_now, machine_now
from ..server import Bed
from .drain import drain_beside_snapshot, drain_of_backlog, drain_one, drain_two
from .environments import CannotBeHadError, environment, version
from .pace import latency
from .programs import PeerFailedError
from .row import Row
from .search import burst, highest

KEPT = Path(__file__).parent.parent / "peers.jsonl"
ROUNDS = 5
EXPECTED = (CannotBeHadError, PeerFailedError, OSError, TimeoutError, AssertionError, asyncpg.PostgresError)
"""What ends one measurement and not the pass: it is kept with its reason, and the report says it."""

RIVALS = {"howdah", "graphile-worker.tuned", "pg-boss.tuned"}
"""Rows whose highest rate is searched for in every round, since a bar speaks of the best peer's."""


class Work(NamedTuple):
    """One measurement of one row."""

    measure: Callable[[Bed, Row], Awaitable[dict[str, float]]]
    rounds: int = ROUNDS
    rounds_of_rivals: int | None = None
    """None: as many as are asked for."""
    of: Literal["all", "fastest"] = "fastest"
    prequeued: bool = False
    postgres: bool = False
    """Whether it has no meaning for those who keep nothing in Postgres."""


WORK: dict[str, Work] = {
    "drain.1": Work(drain_one, of="all", prequeued=True),
    "latency": Work(latency, of="all"),
    "drain.2": Work(drain_two, prequeued=True),
    "snapshot": Work(drain_beside_snapshot, 1, prequeued=True, postgres=True),
    "highest": Work(highest, 1),
    "burst": Work(burst, 1, 3),
    "backlog": Work(drain_of_backlog, 1, prequeued=True),
}
"""Long searches are made once of most rows: five of each would take hours."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one row did in one round of one pass."""

    number: int
    """Of the pass."""
    round: int
    row: str
    work: str
    figures: dict[str, float]
    failed: str = ""
    took_s: float
    load_before: float
    at: str
    commit: str
    machine: dict[str, Any]
    versions: str
    settings: dict[str, Any] = {}


class Piece(NamedTuple):
    """What is to be done next."""

    round: int
    row: Row
    work: str


def read(path: Path = KEPT) -> list[Round]:
    """The newest pass that is kept."""
    if not path.exists():
        return []
    kept = [msgspec.json.decode(line, type=Round) for line in path.read_text().splitlines()]
    newest = max((one.number for one in kept), default=0)
    return [one for one in kept if one.number == newest]


def due(rows: Sequence[Row], kept: Iterable[Round], rounds: int, works: Sequence[str] = tuple(WORK)) -> Iterator[Piece]:
    """What is missing, round by round, every row in turn."""
    done = {(one.round, one.row, one.work) for one in kept}
    for number in range(1, rounds + 1):
        for row in rows:
            for name in works:
                work = WORK[name]
                most = (work.rounds_of_rivals or rounds) if row.name in RIVALS else work.rounds
                able = (row.prequeued or not work.prequeued) and (row.store == "postgres" or not work.postgres)
                wanted = number <= most and (row.fastest or work.of == "all")
                if able and wanted and (number, row.name, name) not in done:
                    yield Piece(number, row, name)


class Asked(NamedTuple):
    """What of a pass is wanted now."""

    rows: Sequence[Row]
    rounds: int
    works: Sequence[str]
    minutes: float
    """Nothing is begun after so long."""
    again: bool


async def make(bed: Bed, asked: Asked, path: Path = KEPT, *, as_json: bool = False) -> None:
    """Does what is due, and keeps each piece as it ends. `again` begins a new pass."""
    kept = read(path)
    number = kept[0].number + asked.again if kept else 1
    machine, commit = machine_now(await bed.version()), commit_now()
    until = time.monotonic() + asked.minutes * 60
    for piece in due(asked.rows, [] if asked.again else kept, asked.rounds, asked.works):
        if time.monotonic() > until:
            break
        load, began, failed = round(os.getloadavg()[0], 2), time.monotonic(), ""
        figures: dict[str, float] = {}
        try:
            environment(piece.row.peer, piece.row.program)
            with alone():
                began = time.monotonic()
                figures = await WORK[piece.work].measure(bed, piece.row)
        except EXPECTED as error:
            failed = f"{type(error).__name__}: {error}"
        one = Round(
            number=number, round=piece.round, row=piece.row.name, work=piece.work, failed=failed, load_before=load,
            figures={name: round(value, 4) for name, value in figures.items()}, took_s=round(time.monotonic() - began, 1),
            at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), commit=commit, machine=machine, versions=version(piece.row.peer),
            settings=piece.row.settings,
        )  # fmt: skip
        text = msgspec.json.encode(one).decode()
        with path.open("a") as file:
            file.write(text + "\n")
        print(text if as_json else _readable(one), flush=True)


def _readable(one: Round) -> str:
    told = ", ".join(f"{name} {value:,.2f}" for name, value in one.figures.items()) or one.failed
    return f"{one.round} {one.row:22} {one.work:9} {one.took_s:5.1f} s  {told}"
