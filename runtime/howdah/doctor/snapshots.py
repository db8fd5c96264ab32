"""What keeps dead rows from being removed, for all tables at once: old transactions, prepared ones, slots that nobody reads."""

from collections.abc import Iterator, Sequence

from .ailments import finding
from .finding import Finding
from .mends import sql
from .patient import ROWS_MAX, Look, Patient, Row, ago, size

QUEUE_SHARE = 0.005
"""The queue of notifications is empty in health: what is heard by all is taken out at once."""


def judge_sessions(patient: Patient, rows: Sequence[Row]) -> Iterator[Finding]:
    """Old transactions, and what the oldest one keeps full. rows: the oldest first."""
    for row in rows:
        if row["age_s"] < patient.old_s:
            continue
        who = f"Session {row['pid']} of role {row['role']} ({row['application'] or 'without a name'})"
        mend = sql("end_session", pid=row["pid"])
        if row["idle"]:
            yield finding("idle_in_transaction", f"{who} sits idle in a transaction that began {ago(row['age_s'])} ago.", mend)
        else:
            yield finding("long_transaction", f"{who} is in a transaction that began {ago(row['age_s'])} ago.", mend)
    if patient.server.notifications > QUEUE_SHARE:
        seen = f"The queue of notifications is {patient.server.notifications:.0%} full."
        if rows:
            yield finding("notification_queue", seen, sql("end_session", pid=rows[0]["pid"]))
        else:
            yield finding("notification_queue", seen, "end the oldest transaction of a session that listens, in whichever database it is")


def judge_slots(_: Patient, rows: Sequence[Row]) -> Iterator[Finding]:
    """Slots that nobody reads."""
    for row in rows:
        kept = "" if row["bytes"] is None else f" It keeps {size(row['bytes'])} of log" + (" and dead rows." if row["holds_rows"] else ".")
        seen = f"Nobody reads the {row['kind']} replication slot {row['slot']}.{kept}"
        yield finding("replication_slot", seen, sql("drop_slot", slot=row["slot"]))


def judge_prepared(_: Patient, rows: Sequence[Row]) -> Iterator[Finding]:
    """Transactions that were prepared and left."""
    for row in rows:
        seen = f"The transaction {row['gid']} of role {row['role']} was prepared {ago(row['age_s'])} ago and has not ended."
        yield finding("prepared_transaction", seen, sql("roll_back_prepared", gid=row["gid"]))


def _old(patient: Patient) -> Sequence[object]:
    return patient.old_s, ROWS_MAX


def _oldest(patient: Patient) -> Sequence[object]:
    """Where the queue of notifications fills, whichever is the oldest."""
    return 0.0 if patient.server.notifications > QUEUE_SHARE else patient.old_s, ROWS_MAX


LOOKS = [
    Look("transactions of sessions", "doctor_sessions", _oldest, judge_sessions),
    Look("replication slots", "doctor_slots", _old, judge_slots),
    Look("prepared transactions", "doctor_prepared", _old, judge_prepared),
]
