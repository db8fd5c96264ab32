"""`howdah runs`: what became of runs, and bringing back or stopping many of them."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import click
import msgspec

from ..app import App
from ..management.rows import MENDABLE, Branch, Event, Page, RunDetails, RunInfo
from .asking import RUN, TEXT, ask, dsn_option, filter_options, json_option, print_lines, which
from .plain import plain
from .tables import moment, short, table

COUNTED_MAX = 10_000
"""Runs counted before a bulk command asks: beyond that it says so many or more."""


@click.group()
def runs() -> None:
    """List runs, show one with its tree, retry or cancel many."""


@runs.command()
@filter_options
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@json_option
@dsn_option
def ls(dsn: str | None, limit: int, *, as_json: bool, **options: Any) -> None:
    """List runs, newest first."""

    async def work(jobs: App) -> Page:
        return await jobs.runs.list(limit=limit, **which(options))

    page = ask(dsn, work)
    if as_json:
        print_lines(page)
    elif page:
        headings = ("RUN", "TASK", "QUEUE", "STATE", "ENQUEUED", "ATTEMPTS", "")
        table(headings, ((str(r.id), r.task, r.queue, r.state, moment(r.enqueued_at), r.attempts, _remark(r)) for r in page))
    else:
        click.echo("No run passes this filter.", err=True)
    if page.cursor is not None:
        click.echo(f"There may be more: go on with --before {page.cursor}", err=True)


@runs.command()
@click.argument("run", type=RUN)
@json_option
@dsn_option
def show(dsn: str | None, run: int, *, as_json: bool) -> None:
    """Show everything that is known of RUN: payload, attempts, errors, logs, and the tree that it is the root of."""

    async def work(jobs: App) -> tuple[RunDetails, Branch]:
        return await jobs.runs.get(run), await jobs.runs.tree(run)

    details, tree = ask(dsn, work)
    if as_json:
        click.echo(msgspec.json.encode(details))
        return
    for name, value in _facts(details):
        click.echo(f"{click.style(f'{name}:', bold=True)} {plain(value)}")
    for event in details.history:
        click.echo()
        _print_event(event)
    if tree.children:
        click.echo(f"\n{click.style('tree:', bold=True)}")
        for line in _lines(tree, 0):
            click.echo(line)
        if tree.truncated:
            click.echo("  and more: howdah runs ls --root", nl=False)
            click.echo(f" {tree.run.id}")


@runs.command()
@click.argument("ids", nargs=-1, type=RUN, metavar="[RUN]...")
@filter_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@dsn_option
def retry(dsn: str | None, ids: tuple[int, ...], *, yes: bool, **options: Any) -> None:
    """Make ended runs start again: these, or all that pass the filter (failed, quarantined and expired ones, unless it says which).

    Given again after it was interrupted, it goes on with those that are left.
    """
    filters = which(options)
    _refuse_neither(ids, filters)
    if not (ids or yes):
        _confirm("Retry", ask(dsn, _counting({"state": list(MENDABLE)} | filters)))

    async def work(jobs: App) -> dict[str, int]:
        return await jobs.runs.retry(ids) if ids else await jobs.runs.retry(**filters)

    _print_answers(ask(dsn, work), {"reopened": "start again", "pending": "had not ended", "succeeded": "had succeeded"})


@runs.command()
@click.argument("ids", nargs=-1, type=RUN, metavar="[RUN]...")
@filter_options
@click.option("--reason", type=TEXT, help="Why: stored and shown.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@dsn_option
def cancel(dsn: str | None, ids: tuple[int, ...], reason: str | None, *, yes: bool, **options: Any) -> None:
    """Cancel runs: these, or all that pass the filter and have not ended."""
    filters = which(options)
    _refuse_neither(ids, filters)
    if not (ids or yes):
        _confirm("Cancel", ask(dsn, _counting({"state": ["queued", "running", "scheduled", "retrying"]} | filters)))

    async def work(jobs: App) -> dict[str, int]:
        return await jobs.runs.cancel(ids, reason=reason) if ids else await jobs.runs.cancel(reason=reason, **filters)

    _print_answers(ask(dsn, work), {"cancelled": "cancelled", "requested": "run and were asked to stop", "ended": "had ended"})


def _counting(filters: dict[str, Any]) -> Callable[[App], Awaitable[int]]:
    async def work(jobs: App) -> int:
        return len(await jobs.runs.ids(limit=COUNTED_MAX, **filters))

    return work


def _confirm(verb: str, count: int) -> None:
    if not count:
        click.echo("No run passes this filter.", err=True)
        raise click.exceptions.Exit(0)
    click.confirm(f"{verb} {f'{count:,}' if count < COUNTED_MAX else f'{count:,} or more'} run{'s' * (count > 1)}?", abort=True, err=True)


def _refuse_neither(ids: tuple[int, ...], filters: dict[str, Any]) -> None:
    if bool(ids) == bool(filters):
        raise click.UsageError("Name runs by their ids, or say which by a filter such as --task; one of the two.")


def _print_answers(counts: dict[str, int], words: dict[str, str]) -> None:
    said = [f"{counts[answer]:,} {word}" for answer, word in {**words, "unknown": "are unknown"}.items() if counts.get(answer)]
    click.echo(", ".join(said) if said else "No run passes this filter.")


def _remark(run: RunInfo) -> str | None:
    if run.error is not None:
        return short(f"{run.error.type}: {run.error.message}")
    return short(run.reason)


def _facts(run: RunDetails) -> Iterator[tuple[str, object]]:
    """What there is to say of a run, without what does not apply."""
    yield "run", run.id
    for name in ("task", "queue", "state", "priority", "attempts", "crashes", "parent", "root", "node", "reason"):
        value = getattr(run, name)
        if value is not None and (name not in ("priority", "crashes") or value):
            yield name, value
    for name in ("enqueued_at", "due_at", "started_at", "ended_at"):
        if (at := getattr(run, name)) is not None:
            yield name.removesuffix("_at"), moment(at)
    for name in ("tags", "metadata", "progress", "args", "result"):
        if (value := getattr(run, name)) is not None:
            yield name, msgspec.json.encode(value).decode()


def _print_event(event: Event) -> None:
    where = "" if event.node is None else f" on node {event.node} under lease {event.lease}"
    click.echo(f"{moment(event.at)} {click.style(event.kind, bold=True)}{where}")
    if event.reason is not None:
        click.echo(f"  reason: {plain(event.reason)}")
    if event.error is not None:
        click.echo(f"  {plain(event.error.type)}: {plain(event.error.message)}")
        if event.error.fingerprint:
            click.echo(f"  fingerprint: {plain(event.error.fingerprint)}")
        for line in event.error.traceback.splitlines():
            click.echo(f"  {plain(line)}")
    for line in event.logs:
        click.echo(f"  | +{line.seconds:.3f} s {plain(line.level)} {plain(line.logger)}: {plain(line.message)}")


def _lines(branch: Branch, depth: int) -> Iterator[str]:
    yield f"{'  ' * (depth + 1)}{branch.run.id} {plain(branch.run.task)} {branch.run.state}"
    for child in branch.children:
        yield from _lines(child, depth + 1)
