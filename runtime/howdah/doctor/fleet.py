"""Nodes, what they hold, and what waits for them."""

import shlex
from collections.abc import Iterator, Sequence

from .ailments import finding
from .finding import Finding
from .mends import sql
from .patient import ROWS_MAX, Look, Patient, Row, ago

LATE_S = 10.0
"""Living nodes reap, settle and fire within moments: what is late by so much waits for nobody."""

WALK_MAX = 10_000
"""Of what it counts row by row the checkup counts no more."""

_START = "howdah worker MODULE:APP"


def judge_nodes(patient: Patient, rows: Sequence[Row]) -> Iterator[Finding]:
    """Nodes that are dead and still on the list."""
    for row in rows:
        seen = f"The lease of node {row['name']} on {row['host']} ended {ago(row['late_s'])} ago, and nobody has reaped it."
        yield finding("lost_node", seen, sql("round_of_upkeep", quarantine_after=patient.config.quarantine_after))


def judge_checkup(patient: Patient, rows: Sequence[Row]) -> Iterator[Finding]:
    """Symptoms; see functions/checkup.sql."""
    config = patient.config
    upkeep = sql("round_of_upkeep", quarantine_after=config.quarantine_after)
    yield from _judge_waiting(rows)
    for row in rows:
        subject, late_s = row["subject"], row["age_s"]
        match row["symptom"]:
            case "homeless_rows":
                seen = f"{row['n']:,} rows of day {subject} lie in the default partitions."
                yield finding("homeless_rows", seen, sql("make_day", day=subject, hashes=config.hashes))
            case "orphaned_runs":
                seen = f"{row['n']:,} runs are held by node {subject}, which is no more."
                yield finding("orphaned_runs", seen, sql("return_runs", node=subject))
            case "unsettled_effects" if late_s > LATE_S:
                yield finding("unsettled_effects", f"What ended {ago(late_s)} ago has not been told to others.", sql("settle"))
            case "overdue_timers" if late_s > LATE_S:
                yield finding("overdue_timers", f"A run that was due {ago(late_s)} ago has not been made ready.", upkeep)
            case _:
                yield from _judge_standstill(patient, row)


def _judge_standstill(patient: Patient, row: Row) -> Iterator[Finding]:
    """What starts nothing since somebody, or a breaker, said so."""
    subject, late_s = row["subject"], row["age_s"]
    match row["symptom"]:
        case "paused_node" if late_s > patient.old_s:
            yield finding(
                "paused_node", f"Node {subject} was told to pause {ago(late_s)} ago.", f"howdah nodes resume {shlex.quote(subject)}"
            )
        case "paused_queue" | "paused_task" as symptom if late_s > patient.old_s:
            what = symptom.removeprefix("paused_")
            seen = f"The {what} {subject} was paused {ago(late_s)} ago."
            yield finding(symptom, seen, f"howdah {what}s resume -- {shlex.quote(subject)}")
        case "open_breaker":
            key = row["detail"]
            seen = f"The breaker {subject} is open{f' under the key {key}' if key else ''}, for {ago(late_s)}."
            yield finding("open_breaker", seen, f"howdah limits override -- {shlex.quote(subject)} {shlex.quote(key)} default")
        case _:
            pass


def _judge_waiting(rows: Sequence[Row]) -> Iterator[Finding]:
    """Runs that no living node will start."""
    alive = sum(row["n"] for row in rows if row["symptom"] == "living_nodes")
    waiting = [row for row in rows if row["symptom"] == "unknown_task"]
    if waiting and not alive:
        seen = f"{sum(row['n'] for row in waiting):,} runs wait, and no node is alive."
        yield finding("no_node", seen, _START)
    for row in waiting if alive else ():
        seen = f"{row['n']:,} runs of task {row['subject']} wait in queue {row['detail']}, and no living node takes them."
        mend = f"howdah runs cancel --task {shlex.quote(row['subject'])} --yes   # or start a worker that has it"
        yield finding("unknown_task", seen, mend)
    for row in rows:
        if row["symptom"] == "no_gate" and alive:
            seen = f"{row['n']:,}{' or more' if row['n'] >= WALK_MAX else ''} runs with limits wait, and no living node is the gate."
            yield finding("no_gate", seen, f"{_START}   # with HOWDAH_DIRECT_DSN where HOWDAH_DSN goes through a pooler")
        if row["symptom"] == "unplaced_runs" and row["age_s"] > LATE_S:
            seen = (
                f"Run {row['n']} of task {row['subject']}, and what waits behind it, has waited for {ago(row['age_s'])}: {row['detail']}."
            )
            yield finding("unplaced_runs", seen, f"howdah runs cancel {row['n']}   # or start a worker that has it: --label NAME=VALUE")


def _late(_: Patient) -> Sequence[object]:
    return LATE_S, ROWS_MAX


def _most(_: Patient) -> Sequence[object]:
    return (ROWS_MAX,)


LOOKS = [
    Look("nodes", "doctor_nodes", _late, judge_nodes),
    Look("what is pending", "doctor_checkup", _most, judge_checkup),
]
