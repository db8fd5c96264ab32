"""The database of commands that need one at hand: the embedded Postgres where none is named, and the schema of this release in it."""

import click

from ..config import configure
from ..db.migrate import Applied, migrate
from ..db.pool import Pool
from ..embedded import Embedded


def borrow() -> Embedded:
    """The embedded Postgres, started, and said so. Its release() is the caller's."""
    server = Embedded()
    click.echo(f"HOWDAH_DSN is not set, so this uses the embedded Postgres in {server.path}.", err=True)
    return server.start()


async def bring_up_to_date(dsn: str | None) -> Applied:
    """Migrates the database."""
    config = configure({"dsn": dsn})
    pool = Pool(config)
    await pool.open()
    try:
        async with pool.ours() as connection:
            return await migrate(connection, config)
    finally:
        await pool.close()
