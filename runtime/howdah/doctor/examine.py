"""The examination: one look after the other on one connection, each in a short transaction that only reads."""

import time
from collections.abc import Callable, Sequence

import asyncpg
import msgspec

from ..config import Config
from ..db.files import query
from ..db.link import Connection, transaction
from ..db.migrate import newest, number_of
from ..db.pool import Pool
from . import fleet, process, server, snapshots, tables
from .finding import Examination, Finding, Unseen
from .mends import sql
from .patient import Look, Patient, Row, Server
from .schema import judge_schema
from .session import judge_way, socket_folder

LOOK_S = 5.0
"""One look takes no longer; what did not answer by then is told as not seen."""

LOCK_S = 1.0
"""So long a look waits for somebody's lock."""

PATIENCE_S = 2.0
"""A connection and a notification take a thousandth of this."""

OLD_S = 300.0
"""Transactions, pauses and unread slots older than this are told, unless said otherwise."""

_BESIDE = 5
"""Looks beside those of tables of looks: the server, its settings, the schema, the way, this process."""


async def examine(config: Config, *, old_s: float = OLD_S, now: Callable[[], float] = time.time) -> Examination:
    """Looks at the database, the way to it and this process. DatabaseAway, ConfigurationError: it cannot be reached at all.

    now: this machine's clock, in seconds since 1970."""
    findings: list[Finding] = []
    unseen: list[Unseen] = []
    # Whether a pooler is there is found out, whatever the settings say: here it is safe to believe that there is one.
    pool = Pool(msgspec.structs.replace(config, pooler=None, pool_size=1, connect_timeout_s=LOOK_S, command_timeout_s=2 * LOOK_S))
    await pool.open()
    try:
        async with pool.ours() as connection:
            seen, skew_s = await _server(connection, now)
            patient = Patient(config, seen, old_s)
            findings += server.judge_server(patient, skew_s)
            # Outside of such a transaction, whose bounds are settings, too: pg_settings answers at once.
            settings = [dict(row) for row in await connection.fetch(query("doctor_settings"), server.NAMES)]
            findings += server.judge_settings(patient, settings)
            schema = await _schema(connection, findings, unseen)
            looks = [*snapshots.LOOKS, *([*tables.LOOKS, *fleet.LOOKS] if schema else [])]
            for look in looks:
                try:
                    findings += look.judge(patient, await _read(connection, look.query, look.arguments(patient)))
                except (asyncpg.InsufficientPrivilegeError, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError) as error:
                    unseen.append(_unseen(look, error, seen))
            if not seen.sees_sessions:
                because = f"{seen.role} is no member of pg_read_all_stats"
                unseen.append(Unseen("transactions of other roles", because, sql("see_sessions", role=seen.role)))
        pooled = bool(pool.config.pooler)
    finally:
        await pool.close()
    findings += await judge_way(patient, socket_folder({row["name"]: row["setting"] for row in settings}), PATIENCE_S, pooled=pooled)
    findings += process.judge_process(config)
    return Examination(sorted(findings, key=lambda one: one.severity), unseen, len(looks) + _BESIDE)


async def _server(connection: Connection, now: Callable[[], float]) -> tuple[Server, float]:
    """The server, and by how much its clock is ahead of ours at least: the answer was on its way for a time that is not known."""
    await _read(connection, "doctor_server", [])  # What the first time takes longer would make the second one's clock less sure.
    before = now()
    (row,) = await _read(connection, "doctor_server", [])
    after = now()
    found = msgspec.convert(dict(row), Server)
    at = found.clock.timestamp()
    return found, at - after if at > after else min(at - before, 0.0)


async def _schema(connection: Connection, findings: list[Finding], unseen: list[Unseen]) -> bool:
    """Whether there is a schema whose tables can be looked at."""
    try:
        number, ours = await number_of(connection), newest()
    except asyncpg.InsufficientPrivilegeError as error:
        unseen.append(Unseen("the howdah schema", str(error), "howdah grant ROLE --as read   # as the owner of the schema"))
        return False
    findings += judge_schema(number, ours)
    return number >= ours


async def _read(connection: Connection, name: str, arguments: Sequence[object]) -> Sequence[Row]:
    """What this statement answers, in a transaction that can do nothing else."""
    async with transaction(connection):
        await connection.fetchrow(query("bound_reading"), f"{LOOK_S:g}s", f"{LOCK_S:g}s")
        return [dict(row) for row in await connection.fetch(query(name), *arguments)]


def _unseen(look: Look, error: asyncpg.PostgresError, seen: Server) -> Unseen:
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return Unseen(look.what, str(error), sql("permit", role=seen.role))
    return Unseen(look.what, f"it took longer than {LOOK_S:g} s: {error}", "look again when the server is less busy")
