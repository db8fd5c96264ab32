"""`howdah db`: the embedded Postgres by hand."""

import os
import shutil
import signal
from pathlib import Path

import click

from ..embedded import Embedded, client_program
from ..errors import EmbeddedError

_BENDING = ("PGHOSTADDR", "PGPORT", "PGSERVICE", "PGOPTIONS", "PGSSLMODE")


@click.group()
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the server; otherwise HOWDAH_HOME, otherwise this user's own.",
)
@click.pass_context
def db(context: click.Context, home: Path | None) -> None:
    """Run and look after the embedded Postgres."""
    try:
        context.obj = Embedded(home)
    except EmbeddedError as error:
        raise click.ClickException(str(error)) from error


@db.command()
@click.pass_obj
def start(server: Embedded) -> None:
    """Hold the server until Ctrl-C and print how to connect. Other processes may share it and keep it."""
    _started(server)
    # A signal that comes before this line ends the process, which also releases the server: the kernel drops its lock.
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    click.echo(server.dsn())
    click.echo("Postgres runs until Ctrl-C, or until its last other user is gone.", err=True)
    try:
        signal.sigwait(ends)
        server.release()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)


@db.command()
@click.pass_obj
def stop(server: Embedded) -> None:
    """Stop the server, also while it is in use, and say who used it."""
    was_running = server.running()
    try:
        users = server.stop()
    except EmbeddedError as error:
        raise click.ClickException(str(error)) from error
    for user in users:
        click.echo(f"It was in use by {user}.", err=True)
    click.echo("Postgres is stopped." if was_running else "Postgres was not running.")


@db.command(context_settings={"ignore_unknown_options": True})
@click.option("--database", "-d", default="postgres", show_default=True, help="The database to connect to.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql(server: Embedded, database: str, arguments: tuple[str, ...]) -> None:
    """Open psql on the server, starting it if needed. ARGUMENTS go to psql."""
    program = client_program("psql") or shutil.which("psql")
    if program is None:
        message = (
            "There is no psql here. Install the Postgres client (`apt install postgresql-client`, `brew install libpq`), "
            "or connect by other means: `howdah db start` prints the address."
        )
        raise click.ClickException(message)
    _started(server)
    # psql takes our place and our share of the lock: the server lives as long as psql does.
    server.outlive_exec()
    environment = {name: value for name, value in os.environ.items() if name not in _BENDING}
    os.execve(program, [str(program), server.dsn(database), *arguments], environment)  # noqa: S606 - a program of our own choice; no shell is wanted


@db.command()
@click.pass_obj
def path(server: Embedded) -> None:
    """Print the data directory."""
    click.echo(server.path)


@db.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def reset(server: Embedded, *, yes: bool) -> None:
    """Delete all data of the embedded Postgres. Refuses while it is in use."""
    if not yes:
        click.confirm(f"Delete everything in {server.path}?", abort=True)
    try:
        server.reset()
    except EmbeddedError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{server.path} is gone. The next start makes an empty one.")


def _started(server: Embedded) -> None:
    try:
        server.start()
    except EmbeddedError as error:
        raise click.ClickException(str(error)) from error
