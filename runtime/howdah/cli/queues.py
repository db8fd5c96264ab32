"""`howdah queues`: what they hold, how they move, pausing one, and how long their history is kept."""

import click

from ..app import App
from ..management.rows import QueueInfo
from .asking import TEXT, ask, dsn_option, json_option, print_lines
from .plain import plain
from .tables import age, paused, table


@click.group()
def queues() -> None:
    """List queues, pause and resume one, and set how long each keeps its history."""


@queues.command()
@json_option
@dsn_option
def ls(dsn: str | None, *, as_json: bool) -> None:
    """List the queues, with what they hold and their pace per minute."""

    async def work(jobs: App) -> list[QueueInfo]:
        return await jobs.queues.list()

    listed = ask(dsn, work)
    if as_json:
        print_lines(listed)
        return
    headings = ("QUEUE", "READY", "RUNNING", "LATER", "WAITING", "IN/MIN", "DONE/MIN", "FAILED/MIN", "RETENTION", "STATE")
    table(headings, (_cells(one) for one in listed))


def _cells(one: QueueInfo) -> tuple[object, ...]:
    pace = (f"{rate:,.1f}" for rate in (one.enqueued_per_minute, one.succeeded_per_minute, one.failed_per_minute))
    kept = None if one.retention_days is None else f"{one.retention_days}d"
    return (one.queue, one.ready, one.running, one.later, age(one.oldest_waiting_s), *pace, kept, paused(one.paused_since))


@queues.command()
@click.argument("name", type=TEXT)
@dsn_option
def pause(dsn: str | None, name: str) -> None:
    """Have no run of the queue NAME start on any node until it is resumed; what runs goes on, and so do enqueues."""
    ask(dsn, lambda jobs: jobs.queues.pause(name))
    click.echo(f"Queue {plain(name)} pauses: none of its runs starts; `howdah queues resume` takes that back.")


@queues.command()
@click.argument("name", type=TEXT)
@dsn_option
def resume(dsn: str | None, name: str) -> None:
    """Let runs of the queue NAME start again after a pause."""
    ask(dsn, lambda jobs: jobs.queues.resume(name))
    click.echo(f"Runs of queue {plain(name)} start again.")


@queues.command(name="set")
@click.argument("name", type=TEXT)
@click.option(
    "--retention", required=True, type=TEXT, metavar="DAYS", help="How long ended runs are kept, as in 7d; default: as the setting says."
)
@dsn_option
def set_(dsn: str | None, name: str, retention: str) -> None:
    """Set how long the queue NAME keeps its history."""

    async def work(jobs: App) -> None:
        await jobs.queues.set(name, retention=None if retention == "default" else retention)

    ask(dsn, work)
    click.echo(
        f"Queue {plain(name)} keeps its history {'as long as the setting retention_days says' if retention == 'default' else retention}."
    )
