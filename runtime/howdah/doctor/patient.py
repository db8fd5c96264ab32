"""What every look knows: the settings of the app, the server as it answered, and how old is old."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from ..config import Config
from .finding import Finding

Row = Mapping[str, Any]

ROWS_MAX = 20
"""Findings of one kind that are told: more of them say nothing new."""


class Server(msgspec.Struct, frozen=True):
    """The server, as sql/queries/doctor_server.sql answers, and how far its clock is from ours."""

    version: int
    version_text: str
    clock: datetime
    database: str
    role: str
    in_recovery: bool
    host: str | None
    """Its address; None: it was reached over a socket."""
    port: int | None
    pid: int
    started: datetime
    database_id: int
    connections: int
    notifications: float
    """How full the queue of notifications is, up to 1."""
    sees_sessions: bool
    """Whether this role sees what sessions of others do."""


class Patient(NamedTuple):
    """Whom it is about."""

    config: Config
    server: Server
    old_s: float
    """Transactions, pauses and the like that are older than this are told."""


class Look(NamedTuple):
    """One question and how its answer is judged. what: said where it may not be asked."""

    what: str
    query: str
    arguments: Callable[[Patient], Sequence[object]]
    judge: Callable[[Patient, Sequence[Row]], Iterable[Finding]]


def ago(seconds: float) -> str:
    """How long, for people."""
    for unit, length_s in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}s"
    return f"{seconds:.1f} s"


def size(count: int) -> str:
    """How many bytes, for people."""
    for unit, length in (("GB", 2**30), ("MB", 2**20)):
        if count >= length:
            return f"{count / length:.1f} {unit}"
    return f"{count / 1024:.0f} kB"
