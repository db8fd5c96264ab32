"""Tables for people: drawn on a terminal, plain columns anywhere else, so that other programs can read them."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .plain import plain


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints rows under their headings. None is shown as nothing."""
    texts = [[_text(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        drawn = Table(*headings, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in texts:
            drawn.add_row(*map(Text, row))
        Console().print(drawn)
        return
    widths = [max(map(len, column)) for column in zip(headings, *texts, strict=True)]
    for row in (headings, *texts):
        click.echo("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def moment(at: datetime | None) -> str | None:
    """A time as people here read it, to the second."""
    return None if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def paused(since: datetime | None) -> str | None:
    """What is said of a queue or a task whose runs do not start."""
    return None if since is None else f"paused since {moment(since)}"


def short(text: str | None, characters: int = 80) -> str | None:
    """The first line of a text, printable, cut where it is long."""
    if text is None:
        return None
    line = plain(text.partition("\n")[0])
    return line if len(line) <= characters else f"{line[: characters - 3]}..."


def age(seconds: float | None) -> str | None:
    """How long, in the largest unit that says something: 40s, 3m, 7h, 2d."""
    if seconds is None:
        return None
    for unit, length_s in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f}{unit}"
    return f"{seconds:.0f}s"


def _text(cell: object) -> str:
    return "" if cell is None else f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else plain(cell)
