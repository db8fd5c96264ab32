"""Brings a database to the schema of this release: numbered migrations forward, then functions and views as they are now.

Migrations are additive, and each release adds at most one: code works with a schema one release newer, so that a
rolling deploy may migrate first, and refuses beyond. Two that migrate at once: one works, the other waits and finds
nothing to do.
"""

from __future__ import annotations

import asyncpg
import msgspec

from ..config import Config
from ..errors import ConfigurationError, SchemaMismatch
from .files import listing, query
from .link import Connection, transaction

LOCK = 7738135626410
"""The advisory lock that migrations hold. A number of our own, with no meaning."""


class Applied(msgspec.Struct, frozen=True):
    """What migrate() did: the number before (0: no schema), the number now, the migrations applied."""

    before: int
    now: int
    names: list[str]


def newest() -> int:
    """The number of the newest migration that this code knows."""
    return max(int(name.split("_")[0]) for name, _ in listing("migrations"))


async def number_of(connection: Connection) -> int:
    """The newest migration in the database; 0: it has no schema of ours."""
    if not await connection.fetchval(query("schema_exists")):
        return 0
    return int(await connection.fetchval(query("schema_number")) or 0)


async def check(connection: Connection) -> None:
    """SchemaMismatch unless this code can work with the database."""
    number, ours = await number_of(connection), newest()
    if number == 0:
        raise SchemaMismatch("this database has no howdah schema: run `howdah migrate`")
    if number < ours:
        raise SchemaMismatch(f"the schema is at migration {number}, this code needs {ours}: run `howdah migrate`")
    if number > ours + 1:
        raise SchemaMismatch(
            f"the schema is at migration {number}, more than one release beyond the {ours} that this code knows: deploy a newer howdah"
        )


async def migrate(connection: Connection, config: Config) -> Applied:
    """Applies what is missing, in one transaction. SchemaMismatch: the database is newer. ConfigurationError: no rights."""
    try:
        async with transaction(connection):
            await connection.fetchval(query("lock_migrations"), LOCK)
            before, ours = await number_of(connection), newest()
            if before > ours:
                raise SchemaMismatch(
                    f"the schema is at migration {before}, newer than the {ours} that this code knows; nothing was changed"
                )
            names: list[str] = []
            for name, text in listing("migrations"):
                if int(name.split("_")[0]) > before:
                    await connection.execute(text)
                    await connection.execute(query("note_migration"), int(name.split("_")[0]), name)
                    names.append(name)
            for folder in ("functions", "views"):
                for _, text in listing(folder):
                    await connection.execute(text)
            await connection.execute(query("protect"))
            await connection.execute(query("tend"), config.ahead_days, config.hashes)
    except asyncpg.InsufficientPrivilegeError as error:
        raise ConfigurationError(
            f"this role may not change the schema: {error}. Run `howdah migrate` as the owner of the howdah schema, or as a role"
            " that may create schemas in this database."
        ) from error
    return Applied(before, ours, names)


def script(config: Config) -> str:
    """The same as SQL text for psql: idempotent, in one transaction."""
    days = query("tend").replace("$1", str(config.ahead_days)).replace("$2", str(config.hashes))
    parts = ["begin;", f"{query('lock_migrations').replace('$1', str(LOCK))};"]
    for name, text in listing("migrations"):
        number = int(name.split("_")[0])
        assert "$migration$" not in text, f"{name} holds the quote that the script uses"
        parts.append(
            query("script_migration")
            .replace(":number", str(number))
            .replace(":name", f"'{name}'")
            .replace(":text", f"$migration${text}$migration$")
            + ";"
        )
    parts += [text for folder in ("functions", "views") for _, text in listing(folder)]
    parts += [f"{query('protect')};", f"{days};", "commit;"]
    return "\n\n".join(parts) + "\n"
