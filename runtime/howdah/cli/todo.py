"""`howdah todo`: what waits for a human, with the command that deals with each of it."""

import shlex

import click
import msgspec

from ..app import App
from ..management.catalogue import MISFITS_MAX
from ..management.rows import Todo, Trouble
from .asking import ask, dsn_option
from .plain import plain
from .tables import moment, short


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@dsn_option
def todo(dsn: str | None, *, as_json: bool) -> None:
    """List what waits for a human: tasks that nobody implements, runs that fit no node or may go to none, and what went wrong.

    Runs that failed, expired, were lost or quarantined are grouped by task and error, the newest first.
    """

    async def work(jobs: App) -> Todo:
        return await jobs.tasks.todo()

    found = ask(dsn, work)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for one in found.unimplemented:
        _print(f"{one.task}: nobody implements it, and runs wait in {one.queue} since {moment(one.since)}",
               "start a worker that defines it, or: " + f"howdah runs cancel --task {shlex.quote(one.task)}")  # fmt: skip
    for misfit in found.misfits:
        _print(f"{misfit.task}: run {misfit.run} fits no node since {moment(misfit.since)}: {short(misfit.mismatch, 200)}",
               f"deploy a definition that fits it, or: howdah runs cancel {misfit.run}")  # fmt: skip
    if len(found.misfits) == MISFITS_MAX:
        click.echo(f"These are the newest {MISFITS_MAX} that fit no node; there may be more.\n")
    for line in found.unplaced:
        _print(f"{line.task}: run {line.first_run} waits since {moment(line.since)}: {short(line.why, 200)}",
               "start a worker that has it, or: " + f"howdah runs cancel {line.first_run}")  # fmt: skip
    for group in found.trouble:
        _print(_sentence(group), _mend(group))
    cut = sorted({group.task for group in found.trouble if group.truncated})
    if cut:
        click.echo(f"Only the newest of {plain(', '.join(cut))} were looked at: there are more behind them.")
    if not (found.unimplemented or found.misfits or found.unplaced or found.trouble):
        click.echo("Nothing waits for you.")


def _sentence(group: Trouble) -> str:
    count = f"{group.runs:,} run{'s' * (group.runs > 1)} {group.state}"
    said = "" if group.error_type is None else f", {group.error_type}: {short(group.message, 200)}"
    return f"{group.task}: {count}, the newest {group.newest} at {moment(group.newest_at)}{said}"


def _mend(group: Trouble) -> str:
    aim = f"--error {shlex.quote(group.fingerprint)}" if group.fingerprint else f"--state {group.state}"
    return f"howdah runs retry --task {shlex.quote(group.task)} {aim}"


def _print(what: str, mend: str) -> None:
    click.echo(plain(what))
    click.secho(f"  {plain(mend)}\n", fg="green")
