"""What every measurement shares: samples, the lock that keeps measurements apart, the machine, and the lines that are kept."""

import fcntl
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import asyncpg
import msgspec

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).with_name("results.jsonl")
LOCK = Path(os.environ.get("HOWDAH_BENCH_LOCK") or Path(tempfile.gettempdir()) / "howdah-bench.lock")


class Sample(NamedTuple):
    """One drain."""

    per_s: float
    python_us: float
    wal_bytes: float


class Line(msgspec.Struct, frozen=True):
    """One figure, as printed and kept. Its keys are fixed."""

    name: str
    unit: str
    median: float
    min: float
    max: float
    n: int
    settings: dict[str, Any]
    commit: str
    machine: dict[str, Any]

    def json(self) -> str:
        return msgspec.json.encode(self).decode()


class Figure(NamedTuple):
    """What a benchmark hands over: the values of its runs, under a name."""

    name: str
    unit: str
    values: Sequence[float]
    settings: dict[str, Any]


@contextmanager
def alone() -> Generator[None]:
    """Holds the lock of measurements on this machine."""
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def line(figure: Figure, commit: str, machine: dict[str, Any]) -> Line:
    name, unit, values, settings = figure
    digits = 6 if unit in {"ratio", "s"} else 3
    low, mid, high = (round(value, digits) for value in (min(values), median(values), max(values)))
    return Line(name, unit, mid, low, high, len(values), settings, commit, machine)


def keep(entry: Line) -> None:
    """Appends a line to the results."""
    with RESULTS.open("a") as results:
        results.write(entry.json() + "\n")


def read() -> list[Line]:
    """The newest line of each name, in the order in which the names first came."""
    newest: dict[str, Line] = {}
    for text in RESULTS.read_text().splitlines():
        entry = msgspec.json.decode(text, type=Line)
        newest[entry.name] = entry
    return list(newest.values())


def commit_now() -> str:
    """The commit measured, with + when the runtime, the SQL or the benchmarks differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "runtime", "sql", "bench/*.py", "bench/*.sql")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def machine_now(postgres: str) -> dict[str, Any]:
    return {"cpu": _cpu(), "cores": os.cpu_count(), "postgres": postgres, "python": platform.python_version()}


def _cpu() -> str:
    if sys.platform == "darwin":
        told = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False)
        return told.stdout.strip()
    for row in Path("/proc/cpuinfo").read_text().splitlines():
        if row.startswith("model name"):
            return row.split(":", 1)[1].strip()
    return platform.machine()


async def wal_lsn(connection: asyncpg.Connection) -> int:
    """How many bytes of WAL the server has ever written."""
    return int(await connection.fetchval("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))
