"""What is seen of a server while nodes work: who is busy, what its processes use, and what a commit and a round trip take."""

import os
from collections import Counter
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeAlias

import asyncpg

from ..db.files import query

Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

LOOK_S = 0.02
"""How often it is looked who works."""
PROBES_MAX, PROBES_S = 50, 1.0
"""Commits that are timed on an idle server, and how long at most."""


def sql(name: str) -> str:
    """One statement of sql/estimate."""
    return query(name, "estimate")


class Busy:
    """Looks at the connections of nodes, and counts how often each was at work."""

    def __init__(self) -> None:
        self._looks = 0
        self._worked: Counter[str] = Counter()
        self.backends: set[int] = set()

    async def look(self, connection: Session) -> None:
        """Once."""
        rows = await connection.fetch(sql("activity"))
        self._looks += 1
        self._worked.update(row["name"] for row in rows if row["busy"])
        self.backends.update(row["pid"] for row in rows)

    def shares(self) -> dict[str, float]:
        """By the name of a connection, the share of looks at which it worked."""
        return {name: number / self._looks for name, number in self._worked.items()}


async def commit_s(connection: Session) -> float:
    """What it takes until a commit is on the disk, beyond what the same takes that does not wait for it."""
    waiting = await _timed(connection, "emit")
    await connection.fetchval(sql("commit_mode"), "off")
    at_once = await _timed(connection, "emit")
    await connection.fetchval(sql("commit_mode"), "on")
    return max(0.0, waiting - at_once)


async def trip_s(connection: Session) -> float:
    """What it takes to ask the server for nothing."""
    return await _timed(connection, "answer")


async def _timed(connection: Session, name: str) -> float:
    statement = await connection.prepare(sql(name))
    took: list[float] = []
    began = perf_counter()
    while len(took) < PROBES_MAX and perf_counter() - began < PROBES_S:
        before = perf_counter()
        await statement.fetchval()
        took.append(perf_counter() - before)
    return median(took)


def server_cpu_s(backends: set[int]) -> float | None:
    """CPU seconds of these server processes, where they are processes of this machine and /proc shows them; else None."""
    ticks = 0
    for pid in backends:
        try:
            name, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        except OSError:
            return None
        if "postgres" not in name:
            return None
        columns = rest.split()
        ticks += int(columns[11]) + int(columns[12])
    return ticks / os.sysconf("SC_CLK_TCK") if backends else None
