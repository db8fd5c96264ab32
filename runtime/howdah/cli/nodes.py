"""`howdah nodes`: the running processes, and telling one of them to pause, resume or drain."""

from collections.abc import Awaitable, Callable

import click

from ..app import App
from ..labels import written
from ..management.rows import NodeInfo
from .asking import TEXT, ask, dsn_option, json_option, print_lines
from .plain import plain
from .tables import moment, table


@click.group()
def nodes() -> None:
    """List the nodes; tell one to pause, resume or drain."""


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
        table(("NODE", "HOST", "PID", "VERSION", "STARTED", "STATE", "QUEUES", "LABELS", "TASKS"), (_cells(one) for one in listed))
    else:
        click.echo("No node is running: `howdah worker MODULE:APP` starts one.", err=True)


@nodes.command()
@click.argument("node", type=TEXT)
@dsn_option
def pause(dsn: str | None, node: str) -> None:
    """Have NODE start nothing new until it is resumed; what runs there goes on.

    NODE is its name as `howdah nodes ls` has it, the beginning of it, or its id.
    """
    _order(dsn, lambda jobs: jobs.nodes.pause(node), "pauses: it starts nothing new; `howdah nodes resume` takes that back.")


@nodes.command()
@click.argument("node", type=TEXT)
@dsn_option
def resume(dsn: str | None, node: str) -> None:
    """Have NODE work again after a pause."""
    _order(dsn, lambda jobs: jobs.nodes.resume(node), "works again.")


@nodes.command()
@click.argument("node", type=TEXT)
@dsn_option
def drain(dsn: str | None, node: str) -> None:
    """Have NODE stop as its first Ctrl-C does: it claims no more, and leaves when what runs has ended. Not to be taken back."""
    _order(dsn, lambda jobs: jobs.nodes.drain(node), "drains: it leaves when what runs there has ended.")


def _order(dsn: str | None, work: Callable[[App], Awaitable[str]], said: str) -> None:
    click.echo(f"{plain(ask(dsn, work))} {said}")


def _cells(one: NodeInfo) -> tuple[object, ...]:
    queues = "all" if one.queues is None else " ".join(one.queues)
    labels = " ".join(written(name, value) for name, value in sorted(one.labels.items()))
    return (one.name, one.host, str(one.pid), one.version, moment(one.started_at), _state(one), queues, labels, " ".join(one.tasks))


def _state(one: NodeInfo) -> str:
    orders = {"pause": "paused", "drain": "draining"}
    state = "alive" if one.alive else f"silent since {moment(one.renewed_at)}"
    return state if one.ordered is None else f"{state}, {orders.get(one.ordered, one.ordered)}"
