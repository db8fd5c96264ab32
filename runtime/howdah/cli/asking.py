"""What the commands that look after a database share: how they reach it, and the options of a filter."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

import click
import msgspec

from ..app import App
from ..core.states import State
from ..duration import seconds
from .loop import run

R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

RUN = click.IntRange(1, 2**63 - 1)
"""The id of a run."""


class _Text(click.ParamType):  # pyright: ignore[reportMissingTypeArgument] - generic for type checkers alone in some releases
    """Text that Postgres can hold: a name of a task, a queue, a tag."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if "\0" in value or any("\ud800" <= one <= "\udfff" for one in value):
            self.fail(f"{value!r} holds what is no text", param, ctx)
        return value


TEXT = _Text()

_STATES = [state.value for state in State]


def dsn_option(command: F) -> F:
    """--dsn, as everywhere."""
    return click.option("--dsn", envvar="HOWDAH_DSN", help="The database.")(command)


def json_option(command: F) -> F:
    """--json, for programs."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")(command)


def ask(dsn: str | None, work: Callable[[App], Awaitable[R]]) -> R:
    """The answer of some work with an app on this database."""

    async def asked() -> R:
        async with App(dsn) as jobs:
            return await work(jobs)

    return run(asked())


def print_lines(rows: Iterable[object]) -> None:
    """One JSON object per line."""
    for row in rows:
        click.echo(msgspec.json.encode(row))


def filter_options(command: F) -> F:
    """The options that say which runs; see which()."""
    options = [
        click.option("--state", multiple=True, type=click.Choice(_STATES), help="In this state; may be given again."),
        click.option("--task", multiple=True, type=TEXT, metavar="NAME", help="Of this task; may be given again."),
        click.option("--queue", multiple=True, type=TEXT, metavar="NAME", help="In this queue; may be given again."),
        click.option("--tag", "tags", multiple=True, type=TEXT, metavar="TAG", help="With this tag; given again: with all of them."),
        click.option("--metadata", multiple=True, type=TEXT, metavar="KEY=VALUE", callback=pairs, help="With this metadata; again: too."),
        click.option("--parent", type=RUN, metavar="RUN", help="Enqueued by this run."),
        click.option("--root", type=RUN, metavar="RUN", help="In the tree of this run."),
        click.option("--error", type=TEXT, metavar="FINGERPRINT", help="Failed with this error, as `howdah todo` names it."),
        click.option("--since", type=TEXT, metavar="TIME", callback=_since, help="Enqueued since: 2h, 7d, or 2026-05-01T12:00Z."),
        click.option("--before", type=RUN, metavar="RUN", help="Older than this run."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def which(options: dict[str, Any]) -> dict[str, Any]:
    """The filter that the options say."""
    return {name: value for name, value in options.items() if value not in (None, (), {})}


def pairs(_context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Options of the form KEY=VALUE, or as their metavar says it."""
    split = [text.partition("=") for text in texts]
    for key, sign, _ in split:
        if not sign:
            raise click.BadParameter(f"{key!r} is no {option.metavar}")
    return {key: value for key, _, value in split}


def _since(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | float | None:
    if text is None:
        return None
    try:
        return seconds(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
        return at if at.tzinfo is not None else at.astimezone()
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text!r} is neither how long ago (2h, 7d) nor a time (2026-05-01T12:00Z)") from error
