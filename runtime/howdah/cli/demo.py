"""`howdah demo`: the main job on real input, from an empty machine to an answered search."""

import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import anyio
import click

from ..config import configure
from ..db.pool import Pool
from ..demo.job import Failed, Tally, carry
from ..demo.library import QUEUE, Figures, Library
from ..demo.progress import show
from ..demo.search import Hit, search, totals
from ..demo.sources import Source, listing, standard_library
from ..node import Node
from .database import borrow, bring_up_to_date
from .loop import INTERRUPTED, run, signals

EXAMPLE = "walk a directory tree"
"""The search that the demo ends with."""

_FAILURES_MAX = 20
"""Failures listed one by one."""


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--search", "words", metavar="WORDS", help="Only answer this search from what is stored.")
@click.option("--again", is_flag=True, help="Read files again that are stored already.")
@click.option("--dsn", envvar="HOWDAH_DSN", help="The database; an embedded Postgres where there is none.")
def demo(folder: Path | None, words: str | None, dsn: str | None, *, again: bool) -> None:
    """Carry every source file of FOLDER through the queue, and search what they say.

    FOLDER is the standard library of the running Python where none is given. Each file is one run: it is read, parsed,
    and stored in the transaction that ends the run. Kill it whenever you like and start it again: it goes on.
    """
    files = None if words is not None else listing(folder or standard_library())
    server = borrow() if dsn is None else None
    try:
        address = dsn if server is None else server.dsn()
        if files is None:
            _print_hits(words or "", run(_answer(address, words or "")))
        else:
            where = str((folder or standard_library()).resolve())
            sys.exit(run(_demonstrate(address, where, files, again=again)))
    finally:
        if server is not None:
            server.release()


async def _answer(dsn: str | None, words: str) -> list[Hit]:
    pool = Pool(configure({"dsn": dsn}))
    await pool.open()
    try:
        return await search(pool, words)
    finally:
        await pool.close()


async def _demonstrate(dsn: str | None, folder: str, files: Sequence[Source], *, again: bool) -> int:
    """The whole job; returns the exit code."""
    await bring_up_to_date(dsn)
    library, tally = Library(dsn), Tally(len(files))
    click.echo(f"{len(files):,} source files in {folder}: one run each.", err=True)
    with warnings.catch_warnings():
        # What the parser thinks of the style of other people's source is not for this terminal.
        warnings.simplefilter("ignore")
        async with library.jobs.work(queues=[QUEUE]) as node:
            await library.prepare()
            finished = await _carry(node, library, files, tally, again=again)
            if not finished:
                click.echo(f"Stopped with {tally.left:,} files to go. Start the demo again: it goes on where it was.", err=True)
                return INTERRUPTED
            await library.forget(folder, files)
            if tally.fresh or tally.stored:
                _print_summary(tally, await library.figures(tally.runs))
            else:
                click.echo(f"All {tally.files:,} files were read before and are unchanged; --again reads them anew.")
            _print_failures(tally.failed)
            stored, documents = await totals(library.jobs.client.pool)
            click.echo(f"{documents:,} entries of {stored:,} files can be searched. For example, howdah demo --search {EXAMPLE!r}:\n")
            _print_hits(EXAMPLE, await search(library.jobs.client.pool, EXAMPLE))
    return 0


async def _carry(node: Node, library: Library, files: Sequence[Source], tally: Tally, *, again: bool) -> bool:
    """Whether every file came to an end; False: a signal asked to stop, and the node drains."""
    with anyio.CancelScope() as waiting:

        def drain(_number: signal.Signals) -> None:
            node.stop()
            waiting.cancel()

        with signals(drain, node.hurry), show(sys.stderr) as shown:
            await carry(library, files, tally, shown, again=again)
    return not waiting.cancelled_caught


def _print_summary(tally: Tally, figures: Figures) -> None:
    rate = (tally.stored + len(tally.failed)) / tally.elapsed_s
    click.echo(f"{tally.stored:,} files stored, {len(tally.failed):,} failed, in {tally.elapsed_s:.1f} s: {rate:,.0f} runs/s.")
    if figures.p50_s is not None and figures.p99_s is not None:
        waits = f"p50 {_time(figures.p50_s)}, p99 {_time(figures.p99_s)}"
        click.echo(f"From enqueue to start: {waits} (files are enqueued faster than they are read).")
    click.echo(f"Retries: {figures.retries}.")


def _print_failures(failed: Sequence[Failed]) -> None:
    if failed:
        click.echo("These failed, as runs of files that this Python cannot read should:")
    for failure in failed[:_FAILURES_MAX]:
        click.echo(f"  {failure.path}: {click.style(failure.error, fg='red')}")
    if len(failed) > _FAILURES_MAX:
        click.echo(f"  and {len(failed) - _FAILURES_MAX:,} more")


def _print_hits(words: str, hits: Sequence[Hit]) -> None:
    if not hits:
        click.echo(f"Nothing is found for {words!r}.")
    for number, hit in enumerate(hits, 1):
        click.echo(f"{number}. {click.style(hit.name, bold=True)} ({hit.kind}, {hit.file}:{hit.line})")
        click.echo(f"   {hit.summary}")


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"
