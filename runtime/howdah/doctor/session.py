"""The way to Postgres: poolers before it, the direct way past them, and whether a notification comes back."""

import random
import shlex
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import anyio
import asyncpg
import msgspec

from ..config import Config
from ..db.files import query
from ..db.link import Link, Owned, refused
from ..db.stores import Bell
from ..db.way import found
from ..errors import ConfigurationError
from .ailments import finding
from .finding import Finding
from .patient import Patient, Server

DSN = "export HOWDAH_DIRECT_DSN="


async def judge_way(patient: Patient, socket: str | None, patience_s: float, *, pooled: bool) -> list[Finding]:
    """Tries the direct way, and a notification to itself along it. pooled: a pooler lies before HOWDAH_DSN. socket: the folder of the
    server's socket, where it is known. Takes a few times patience_s at most."""
    config = msgspec.structs.replace(patient.config, probe_timeout_s=patience_s, connect_timeout_s=patience_s)
    mend = DSN + shlex.quote(past_the_pooler(config.dsn, patient.server, socket))
    if config.direct_dsn is not None:
        faults = await _direct(config, patient.server, mend, pooled=pooled)
        if faults:
            return faults
    elif pooled if config.pooler is None else config.pooler:
        return [finding("transaction_pooling", "A pooler lies before HOWDAH_DSN, and HOWDAH_DIRECT_DSN is not set.", mend)]
    if not await heard(config, patience_s, pooled=pooled):
        seen = f"A notification that was sent to ourselves did not come back within {patience_s:g} s."
        return [finding("notifications_unheard", seen, mend)]
    return []


async def heard(config: Config, patience_s: float, *, pooled: bool) -> bool:
    """Whether a notification that somebody sends by way of HOWDAH_DSN comes in on the connection that nodes would listen on.

    From one connection to another: a pooler lets a session hear itself, as long as nobody else is there to take its server away."""
    channel = f"howdah_doctor_{random.getrandbits(48):012x}"
    came = anyio.Event()
    bell = Bell(config, "doctor", [channel], lambda heard, _payload: came.set() if heard == channel else None)
    speaker = Link(msgspec.structs.replace(config, pooler=pooled), "doctor")
    try:
        with anyio.move_on_after(patience_s):
            await bell.connect()
            await speaker.call(lambda c: c.execute(query("probe"), channel))
            await came.wait()
    except (asyncpg.PostgresError, ConfigurationError):
        return False  # A pooler has mixed up sessions: what one statement prepared, the next one did not find.
    finally:
        await bell.close()
        await speaker.close()
    return came.is_set()


async def _direct(config: Config, seen: Server, mend: str, *, pooled: bool) -> list[Finding]:
    """What is wrong with the direct way."""
    straight = msgspec.structs.replace(config, dsn=config.direct_dsn, direct_dsn=None, pooler=None)
    try:
        async with _connected(straight) as connection:
            (row,) = await connection.fetch(query("doctor_server"))
            indirect = connection.get_server_pid() != row["pid"]
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        why = refused(error, "HOWDAH_DIRECT_DSN") if isinstance(error, ValueError) else str(error) or type(error).__name__
        return [finding("direct_dsn_unreachable", f"HOWDAH_DIRECT_DSN cannot be reached: {why}.", mend)]
    other = msgspec.convert(dict(row), Server)
    if (other.started, other.database_id) != (seen.started, seen.database_id):
        return [finding("direct_dsn_elsewhere", f"HOWDAH_DIRECT_DSN leads to another database ({other.database}).", mend)]
    if indirect and not await heard(config, config.probe_timeout_s, pooled=pooled):
        return [finding("direct_dsn_pooled", "HOWDAH_DIRECT_DSN leads through a transaction pooler.", mend)]
    return []


@asynccontextmanager
async def _connected(config: Config) -> AsyncGenerator[Owned, None]:
    """A connection of our own, which leaves nothing behind should it lead through a pooler."""
    link = Link(await found(config), "doctor")
    connection = await link.connect()
    try:
        yield connection
    finally:
        connection.terminate()


def past_the_pooler(dsn: str | None, server: Server, socket: str | None) -> str:
    """An address of the same database at the server's own, as the pooler reaches it. A password is left out: PASSWORD stands for it."""
    given = urlsplit(dsn or "")
    user = quote(server.role, safe="") + (":PASSWORD" if given.password else "")
    kept = [
        (name, value)
        for name, value in parse_qsl(given.query)
        if name not in ("host", "port", "user", "password", "dbname", "database", "sslpassword")
    ]
    if server.host is not None:
        host = f"[{server.host}]" if ":" in server.host else server.host
        place = f"{host}:{server.port}"
    elif socket is not None:
        place, kept = "", [("host", socket), ("port", str(server.port or 5432)), *kept]
    else:
        place = "POSTGRES-HOST:5432"
    return f"postgresql://{user}@{place}/{quote(server.database, safe='')}" + (f"?{urlencode(kept)}" if kept else "")


def socket_folder(settings: dict[str, str]) -> str | None:
    """Where the server's socket is, if it may be known."""
    folders = [folder.strip() for folder in settings.get("unix_socket_directories", "").split(",")]
    return next((folder for folder in folders if folder.startswith("/")), None)
