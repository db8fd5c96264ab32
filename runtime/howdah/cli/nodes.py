"""`howdah nodes`: the running processes."""

import click

from ..app import App
from ..management.rows import NodeInfo
from .asking import ask, dsn_option, json_option, print_lines
from .tables import moment, table


@click.group()
def nodes() -> None:
    """List the nodes."""


@nodes.command()
@json_option
@dsn_option
def ls(dsn: str | None, *, as_json: bool) -> None:
    """List the nodes that have not left."""

    async def work(jobs: App) -> list[NodeInfo]:
        return await jobs.nodes.list()

    listed = ask(dsn, work)
    if as_json:
        print_lines(listed)
    elif listed:
        table(("NODE", "HOST", "PID", "VERSION", "STARTED", "STATE", "QUEUES", "TASKS"), (_cells(one) for one in listed))
    else:
        click.echo("No node is running: `howdah worker MODULE:APP` starts one.", err=True)


def _cells(one: NodeInfo) -> tuple[object, ...]:
    state = "alive" if one.alive else f"silent since {moment(one.renewed_at)}"
    queues = "all" if one.queues is None else " ".join(one.queues)
    return (one.name, one.host, str(one.pid), one.version, moment(one.started_at), state, queues, " ".join(one.tasks))
