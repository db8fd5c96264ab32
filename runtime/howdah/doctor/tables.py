"""Our tables: vacuum, bloat, durability, and the partitions of the days to come."""

from collections.abc import Iterator, Sequence

from .ailments import finding
from .finding import Finding
from .mends import sql
from .patient import Look, Patient, Row, ago, size

HOT = {"held_key", "inbox", "job", "misfit", "node", "progress", "rate", "tally", "timer", "total"}
"""Tables whose rows come and go."""

BEHIND = 5
"""Dead rows are behind when they are so many times what autovacuum comes for: it comes once a minute, and a fast node makes many."""

DEAD_FLOOR = 100_000
"""Fewer dead rows cost next to nothing."""

BLOAT_FLOOR_BYTES = 128 * 2**20
"""A table below this is no trouble, however empty it is."""

BLOAT_ROW_BYTES = 4096
"""A row of these tables with its entries in indexes takes a few hundred bytes."""

DAYS_AHEAD = 1
"""Days that must have their partitions: upkeep looks after them each hour, and makes ahead_days of them."""


def judge_tables(patient: Patient, rows: Sequence[Row]) -> Iterator[Finding]:
    """How each table is kept."""
    for row in rows:
        name = row["name"]
        if row["unlogged"]:
            yield finding("unlogged_table", f"howdah.{name} is unlogged.", sql("log_table", table=name))
        if not row["autovacuum"]:
            mend = sql("reset_autovacuum", table=name)
            yield finding("table_autovacuum_off", f"Autovacuum is switched off for howdah.{name}.", mend)
        if row["dead"] > max(DEAD_FLOOR, BEHIND * row["vacuum_at"]) and row["unvacuumed_s"] > patient.old_s:
            seen = f"howdah.{name} has {row['dead']:,} dead rows beside {row['live']:,}, not vacuumed for {ago(row['unvacuumed_s'])}."
            yield finding("vacuum_behind", seen, sql("vacuum_table", table=name))
        if name in HOT and row["bytes"] > max(BLOAT_FLOOR_BYTES, BLOAT_ROW_BYTES * (row["live"] + row["dead"])):
            seen = f"howdah.{name} takes {size(row['bytes'])} for {row['live']:,} rows."
            yield finding("bloat", seen, sql("rewrite_table", table=name))


def judge_days(patient: Patient, rows: Sequence[Row]) -> Iterator[Finding]:
    """Days without partitions."""
    if rows:
        when = " and ".join("today" if row["ahead"] == 0 else "tomorrow" if row["ahead"] == 1 else f"day {row['day']}" for row in rows)
        ahead = max(patient.config.ahead_days, DAYS_AHEAD)
        mend = sql("make_days", ahead_days=ahead, hashes=patient.config.hashes)
        yield finding("partitions_missing", f"There is no partition for {when}.", mend)


def _nothing(_: Patient) -> Sequence[object]:
    return ()


def _days(_: Patient) -> Sequence[object]:
    return (DAYS_AHEAD,)


LOOKS = [
    Look("tables of the howdah schema", "doctor_tables", _nothing, judge_tables),
    Look("partitions of the days ahead", "doctor_days", _days, judge_days),
]
