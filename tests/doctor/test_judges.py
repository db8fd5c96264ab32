"""What is judged from what was seen: what no test can plant on a running server, and the bounds below which nothing is said."""

import resource
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from howdah.config import Config
from howdah.doctor import process
from howdah.doctor.fleet import judge_checkup
from howdah.doctor.patient import Patient, Server, ago, size
from howdah.doctor.schema import judge_schema
from howdah.doctor.server import NAMES, judge_server, judge_settings
from howdah.doctor.session import past_the_pooler, socket_folder
from howdah.doctor.snapshots import judge_sessions
from howdah.doctor.tables import judge_tables

SERVER = Server(
    version=180000, version_text="18.0", clock=datetime(2026, 5, 1, tzinfo=UTC), database="shop", role="ada", in_recovery=False,
    host="10.0.0.7", port=5433, pid=1, started=datetime(2026, 5, 1, tzinfo=UTC), database_id=5, connections=10, notifications=0.0,
    sees_sessions=True,
)  # fmt: skip
PATIENT = Patient(Config(), SERVER, 300)

SOUND = {
    "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "autovacuum": "on", "track_counts": "on",
    "default_transaction_read_only": "off", "default_transaction_isolation": "read committed", "statement_timeout": "0",
    "idle_session_timeout": "0", "max_connections": "100", "superuser_reserved_connections": "3", "reserved_connections": "0",
}  # fmt: skip

TABLE = {"name": "job", "unlogged": False, "autovacuum": True, "live": 0, "dead": 0, "vacuum_at": 20000.0, "unvacuumed_s": 1e6, "bytes": 0}


def patient(**facts: Any) -> Patient:
    return Patient(Config(), msgspec.structs.replace(SERVER, **facts), 300)


def settings(source: str = "configuration file", **changed: str) -> list[dict[str, str]]:
    return [{"name": name, "setting": value, "source": source} for name, value in (SOUND | changed).items()]


def test_a_sound_server_is_passed_over() -> None:
    assert [*judge_server(PATIENT, 0.9)] == []
    assert [*judge_settings(PATIENT, settings())] == []
    assert set(SOUND) <= set(NAMES)


@pytest.mark.parametrize(
    ("facts", "name", "said"),
    [
        ({"version": 140011, "version_text": "14.11"}, "server_too_old", "The server is Postgres 14.11."),
        ({"in_recovery": True}, "standby", "The server is a standby, which takes no writes."),
    ],
)
def test_what_the_server_says_of_itself_is_judged(facts: dict[str, Any], name: str, said: str) -> None:
    (found,) = judge_server(patient(**facts), 0)
    assert (found.name, found.severity, found.seen) == (name, "error", said)


@pytest.mark.parametrize(("skew_s", "said"), [(5.0, "5.0 s behind"), (-5.0, "5.0 s ahead of")])
def test_a_skew_says_whose_clock_is_ahead(skew_s: float, said: str) -> None:
    (found,) = judge_server(PATIENT, skew_s)
    assert said in found.seen


@pytest.mark.parametrize(
    ("source", "mend"),
    [
        ("database", 'alter database "shop" reset fsync;'),
        ("user", 'alter role "ada" reset fsync;'),
        ("database user", 'alter role "ada" in database "shop" reset fsync;'),
        ("global", "alter role all reset fsync;"),
        ("configuration file", "alter system set fsync = 'on';\nselect pg_reload_conf();"),
        ("client", "take fsync out of HOWDAH_DSN and PGOPTIONS"),
        ("command line", "take fsync out of the command that starts Postgres, and restart it"),
    ],
)
def test_a_setting_is_mended_where_it_was_set(source: str, mend: str) -> None:
    (found,) = judge_settings(PATIENT, settings(source, fsync="off"))
    assert (found.name, found.mend) == ("fsync_off", mend)


def test_track_counts_count_as_autovacuum_and_a_longer_statement_timeout_as_none() -> None:
    assert [found.name for found in judge_settings(PATIENT, settings(track_counts="off"))] == ["autovacuum_off"]
    assert [found.name for found in judge_settings(PATIENT, settings(statement_timeout="60000"))] == []
    assert [found.name for found in judge_settings(PATIENT, settings(synchronous_commit="remote_apply"))] == []


@pytest.mark.parametrize(("connections", "found"), [(85, []), (86, ["connection_headroom"]), (200, ["connection_headroom"])])
def test_a_node_is_to_fit_among_the_connections(connections: int, found: list[str]) -> None:
    """100, 3 of them reserved, and a node takes 11; the doctor's own is counted among those that are taken."""
    assert [one.name for one in judge_settings(patient(connections=connections + 1), settings())] == found


