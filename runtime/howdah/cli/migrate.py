"""`howdah migrate`: the schema, applied, printed or checked."""

import click

from ..config import Config, configure
from ..db import migrate as schema
from ..db.pool import Pool
from ..errors import SchemaMismatch
from .loop import run

_PATIENCE_S = 3600.0
"""A migration may wait for another one, and for locks of long transactions; the user sees it wait and may stop it."""


@click.command()
@click.option("--dsn", envvar="HOWDAH_DSN", help="The database.")
@click.option("--sql", is_flag=True, help="Print the SQL instead, for psql; nothing else goes to stdout, and no database is needed.")
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 if the database is not up to date.")
def migrate(dsn: str | None, *, sql: bool, check: bool) -> None:
    """Bring the database to the schema of this release."""
    if sql and check:
        message = "--sql and --check exclude each other: one needs no database, the other asks it."
        raise click.UsageError(message)
    config = configure({"dsn": dsn, "command_timeout_s": _PATIENCE_S})
    if sql:
        click.echo(schema.script(config), nl=False)
    elif check:
        click.echo(f"The schema is up to date, at migration {run(_check(config))}.")
    else:
        click.echo(_told(run(_migrate(config))))


async def _migrate(config: Config) -> schema.Applied:
    pool = Pool(config)
    await pool.open()
    try:
        async with pool.ours() as connection:
            return await schema.migrate(connection, config)
    finally:
        await pool.close()


async def _check(config: Config) -> int:
    pool = Pool(config)
    await pool.open()
    try:
        async with pool.ours() as connection:
            await schema.check(connection)
            number = await schema.number_of(connection)
    finally:
        await pool.close()
    if number > schema.newest():
        # A newer schema works, but `migrate` of this release is not what brought it there.
        text = f"the schema is at migration {number}, one release newer than this code, which works with it: deploy the newer howdah"
        raise SchemaMismatch(text)
    return number


def _told(applied: schema.Applied) -> str:
    if applied.names:
        return f"Applied {', '.join(applied.names)}: the schema is at migration {applied.now}."
    return f"The schema was at migration {applied.now} already; its functions were brought up to date."
