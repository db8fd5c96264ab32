"""Every statement that Python sends, PREPAREd against the migrated schema, beside what Python makes of its rows."""

import typing
from datetime import datetime
from types import NoneType, UnionType

import msgspec
import pytest
from howdah.db.files import listing, query
from howdah.messages import EVENT_COLUMNS, Claimed, Ended, Held, Outcome, Waiting
from howdah.submission import Submitted

from .contracts import DOCTOR, VIEWS
from .world import Session

pytestmark = pytest.mark.anyio

SUBMITTED = [
    ("ids", "int8[]"),
    ("queue", "int4"),
    ("task", "int4"),
    ("priority", "int2"),
    ("due_s", "float8"),
    ("created", "bool[]"),
]

ADMITTED = [
    ("node", "int8"),
    ("id", "int8"),
    ("queue", "int4"),
    ("task", "int4"),
    ("priority", "int2"),
    ("attempt", "int2"),
    ("lease", "int8"),
    ("args", "json"),
    ("tags", "text[]"),
    ("metadata", "jsonb"),
    ("options", "jsonb"),
    ("aside", "bool"),
    ("trace", "text"),
    ("asked", "float8"),
    ("lane", "text"),
]

WAITING = [
    ("line", "int8"),
    ("queue", "int4"),
    ("task", "int4"),
    ("demands", "jsonb"),
    ("priorities", "int2[]"),
    ("runs", "int8[]"),
]

PLACED = [("placement", "jsonb"), ("sinces", "float8[]")]