@pytest.mark.parametrize(("number", "found"), [(0, ["schema_missing"]), (6, ["schema_older"]), (7, []), (8, []), (9, ["schema_newer"])])
def test_code_works_with_its_own_schema_and_the_next(number: int, found: list[str]) -> None:
    assert [one.name for one in judge_schema(number, 7)] == found


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"dead": 100_001}, ["vacuum_behind"]),
        ({"dead": 100_001, "unvacuumed_s": 200.0}, []),
        ({"dead": 100_000}, []),
        ({"dead": 100_000, "vacuum_at": 50.0}, []),
        ({"dead": 999_999, "vacuum_at": 200_000.0}, []),
        ({"bytes": 2**27 + 1}, ["bloat"]),
        ({"bytes": 2**27}, []),
        ({"bytes": 2**30, "live": 2**18}, []),
        ({"bytes": 2**40, "name": "run_d2500"}, []),
        ({"unlogged": True}, ["unlogged_table"]),
        ({"autovacuum": False}, ["table_autovacuum_off"]),
    ],
)
def test_a_table_is_judged_by_what_would_hurt(facts: dict[str, Any], found: list[str]) -> None:
    assert [one.name for one in judge_tables(PATIENT, [TABLE | facts])] == found


def symptom(name: str, **facts: Any) -> dict[str, Any]:
    return {"symptom": name, "subject": "it", "detail": "default", "n": 1, "age_s": None} | facts


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([symptom("living_nodes", n=0)], []),
        ([symptom("living_nodes", n=0), symptom("unknown_task"), symptom("unknown_task")], ["no_node"]),
        ([symptom("living_nodes", n=1), symptom("unknown_task"), symptom("unknown_task")], ["unknown_task"] * 2),
        ([symptom("paused_node", age_s=299.0), symptom("unsettled_effects", age_s=9.0), symptom("overdue_timers", age_s=9.0)], []),
        ([symptom("living_nodes", n=0), symptom("no_gate")], []),
        ([symptom("living_nodes", n=1), symptom("no_gate")], ["no_gate"]),
        ([symptom("paused_node", age_s=301.0)], ["paused_node"]),
    ],
)
def test_what_is_pending_is_judged_by_who_is_there_and_for_how_long(rows: list[dict[str, Any]], found: list[str]) -> None:
    assert [one.name for one in judge_checkup(PATIENT, rows)] == found


def test_a_full_queue_of_notifications_names_the_oldest_transaction_however_young() -> None:
    row = {"pid": 42, "role": "ada", "application": "", "idle": True, "age_s": 1.0}
    (found,) = judge_sessions(patient(notifications=0.2), [row])
    assert (found.name, found.mend) == ("notification_queue", "select pg_terminate_backend(42);")
    (unknown,) = judge_sessions(patient(notifications=0.2), [])
    assert unknown.mend.startswith("end the oldest transaction")


@pytest.mark.parametrize(
    ("dsn", "facts", "past"),
    [
        (None, {}, "postgresql://ada@10.0.0.7:5433/shop"),
        ("postgresql://x:secret@pooler:6432/y?sslmode=require", {}, "postgresql://ada:PASSWORD@10.0.0.7:5433/shop?sslmode=require"),
        ("postgresql:///y?host=/pooler&port=6432", {"host": None, "port": None}, "postgresql://ada@/shop?host=%2Frun%2Fpg&port=5432"),
        ("postgresql://pooler/y", {"host": "fd00::7"}, "postgresql://ada@[fd00::7]:5433/shop"),
    ],
)
def test_the_way_past_a_pooler_is_that_of_the_server_and_tells_no_password(dsn: str | None, facts: dict[str, Any], past: str) -> None:
    assert past_the_pooler(dsn, patient(**facts).server, "/run/pg") == past


def test_a_server_whose_address_is_not_known_is_left_to_the_reader() -> None:
    assert past_the_pooler(None, patient(host=None).server, None) == "postgresql://ada@POSTGRES-HOST:5432/shop"
    assert socket_folder({"unix_socket_directories": "/run/pg, /tmp"}) == "/run/pg"
    assert socket_folder({}) is None


def test_a_hard_limit_that_is_too_low_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 100))
    (found,) = process.judge_process(Config())
    assert (found.name, "the hard limit is 100" in found.mend) == ("open_files", True)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 2000))
    (found,) = process.judge_process(Config())
    assert found.mend == "ulimit -n 2000"
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert [*process.judge_process(Config())] == []


def test_lengths_and_sizes_are_for_people() -> None:
    assert [ago(1.5), ago(600), ago(7200), ago(200_000)] == ["1.5 s", "10 minutes", "2 hours", "2 days"]
    assert [size(512 * 1024), size(3 * 2**20), size(5 * 2**30)] == ["512 kB", "3.0 MB", "5.0 GB"]
