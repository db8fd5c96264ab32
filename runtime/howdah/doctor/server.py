"""The server: its release, the settings that keep what was committed, room for connections, and its clock."""

from collections.abc import Iterator, Mapping, Sequence

from .ailments import finding
from .finding import Finding
from .mends import sql
from .patient import Patient, Row

OLDEST = 150000
"""The first release that Howdah works with, as Postgres numbers them."""

NODE_CONNECTIONS = 6
"""What a node holds beside its pool."""

SKEW_S = 1.0
"""Clocks may differ by so much: what is older than that in a log is a puzzle."""

_RESETS = {
    "database": "reset_in_database",
    "user": "reset_of_role",
    "database user": "reset_of_role_in_database",
    "global": "reset_of_everybody",
}
"""Where a setting was set, as pg_settings calls it, and what takes that back."""

_DURABLE = {"fsync": "fsync_off", "full_page_writes": "full_page_writes_off", "synchronous_commit": "synchronous_commit_off"}

NAMES = [
    *_DURABLE,
    "autovacuum",
    "track_counts",
    "default_transaction_read_only",
    "default_transaction_isolation",
    "statement_timeout",
    "idle_session_timeout",
    "max_connections",
    "superuser_reserved_connections",
    "reserved_connections",
    "unix_socket_directories",
    "port",
]


class Setting:
    """A setting in force, and where it comes from."""

    def __init__(self, row: Row) -> None:
        self.name: str = row["name"]
        self.value: str = row["setting"]
        self.source: str = row["source"]

    @property
    def said(self) -> str:
        """What is so, and who said it."""
        where = {"database": "for this database", "user": "for this role", "database user": "for this role in this database"}
        return f"{self.name} is {self.value}" + (f", set {where[self.source]}" if self.source in where else "")

    def mended(self, patient: Patient, sound: str) -> str:
        """What makes it sound again, where it was set."""
        first = sql("write_again") + "\n" if self.name == "default_transaction_read_only" else ""
        if self.source in _RESETS:
            return first + sql(_RESETS[self.source], setting=self.name, database=patient.server.database, role=patient.server.role)
        if self.source == "client":
            return f"take {self.name} out of HOWDAH_DSN and PGOPTIONS"
        if self.source == "command line":
            return f"take {self.name} out of the command that starts Postgres, and restart it"
        return first + sql("set_setting", setting=self.name, value=sound)


def judge_server(server: Patient, skew_s: float) -> Iterator[Finding]:
    """What the server says of itself. skew_s: by how much its clock is ahead of ours, at least."""
    seen = server.server
    if seen.version < OLDEST:
        yield finding("server_too_old", f"The server is Postgres {seen.version_text}.", "pg_upgrade to Postgres 15 or later")
    if seen.in_recovery:
        mend = "add target_session_attrs=primary and the other hosts to HOWDAH_DSN, or name the primary alone"
        yield finding("standby", "The server is a standby, which takes no writes.", mend)
    if abs(skew_s) > SKEW_S:
        direction = "behind" if skew_s > 0 else "ahead of"
        mend = "chronyc makestep   # on the machine whose clock is wrong; or: timedatectl set-ntp true"
        yield finding("clock_skew", f"This machine's clock is {abs(skew_s):.1f} s {direction} the database's.", mend)


def judge_settings(patient: Patient, rows: Sequence[Row]) -> Iterator[Finding]:
    """What pg_settings says."""
    settings = {row["name"]: Setting(row) for row in rows}
    for name, found in _DURABLE.items():
        if (one := settings.get(name)) is not None and one.value == "off":
            yield finding(found, f"{one.said}.", one.mended(patient, "on"))
    for name in ("autovacuum", "track_counts"):
        if (one := settings.get(name)) is not None and one.value == "off":
            yield finding("autovacuum_off", f"{one.said}.", one.mended(patient, "on"))
    for name, sound, found in (
        ("default_transaction_read_only", "off", "read_only"),
        ("default_transaction_isolation", "read committed", "isolation_strict"),
        ("idle_session_timeout", "0", "idle_session_timeout"),
    ):
        # Postgres takes read uncommitted for read committed.
        if (one := settings.get(name)) is not None and one.value not in (sound, "read uncommitted"):
            yield finding(found, f"{one.said}.", one.mended(patient, sound))
    if (one := settings.get("statement_timeout")) is not None and 0 < int(one.value) < patient.config.command_timeout_s * 1000:
        yield finding("statement_timeout", f"{one.said} ms, less than command_timeout_s.", one.mended(patient, "0"))
    if (one := settings.get("howdah.shift")) is not None:
        yield finding("clock_shifted", f"howdah.clock() is shifted: {one.said}.", one.mended(patient, "0"))
    yield from _headroom(patient, settings)


def _headroom(patient: Patient, settings: Mapping[str, Setting]) -> Iterator[Finding]:
    most = int(settings["max_connections"].value)
    reserved = sum(int(one.value) for name in ("superuser_reserved_connections", "reserved_connections") if (one := settings.get(name)))
    needed, used = NODE_CONNECTIONS + patient.config.pool_size, patient.server.connections
    free = most - reserved - used
    if free < needed:
        seen = f"{used} of {most} connections are taken and {reserved} are reserved: {max(free, 0)} are free, and a node takes {needed}."
        enough = max(2 * most, used + reserved + 4 * needed)
        yield finding("connection_headroom", seen, sql("set_at_start", setting="max_connections", value=enough))
