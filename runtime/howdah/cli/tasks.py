"""`howdah tasks`: the catalogue, and what waits for somebody to implement it."""

import click

from ..app import App
from ..management.rows import TaskInfo
from .asking import ask, dsn_option, print_lines
from .tables import moment, table


@click.command()
@click.option("--json", "as_json", is_flag=True, envvar="HOWDAH_TASKS_JSON", help="One JSON object per line.")
@dsn_option
def tasks(dsn: str | None, *, as_json: bool) -> None:
    """List the tasks, and what waits for somebody to implement it."""

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
    if one.waiting_since is None:
        return known
    return f"{known}; runs wait since {moment(one.waiting_since)}, no living node takes them"