COLUMNS: dict[str, list[tuple[str, str]]] = {
    "age": [("aged", "int4"), ("more", "bool"), ("reached", "int4")],
    "asked": [("run", "int8"), ("lease", "int8")],
    "backend": [("pid", "int4")],
    "bound_reading": [("set_config", "text")] * 3,
    "cancel": [("run", "int8"), ("answer", "text")],
    "claim": ADMITTED[1:-1],
    "close_buckets": [("close_buckets", "void")],
    "complete": [("complete", "void")],
    "database": [("current_database", "name")],
    "forbid": [("forbid", "void")],
    "guard_idle": [("set_config", "text")],
    "hint": [("hint", "void")],
    "hint_all": [("hint", "void")],
    "hint_timer": [("pg_notify", "void")],
    "installation": [("id", "uuid")],
    "introduce": [("id", "int4")],
    "join_node": [("now", "timestamptz")],
    "keep": [("next_s", "float8"), ("fired", "int4"), ("expired", "int4"), ("facts", "jsonb")],
    "label_node": [("noted", "bool")],
    "leave_node": [("leave_node", "void")],
    "lock_migrations": [("pg_advisory_xact_lock", "void")],
    "look": [("queue", "int4"), ("task", "int4"), ("priority", "int2"), ("id", "int8"), ("aside", "bool")],
    "fetch_admitted": ADMITTED[1:],
    "gate_admit": ADMITTED[:-1],
    "gate_breakers": [("name", "text"), ("key", "text"), ("ends", "text"), ("opened", "float8"), ("until", "float8")],
    "gate_note_breakers": [("gate_note_breakers", "void")],
    "gate_verdicts": [("run", "int8"), ("failed", "bool")],
    "gate_buckets": [("name", "text"), ("key", "text"), ("level", "float8"), ("at", "float8")],
    "gate_closed": [("name", "text"), ("key", "text"), ("left_s", "float8")],
    "gate_enter": [("epoch", "int8")],
    "gate_free": [("gate_free", "void")],
    "gate_heads": [*WAITING, ("more", "bool"), *PLACED],
    "gate_held": [("run", "int8"), ("lease", "int8"), ("node", "int8"), ("task", "int4"), ("demands", "jsonb")],
    "gate_left": [("run", "int8")],
    "gate_look": [*WAITING, ("more", "bool"), *PLACED],
    "gate_news": [*WAITING, ("last", "int8"), *PLACED],
    "gate_places": [("n", "int4"), ("node", "int8"), ("score", "float8")],
    "gate_terms": [
        ("name", "text"),
        ("key", "text"),
        ("kind", "text"),
        ("terms", "jsonb"),
        ("paused", "bool"),
        ("when_full", "text"),
        ("blocked", "int8"),
    ],
    "gate_over": [("run", "int8"), ("matters", "bool")],
    "refuse": [("run", "int8")],
    "gate_remind": [("gate_remind", "void")],
    "tell_gate": [("tell_gate", "void")],
    "mark_transaction": [("mark", "text")],
    "note_migration": [],
    "note_progress": [("noted", "int4")],
    "order_node": [("node", "text")],
    "outcomes": [("run", "int8"), ("kind", "int2"), ("data", "json"), ("attempt", "int8")],
    "pause": [("pause", "void")],
    "permit": [("permit", "void")],
    "probe": [("pg_notify", "void")],
    "protect": [("protect", "void")],
    "queue_id": [("id", "int4")],
    "queue_names": [("id", "int4"), ("name", "text")],
    "ready_since": [("n", "int4"), ("since", "float8")],
    "recover": [("returned", "int4")],
    "register": [("id", "int4")],
    "resume": [("resume", "void")],
    "renew": [("now", "timestamptz"), ("unsettled", "bool"), ("ordered", "text")],
    "schema_exists": [("present", "bool")],
    "schema_number": [("number", "int4")],
    "settle": [("taken", "int4")],
    "state": [("state", "text")],
    "report_queues": [
        ("queue", "text"),
        ("ready", "int8"),
        ("running", "int8"),
        ("later", "int8"),
        ("oldest_waiting_s", "float8"),
    ],
    "retry": [("run", "int8"), ("answer", "text")],
    "submit": SUBMITTED,
    "submit_all": SUBMITTED,
    "submit_new": SUBMITTED,
    "submit_telling": [*SUBMITTED, ("told", "bool")],
    "transaction_mark": [("mark", "text")],
    "tend": [("made", "int4"), ("homeless", "int8")],
    "old_days": [("day", "int4")],
    "glance": [
        ("at", "timestamptz"),
        ("database", "text"),
        ("known", "int8"),
        ("queues", "json"),
        ("paused_tasks", "json"),
        ("open_breakers", "json"),
        ("fleet", "json"),
        ("nodes", "json"),
        ("runs", "json"),
    ],
    "drop_day": [("dropped", "bool")],
    "thin_rates": [("thinned", "int4")],
    "trim": [("examined", "int4"), ("deleted", "int4")],
    "sweep": [("swept", "int4")],
    "set_limit": [("set_limit", "void")],
    "pause_limit": [("pause_limit", "void")],
    "resume_limit": [("resume_limit", "void")],
    "set_retention": [("set_retention", "void")],
    "find_runs": [("runs", "int8[]"), ("cursor", "int8")],
    "show_runs": VIEWS["runs"],
    "run_history": [
        ("kind", "text"),
        ("at", "timestamptz"),
        ("started_at", "timestamptz"),
        ("lease", "int8"),
        ("node", "int8"),
        ("delay_s", "float8"),
        ("data", "json"),
        ("logs", "json"),
    ],
    "count_runs": [("runs", "int8")],
    "trouble": [
        ("task", "text"),
        ("state", "text"),
        ("fingerprint", "text"),
        ("error_type", "text"),
        ("message", "text"),
        ("runs", "int8"),
        ("newest", "int8"),
        ("newest_at", "timestamptz"),
        ("truncated", "bool"),
    ],
    **DOCTOR,
    **{name: VIEWS[name] for name in ("queue_stats", "nodes", "misfits", "unimplemented", "unplaced", "limits")},
    "task_stats": [*VIEWS["task_stats"][:-1], ("waiting_since", "timestamptz"), VIEWS["task_stats"][-1]],
    "task_input": [("implemented", "bool"), ("input", "jsonb")],
    "types": [
        ("smallints", "int2[]"),
        ("ints", "int4[]"),
        ("bigints", "int8[]"),
        ("texts", "text[]"),
        ("jsons", "json[]"),
        ("booleans", "bool[]"),
        ("floats", "float8[]"),
    ],
    "watch": [("run", "int8"), ("kind", "int2"), ("data", "json"), ("attempt", "int8"), ("known", "bool")],
}
"""What each statement answers. A template with placeholders of its own is no statement yet."""

