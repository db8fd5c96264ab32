"""`howdah enqueue`: one run of a task by its name, from a shell."""

import difflib
import inspect
import keyword
import sys
from typing import Any, NamedTuple

import click
import msgspec

from ..app import App
from ..errors import ArgumentsInvalid, ConfigurationError, RunEnded, RunFailed
from ..limits import COST
from ..runs import Run
from ..tasks import Task
from .asking import TEXT, ask, dsn_option, pairs
from .durations import LENGTH
from .fitting import faults
from .plain import Refusal, plain


class _Asked(NamedTuple):
    """What is to be enqueued."""

    task: str
    args: str
    ahead: bool
    options: dict[str, Any]


class _End(NamedTuple):
    """What became of the run: its document for programs, and its line for people (None: it succeeded)."""

    document: dict[str, Any]
    refusal: str | None


def _keys(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> dict[str, str | float]:
    """Options of the form LIMIT=KEY. What ends in /cost is a number."""
    keys: dict[str, str | float] = {}
    for word, said in pairs(context, option, texts).items():
        try:
            keys[word] = float(said) if word.endswith(COST) else said
        except ValueError:
            raise click.BadParameter(f"{said!r} is no number, and {word} is a cost") from None
    return keys


@click.command()
@click.argument("task", type=TEXT)
@click.argument("args", metavar="[JSON]", type=TEXT, default="{}")
@click.option("--wait", is_flag=True, help="Wait for the end: print the result, or say the error and exit with 1.")
@click.option("--timeout", type=LENGTH, metavar="DURATION", help="Wait no longer than this; the run goes on.")
@click.option("--delay", type=LENGTH, metavar="DURATION", help="Start no sooner than this from now.")
@click.option("--expires", type=LENGTH, metavar="DURATION", help="Give up if nobody has started it so long after it was ready.")
@click.option("--priority", type=click.IntRange(-32767, 32767), help="Higher first; default as the task says.")
@click.option("--queue", type=TEXT, metavar="NAME", help="In this queue; default as the task says.")
@click.option("--tag", "tags", multiple=True, type=TEXT, metavar="TAG", help="With this tag; may be given again.")
@click.option("--metadata", multiple=True, type=TEXT, metavar="KEY=VALUE", callback=pairs, help="With this metadata; may be given again.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=TEXT,
    metavar="LIMIT=KEY",
    callback=_keys,
    help="Its key under a limit whose key is a function; again: another's.",
)
@click.option("--unique", type=TEXT, metavar="KEY", help="While a run holds this key, name that run and make none.")
@click.option("--ahead", is_flag=True, help="Also a task that no program has defined yet: the run waits for one that does.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@dsn_option
def enqueue(
    dsn: str | None, task: str, args: str, timeout: float | None, *, wait: bool, ahead: bool, as_json: bool, **options: Any
) -> None:
    """Enqueue one run of TASK and print its id.

    JSON is an object of its arguments, checked against the signature that the catalogue has of the task; `-` reads it from stdin.
    """
    if timeout is not None and not wait:
        raise click.UsageError("--timeout is about --wait.")
    said = {name: value for name, value in options.items() if value not in (None, (), {})}
    asked = _Asked(task, sys.stdin.read() if args == "-" else args, ahead, said)

    async def work(jobs: App) -> _End | tuple[int, bool]:
        run = await _enqueue(jobs, asked)
        if not wait:
            return run.id, run.created
        if not as_json:
            click.echo(f"run {run.id} of {plain(task)}: waiting for its end", err=True)
        return await _await(run, timeout)

    end = ask(dsn, work)
    if not isinstance(end, _End):
        click.echo(msgspec.json.encode({"run": end[0], "created": end[1]}) if as_json else str(end[0]))
        return
    if as_json:
        click.echo(msgspec.json.encode(end.document))
    elif end.refusal is None:
        click.echo(msgspec.json.encode(end.document["result"]))
    if end.refusal is not None:
        if not as_json:
            raise Refusal(end.refusal)
        raise click.exceptions.Exit(1)


async def _enqueue(jobs: App, asked: _Asked) -> Run[Any]:
    task = asked.task
    args = _object(asked)
    known = await jobs.tasks.signature(task)
    if (known is None or not known.implemented) and not asked.ahead:
        close = difflib.get_close_matches(task, await _names(jobs), 1)
        guess = f"; did you mean {close[0]}?" if close else ": start a worker that does, or say --ahead to have the run wait for one"
        raise ArgumentsInvalid(f"no program has defined a task {task!r} yet{guess}")
    if known is not None and known.input is not None:
        wrong = [*faults(known.input, {name: msgspec.json.decode(value) for name, value in args.items()})]
        if wrong:
            raise ArgumentsInvalid(f"task {task!r} cannot take these arguments: {'; '.join(wrong)}")
    return await _stub(jobs, task, [*args]).options(**asked.options).enqueue(**args)


def _object(asked: _Asked) -> dict[str, msgspec.Raw]:
    """The arguments, each value as it was written: a number keeps its digits."""
    try:
        args = msgspec.json.decode(asked.args, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        example = f"""howdah enqueue {asked.task} '{{"user_id": 1}}'"""
        text = f"the arguments must be one json object of the parameters of {asked.task!r}, as in {example}: {error}"
        raise ArgumentsInvalid(text) from error
    for name in args:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ArgumentsInvalid(f"task {asked.task!r} has no parameter {name!r}: that is no name of one")
    return args


def _stub(jobs: App, task: str, names: list[str]) -> Task[..., Any]:
    """The task as far as this call knows it."""

    def elsewhere(**_given: object) -> Any:
        """Never called here: a worker has the function."""

    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
    elsewhere.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess] - inspect reads it
    return jobs.stub(name=task)(elsewhere)


async def _names(jobs: App) -> list[str]:
    """What tasks there are, if this role may know."""
    try:
        return [one.task for one in await jobs.tasks.list() if one.implemented]
    except ConfigurationError:
        return []


async def _await(run: Run[Any], within_s: float | None) -> _End:
    """The end of the run, or that it has not come."""
    document: dict[str, Any] = {"run": run.id, "created": run.created}
    try:
        result = await run.result(within_s)
    except TimeoutError:
        text = f"run {run.id} has not ended within {within_s:g} s, and goes on: `howdah runs show {run.id}`"
        return _End(document | {"state": str(await run.status())}, text)
    except RunFailed as failed:
        error = {"type": failed.error_type, "message": failed.message, "traceback": failed.traceback}
        return _End(document | {"state": failed.state, "attempts": failed.attempt, "error": error}, str(failed))
    except RunEnded as ended:
        return _End(document | {"state": ended.state, "reason": getattr(ended, "reason", None)}, str(ended))
    return _End(document | {"state": "succeeded", "result": result}, None)
