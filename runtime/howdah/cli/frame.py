"""Draws a glance on so many columns and lines: queues, nodes, and the runs that nodes hold. A pure function of what it is given.

Names are made of what others said, and go through plain(): nothing of them reaches the terminal as a command.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ..core.pace import Pace
from ..management.glance import BreakerGlance, Glance, HeldGlance, NodeGlance, QueueGlance
from .plain import plain
from .tables import age

WIDE = 120
"""Columns from which on there is room for more."""

_BAR = 10
"""Characters of a bar of progress."""

_AROUND = 9
"""Lines beside rows: two above, one below, a heading and its rule for each of three tables less one."""


class Picture(NamedTuple):
    """What is to be drawn. status: what stands below; troubled: it is no good news."""

    glance: Glance
    paces: Mapping[str | None, Pace | None]
    status: str
    troubled: bool = False


def shares(lines: int, queues: int, nodes: int, runs: int) -> tuple[int, int, int]:
    """How many rows of each are shown where there is room for so many: nodes get a quarter and runs a third where they need it, what
    one of them leaves goes to the others, queues first."""
    room = max(0, lines)
    shown_nodes, shown_runs = min(nodes, room // 4), min(runs, room // 3)
    shown_queues = min(queues, room - shown_nodes - shown_runs)
    left = room - shown_queues - shown_nodes - shown_runs
    more_runs = min(runs - shown_runs, left)
    return shown_queues, min(nodes, shown_nodes + left - more_runs), shown_runs + more_runs


def draw(picture: Picture, width: int, lines: int, *, colour: bool) -> list[str]:
    """The lines, none wider than this, at most so many."""
    seen, wide = picture.glance, width >= WIDE
    queues, nodes, runs = shares(lines - _AROUND, len(seen.queues), len(seen.nodes), len(seen.runs))
    parts: list[RenderableType] = [
        _head(picture),
        _sums(picture),
        _queues(seen.queues[:queues], picture.paces, seen.known, wide=wide),
        Text(""),
        _nodes(seen.nodes[:nodes], wide=wide),
        Text(""),
        _runs(seen.runs[:runs], wide=wide),
    ]
    status = Text(picture.status, style="bold red" if picture.troubled else "dim", no_wrap=True, overflow="ellipsis")
    console = Console(file=io.StringIO(), width=width, height=lines, force_terminal=colour, color_system="standard" if colour else None,
                      legacy_windows=False, highlight=False, emoji=False, markup=False)  # fmt: skip
    above = [line for part in parts for line in _lines(console, part)]
    return [*above[: lines - 1], *_lines(console, status)]


def _lines(console: Console, part: RenderableType) -> list[str]:
    with console.capture() as capture:
        console.print(part)
    return [line.rstrip() for line in capture.get().splitlines()] or [""]


def _head(picture: Picture) -> Text:
    at = picture.glance.at.astimezone().strftime("%H:%M:%S")
    return Text(f"howdah top  {plain(picture.glance.database)}  {at}", style="bold", no_wrap=True, overflow="ellipsis")


def _sums(picture: Picture) -> Text:
    total, fleet, pace = picture.glance.total, picture.glance.fleet, picture.paces.get(None)
    said = f"ready {total.ready:,}  running {total.running:,}  later {total.later:,}"
    if pace is not None:
        said += f"  in {_rate(pace.enqueued)}/s  done {_rate(pace.succeeded)}/s  failed {_rate(pace.failed)}/s"
    said += f"  nodes {fleet.alive:,}"
    for count, word in ((fleet.silent, "silent"), (fleet.told, "told to pause or drain")):
        said += f", {count:,} {word}" if count else ""
    if picture.glance.paused_tasks:
        said += f"  paused tasks: {plain(', '.join(picture.glance.paused_tasks))}"
    if picture.glance.open_breakers:
        said += f"  open breakers: {plain(', '.join(map(_breaker, picture.glance.open_breakers)))}"
    return Text(said, no_wrap=True, overflow="ellipsis")


def _breaker(one: BreakerGlance) -> str:
    return f"{one.name} {one.key}".rstrip() + f" ({age(one.open_s)})"


def _queues(rows: Sequence[QueueGlance], paces: Mapping[str | None, Pace | None], known: int, *, wide: bool) -> Table:
    first = "QUEUE" if len(rows) == known else f"QUEUE ({len(rows):,} of {known:,})"
    headings = [first, "READY", "RUNNING", "LATER", "LAG", "IN/S", "DONE/S", "FAILED/S", *(["RETRIED/S"] if wide else [])]
    return _table(headings, {0}, (_queue(one, paces.get(one.queue), wide=wide) for one in rows))


def _queue(one: QueueGlance, pace: Pace | None, *, wide: bool) -> list[str]:
    rates = ["-"] * 4 if pace is None else [_rate(rate) for rate in (pace.enqueued, pace.succeeded, pace.failed, pace.retried)]
    held = [f"{count:,}" for count in (one.ready, one.running, one.later)]
    name = f"{plain(one.queue)} (paused)" if one.paused else plain(one.queue)
    return [name, *held, age(one.waiting_s) or "", *rates[: 4 if wide else 3]]


def _nodes(rows: Sequence[NodeGlance], *, wide: bool) -> Table:
    headings = ["NODE", "STATE", "TASKS", "QUEUES", "UP", *(["HOST", "PID", "VERSION"] if wide else [])]
    return _table(headings, {0, 1, 3, 5}, (_node(one, wide=wide) for one in rows))


def _node(one: NodeGlance, *, wide: bool) -> list[str]:
    state = {"pause": "paused", "drain": "draining"}.get(one.ordered or "", "alive") if one.alive else f"silent {age(one.renewed_s)}"
    queues = "all" if one.queues is None else plain(" ".join(one.queues))
    more = [plain(one.host), str(one.pid), plain(one.version)] if wide else []
    return [plain(one.name), state, f"{one.tasks:,}", queues, age(one.up_s) or "", *more]


def _runs(rows: Sequence[HeldGlance], *, wide: bool) -> Table:
    headings = ["RUN", "TASK", "NODE", "TRY", "AGE", "PROGRESS", *(["QUEUE"] if wide else [])]
    return _table(headings, {0, 1, 2, 5, 6}, (_run(one, wide=wide) for one in rows))


def _run(one: HeldGlance, *, wide: bool) -> list[str]:
    said = "asked to stop, keeps its slot " if one.stopping else ""
    more = [plain(one.queue or "")] if wide else []
    return [
        str(one.run),
        plain(one.task or ""),
        plain(one.node or "?"),
        str(one.attempt),
        age(one.age_s) or "",
        said + _progress(one.progress),
        *more,
    ]


def _progress(value: Any) -> str:
    """A bar where a total is known, what was done otherwise, and the message."""
    if not isinstance(value, dict):
        return ""
    told: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType] - what the database holds, looked at below
    done, total, message = told.get("done"), told.get("total"), told.get("message")
    said = ""
    if isinstance(done, int | float):
        if isinstance(total, int | float) and total > 0:
            share = min(1.0, max(0.0, done / total))
            full = round(share * _BAR)
            said = f"[{'#' * full}{'-' * (_BAR - full)}] {share:4.0%}"
        else:
            said = f"{done:,}"
    return f"{said} {plain(message)}".strip() if isinstance(message, str) else said


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 or rate == 0 else f"{rate:.1f}"


def _table(headings: Sequence[str], texts: set[int], rows: Iterable[Sequence[str]]) -> Table:
    """Columns of text are cut where they are too wide, and the first one grows; numbers stand at the right, whole."""
    drawn = Table(box=None, expand=True, pad_edge=False, padding=(0, 1, 0, 0), header_style="reverse", collapse_padding=True)
    for place, heading in enumerate(headings):
        is_text = place in texts
        drawn.add_column(heading, justify="left" if is_text else "right", no_wrap=True, overflow="ellipsis",
                         ratio=None, min_width=None if is_text else len(heading))  # fmt: skip
    for row in rows:
        drawn.add_row(*map(Text, row))
    return drawn
