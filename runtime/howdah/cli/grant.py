"""`howdah grant`: the least that a role needs, given or taken."""

import asyncpg
import click

from ..config import Config, configure
from ..db.files import query
from ..db.migrate import check
from ..db.pool import Pool
from ..errors import ConfigurationError
from .asking import TEXT
from .loop import run
from .plain import plain

_KINDS = {
    "enqueue": "it enqueues, and can neither read runs nor cancel them",
    "node": "it runs nodes, and can neither change the schema nor grant",
    "read": "it reads the views and the catalogue, and no payloads",
}


@click.command()
@click.argument("role", type=TEXT)
@click.option("--as", "kind", type=click.Choice(sorted(_KINDS)), help="What it is for; given again, a role may be several.")
@click.option("--none", is_flag=True, help="Take everything of ours from it.")
@click.option("--sql", is_flag=True, help="Print the SQL instead, for psql; no database is needed.")
@click.option("--dsn", envvar="HOWDAH_DSN", help="The database, as the owner of the howdah schema.")
def grant(role: str, kind: str | None, dsn: str | None, *, none: bool, sql: bool) -> None:
    """Let a role run nodes, enqueue, or read, and nothing else. The role must exist; each later migrate grants again."""
    if (kind is None) == (not none):
        message = "say either --as enqueue, node or read, or --none"
        raise click.UsageError(message)
    if sql:
        said = query("forbid") if kind is None else query("permit").replace("$2", _quoted(kind))
        click.echo(said.replace("$1", _quoted(role)) + ";")
        return
    run(_grant(configure({"dsn": dsn}), role, kind))
    click.echo(
        f"{plain(role)} has no rights of ours any more." if kind is None else f"{plain(role)} is permitted as {kind}: {_KINDS[kind]}."
    )


async def _grant(config: Config, role: str, kind: str | None) -> None:
    pool = Pool(config)
    await pool.open()
    try:
        async with pool.ours() as connection:
            await check(connection)
            await (connection.execute(query("forbid"), role) if kind is None else connection.execute(query("permit"), role, kind))
    except (asyncpg.UndefinedObjectError, asyncpg.NameTooLongError) as error:
        raise ConfigurationError(f"there is no role {role!r} in this Postgres. Create it first, as in: create role {role} login") from error
    finally:
        await pool.close()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
