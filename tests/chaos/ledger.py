"""Reads the diaries into the database, where sets are compared with sets."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec

from .fleet import Life
from .scene import Noted


class Pages(msgspec.Struct):
    """What the diaries say, as rows of the tables of schema.sql."""

    attempts: dict[tuple[int, int, int, str, int], list[object]] = {}
    promises: list[tuple[object, ...]] = []
    unknown: list[tuple[object, ...]] = []
    cancels: list[tuple[object, ...]] = []
    complaints: list[str] = []


def read(lives: Iterable[Life], epoch_s: float) -> Pages:
    """The diaries of these processes. epoch_s: Unix time minus monotonic time."""
    pages = Pages()
    for life in lives:
        open_attempts: dict[tuple[int, int, int], list[object]] = {}
        for number, line in enumerate(Path(life.diary).read_text().splitlines()):
            _read_line(pages, life, open_attempts, number, line.split(" "), epoch_s)
    return pages


def _read_line(
    pages: Pages, life: Life, under_way: dict[tuple[int, int, int], list[object]], number: int, words: Sequence[str], epoch_s: float
) -> None:
    def at(us: str) -> datetime:
        return datetime.fromtimestamp(epoch_s + int(us) / 1e6, UTC)

    match words:
        case ["B", run, lease, node, attempt, us]:
            key = (int(run), int(lease), int(node))
            row = under_way[key] = [*key, int(attempt), life.diary, at(us), None, None]
            pages.attempts[(*key, life.diary, number)] = row
        case ["E", run, lease, node, how, us]:
            under_way[int(run), int(lease), int(node)][6:] = [at(us), how]
        case ["P", mark, run, task, created, us]:
            pages.promises.append((mark, int(run), task, created == "1", at(us)))
        case ["U", mark, task, us]:
            pages.unknown.append((mark, task, at(us)))
        case ["C", run, answer, us]:
            pages.cancels.append((int(run), answer, at(us)))
        case _:
            pages.complaints.append(f"{life.name}: {' '.join(words)}")


async def store(db: asyncpg.Connection, lives: Sequence[Life], noted: Sequence[Noted]) -> Pages:
    """Everything into the tables of schema.sql."""
    epoch_s = time.time() - time.monotonic()

    def at(monotonic_s: float) -> datetime:
        return datetime.fromtimestamp(epoch_s + monotonic_s, UTC)

    pages = read(lives, epoch_s)
    rows: dict[str, Iterable[Sequence[object]]] = {
        "attempt": pages.attempts.values(),
        "promise": pages.promises,
        "unknown": pages.unknown,
        "cancel": pages.cancels,
        "fault": [(n.number, n.kind, n.variant, n.target, at(n.began), at(n.ended)) for n in noted],
        "process": [(life.diary, life.pid, at(life.began), at(life.ended), life.why) for life in lives],
    }
    for table, records in rows.items():
        await db.copy_records_to_table(table, schema_name="chaos", records=records)
    await db.execute("create index on chaos.attempt (run)")
    for table in ("chaos.attempt", "chaos.promise", "chaos.effect", "chaos.cancel", "howdah.run", "howdah.event"):
        await db.execute(f"analyze {table}")
    return pages
