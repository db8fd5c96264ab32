"""`howdah tasks`: the catalogue, what waits for somebody to implement it, and pausing one."""

import click

from ..app import App
from ..management.rows import TaskInfo
from .asking import TEXT, ask, dsn_option, print_lines
from .plain import plain
from .tables import moment, paused, table


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, envvar="HOWDAH_TASKS_JSON", help="One JSON object per line.")
@dsn_option
@click.pass_context
def tasks(context: click.Context, dsn: str | None, *, as_json: bool) -> None:
    """List the tasks, and what waits for somebody to implement it; pause and resume one."""
    if context.invoked_subcommand is not None:
        context.obj = dsn
        return

    async def work(jobs: App) -> list[TaskInfo]:
        return await jobs.tasks.list()

    listed = ask(dsn, work)
    if as_json:
        print_lines(listed)
        return
    if not listed:
        click.echo("There are no tasks yet: a worker's start or the first enqueue makes them known.", err=True)
        return
    table(("TASK", "QUEUE", "READY", "RUNNING", "LATER", "STATE"), (_cells(one) for one in listed))


def _cells(one: TaskInfo) -> tuple[object, ...]:
    return (one.task, one.queue, one.ready, one.running, one.later, _state(one))


def _state(one: TaskInfo) -> str:
    known = "implemented" if one.implemented else "not defined by any program yet"
    if one.waiting_since is not None:
        known += f"; runs wait since {moment(one.waiting_since)}, no living node takes them"
    return "; ".join(word for word in (known, paused(one.paused_since)) if word)


@tasks.command()
@click.argument("name", type=TEXT)
@dsn_option
@click.pass_obj
def pause(above: str | None, dsn: str | None, name: str) -> None:
    """Have no run of the task NAME start on any node until it is resumed; what runs goes on, and so do enqueues."""
    ask(dsn or above, lambda jobs: jobs.tasks.pause(name))
    click.echo(f"Task {plain(name)} pauses: none of its runs starts; `howdah tasks resume` takes that back.")


@tasks.command()
@click.argument("name", type=TEXT)
@dsn_option
@click.pass_obj
def resume(above: str | None, dsn: str | None, name: str) -> None:
    """Let runs of the task NAME start again after a pause."""
    ask(dsn or above, lambda jobs: jobs.tasks.resume(name))
    click.echo(f"Runs of task {plain(name)} start again.")
