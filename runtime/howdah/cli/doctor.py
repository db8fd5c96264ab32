"""`howdah doctor`: what is not as it should be with the server, the way to it, our tables, the nodes and this process."""

import click

from ..app import App
from ..doctor import Examination, Finding, Unseen
from .asking import dsn_option, json_option, print_lines
from .durations import LENGTH
from .loop import run
from .plain import plain
from .target import find_app

_COLOURS = {"error": "red", "warning": "yellow"}


@click.command()
@click.argument("target", required=False, metavar="[MODULE[:APP]]")
@click.option("--older-than", type=LENGTH, default="5m", show_default=True, metavar="DURATION",
              help="From this age on transactions, pauses and the like are findings.")  # fmt: skip
@json_option
@dsn_option
@click.pass_context
def doctor(context: click.Context, target: str | None, older_than: float, dsn: str | None, *, as_json: bool) -> None:
    """Look for what is wrong with the server, the way to it, Howdah's tables, the nodes and this process, each with its mend.

    With MODULE[:APP] it goes by the settings of that app. It only reads. Silent, with exit code 0: all is well; 1: there are findings.
    What this role may not see is said on stderr.
    """
    jobs = App(dsn) if target is None else find_app(target)
    found = run(jobs.examine(older_than=older_than))
    if as_json:
        print_lines(found.findings)
    else:
        for one in found.findings:
            _print(one)
    for missed in found.unseen:
        click.echo(_missed(missed), err=True)
    click.echo(_summary(found), err=True)
    if found.findings:
        context.exit(1)


def _print(one: Finding) -> None:
    click.echo(f"{click.style(f'{one.severity} {one.name}', fg=_COLOURS[one.severity], bold=True)}: {plain(one.seen)} {plain(one.why)}")
    for line in one.mend.splitlines():
        click.secho(f"  {plain(line)}", fg="green")
    click.echo()


def _missed(one: Unseen) -> str:
    return f"Not looked at: {plain(one.what)}, since {plain(one.because)}. To let it: {plain(one.mend)}"


def _summary(found: Examination) -> str:
    if not found.findings:
        return f"{found.looks} looks, and nothing was found."
    errors = sum(one.severity == "error" for one in found.findings)
    others = len(found.findings) - errors
    return f"{found.looks} looks: {errors} error{'s' * (errors != 1)}, {others} other finding{'s' * (others != 1)}."