TEMPLATES = {"script_migration"}

PYTHON = {
    "int2": int,
    "int4": int,
    "int8": int,
    "text": str,
    "json": str,
    "jsonb": str,
    "bool": bool,
    "text[]": list,
    "bool[]": list,
    "float8": float,
    "int8[]": list,
    "float8[]": list,
    "int2[]": list,
    "timestamptz": datetime,
}

STRUCTS: dict[str, tuple[type[msgspec.Struct], int]] = {
    "claim": (Claimed, 1), "watch": (Ended, 0), "outcomes": (Ended, 0),
    "submit": (Submitted, 0), "submit_all": (Submitted, 0), "submit_new": (Submitted, 0),
    "submit_telling": (Submitted, 0),
    "gate_admit": (Claimed, 0), "fetch_admitted": (Claimed, 1), "gate_held": (Held, 0), "gate_look": (Waiting, 0),
    "gate_heads": (Waiting, 0),
}  # fmt: skip
"""Rows that become a struct by position, and how many of its fields come before them."""


def test_every_statement_has_its_line_in_the_table() -> None:
    assert {name for name, _ in listing("queries")} == set(COLUMNS) | TEMPLATES


@pytest.mark.parametrize("name", sorted(COLUMNS))
async def test_a_statement_prepares_and_answers_these_columns(db: Session, name: str) -> None:
    prepared = await db.prepare(query(name))
    assert [(column.name, column.type.name) for column in prepared.get_attributes()] == COLUMNS[name]


@pytest.mark.parametrize("name", sorted(STRUCTS))
def test_the_columns_of_a_row_are_the_fields_of_its_struct(name: str) -> None:
    kind, skipped = STRUCTS[name]
    hints = typing.get_type_hints(kind)
    fields = [(field, _plain(hints[field])) for field in kind.__struct_fields__[skipped:]]
    columns = [(column, PYTHON[pg]) for column, pg in COLUMNS[name]]
    assert columns == fields[: len(columns)]
    defaults = {field.name for field in msgspec.structs.fields(kind) if field.default is not msgspec.NODEFAULT}
    assert {field for field, _ in fields[len(columns) :]} <= defaults


async def test_an_outcome_is_a_row_of_event(db: Session) -> None:
    rows = await db.fetch(
        """select a.attname, t.typname, a.attnotnull from pg_attribute a join pg_type t on t.oid = a.atttypid
           where a.attrelid = 'howdah.event'::regclass and a.attnum > 0 and not a.attisdropped"""
    )
    columns = {row[0]: row[1] for row in rows}
    assert {name: columns[name] for name in EVENT_COLUMNS} == {
        "run": "int8",
        "lease": "int8",
        "node": "int8",
        "started": "timestamptz",
        "kind": "int2",
        "delay": "interval",
        "data": "json",
        "task": "int4",
        "logs": "json",
    }
    assert {row[0] for row in rows if row[2]} - {"at"} <= set(EVENT_COLUMNS)
    assert Outcome.__struct_fields__ == EVENT_COLUMNS


@pytest.mark.parametrize(("name", "text"), listing("queries"), ids=[name for name, _ in listing("queries")])
def test_a_file_of_queries_is_one_statement_with_a_header(name: str, text: str) -> None:
    assert text.startswith("-- ")
    if name not in TEMPLATES:
        assert query(name).count(";") == 0


def _plain(hint: object) -> type:
    """int of `int | None`, list of `list[str] | None`."""
    if isinstance(hint, UnionType) or typing.get_origin(hint) is typing.Union:
        (hint,) = [one for one in typing.get_args(hint) if one is not NoneType]
    origin = typing.get_origin(hint) or hint
    assert isinstance(origin, type)
    return origin
