"""`howdah tasks`: the catalogue, and what waits for somebody to implement it."""

from datetime import datetime

import click
import msgspec

from ..config import Config, configure
from ..db.files import query
from ..db.migrate import check
from ..db.pool import Pool
from .loop import run


class _Listed(msgspec.Struct, frozen=True):
    task: str
    queue: str
    implemented: bool
    waiting_since: datetime | None


@click.command()
@click.option("--dsn", envvar="HOWDAH_DSN", help="The database. [env: HOWDAH_DSN]")
@click.option("--json", "as_json", is_flag=True, envvar="HOWDAH_TASKS_JSON", help="One JSON object per line. [env: HOWDAH_TASKS_JSON]")
def tasks(dsn: str | None, *, as_json: bool) -> None:
    """List the tasks, and what waits for somebody to implement it."""
    listed = run(_listed(configure({"dsn": dsn})))
    if as_json:
        for one in listed:
            click.echo(msgspec.json.encode(one))
        return
    if not listed:
        click.echo("There are no tasks yet: a worker's start or the first enqueue makes them known.", err=True)
        return
    wide = max(len("TASK"), *(len(one.task) for one in listed))
    queues = max(len("QUEUE"), *(len(one.queue) for one in listed))
    click.secho(f"{'TASK':{wide}}  {'QUEUE':{queues}}  STATE", bold=True)
    for one in listed:
        click.echo(f"{one.task:{wide}}  {one.queue:{queues}}  {_state(one)}")


async def _listed(config: Config) -> list[_Listed]:
    pool = Pool(config)
    await pool.open()
    try:
        async with pool.ours() as connection:
            await check(connection)
            return [_Listed(*row) for row in await connection.fetch(query("tasks"))]
    finally:
        await pool.close()


def _state(one: _Listed) -> str:
    known = "implemented" if one.implemented else "not defined by any program yet"
    if one.waiting_since is None:
        return known
    since = one.waiting_since.astimezone().isoformat(" ", "seconds")
    waits = click.style(f"runs wait since {since}, no living node takes them", fg="yellow")
    return f"{known}; {waits}"
