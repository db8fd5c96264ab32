"""The peers' part of the report: bars, figures, settings, and what each peer keeps. All of it is made of the rounds and the data here."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from ..measure import Line
from .environments import version
from .figures import bars, lines
from .promises import PROMISES
from .rounds import ROUNDS, WORK, Round
from .row import Row
from .rows import ROWS

PLOTS = Path(__file__).parent.parent / "plots"
PLOTTED = {
    "drain.1": "Drain by one worker, jobs each second",
    "drain.2": "Drain by two workers, jobs each second",
    "idle.p50": "Enqueue to start on an idle worker, p50, ms",
    "steady.p99": "Enqueue to start at 500 each second, p99, ms",
    "highest": "Highest steady rate with p99 below 100 ms",
}
COLUMNS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Drain",
        (
            ("drain.1", "one worker, jobs/s"), ("drain.2", "two, jobs/s"), ("drain.snapshot", "beside a snapshot"),
            ("drain.backlog", "of a backlog"), ("backlog", "backlog, jobs"),
        ),
    ),
    (
        "Latency from the call of enqueue to the first line of the function",
        (
            ("idle.p50", "idle p50, ms"), ("idle.p99", "idle p99"), ("steady.p50", "500/s p50"), ("steady.p99", "500/s p99"),
            ("steady.missing", "500/s: late by over 5 s"), ("highest", "highest rate, jobs/s"), ("burst", "burst felt, s"),
        ),
    ),
    (
        "Cost of a job",
        (
            ("enqueue.single", "single enqueues/s"), ("enqueue.bulk", "bulk, jobs/s"), ("cpu.worker", "worker CPU, us"),
            ("cpu.server", "server CPU, us"), ("wal.enqueue", "WAL of enqueue, B"), ("wal.drain", "WAL of drain, B"),
            ("transactions", "transactions in drain"),
        ),
    ),
)  # fmt: skip


def section(rounds: Sequence[Round]) -> Iterable[str]:
    """The lines of the report."""
    found = {one.name: one for one in lines(rounds)}
    rows = [row for row in ROWS if any(one.row == row.name for one in rounds)]
    yield "# Beside the peers"
    yield ""
    yield f"Pass {rounds[0].number} of `python -m bench peers`, {sum(one.took_s for one in rounds) / 60:.0f} minutes of measuring. Medians;"
    yield "n is how often each was measured. Every row ran in turn in each round, against the same server and a database of its own."
    yield ""
    told = rounds[-1].machine
    commits = ", ".join(sorted({one.commit for one in rounds}))
    yield f"- {told['cpu']}, {told['cores']} cores, Postgres {told['postgres']}, Python {told['python']}; commits of howdah {commits}"
    yield f"- load before each measurement: median {median(one.load_before for one in rounds):.1f}"
    yield ""
    yield "| must reach | measured | n | |"
    yield "|---|---:|---:|---|"
    for bar in bars(rounds):
        measured = "" if bar.measured is None else f"{bar.measured:.2f} ({bar.rival})"
        verdict = "**not measured**" if bar.measured is None else "reached" if bar.reached else "**missed**"
        few = ", of too few rounds" if 0 < bar.rounds < ROUNDS else ""
        yield f"| {bar.title} | {measured} | {bar.rounds} | {verdict}{few} |"
    yield ""
    for title, columns in COLUMNS:
        yield from _figures(title, columns, rows, found)
    yield from _pictures()
    yield from _failures(rounds)
    yield from _promises(rows)
    yield from _settings(rows)
    yield from _definitions()


def _figures(title: str, columns: tuple[tuple[str, str], ...], rows: Iterable[Row], found: dict[str, Line]) -> Iterable[str]:
    yield f"## {title}"
    yield ""
    yield "| | " + " | ".join(head for _, head in columns) + " |"
    yield "|---|" + "---:|" * len(columns)
    for row in rows:
        cells = [_cell(found.get(f"peers.{name}.{row.name}")) for name, _ in columns]
        if any(cells):
            yield f"| {row.name} | " + " | ".join(cells) + " |"
    yield ""


def _cell(entry: Line | None) -> str:
    if entry is None:
        return ""
    value = entry.median
    digits = 0 if value >= 100 or not value else 2 if value >= 1 else 3
    return f"{value:,.{digits}f}" + (f" (n={entry.n})" if entry.n < 5 else "")


def _pictures() -> Iterable[str]:
    for name, title in PLOTTED.items():
        if (PLOTS / f"{name}.png").exists():
            yield f"![{title}](plots/{name}.png)"
            yield ""


def _failures(rounds: Iterable[Round]) -> Iterable[str]:
    told = sorted({f"- {one.row}, {one.work}: {one.failed}" for one in rounds if one.failed})
    told += [f"- {row.name} does not take what was enqueued before its worker started: no drains" for row in ROWS if not row.prequeued]
    if told:
        yield "## What could not be measured"
        yield ""
        yield from told
        yield ""


def _promises(rows: Iterable[Row]) -> Iterable[str]:
    yield "## What each keeps and what it fences"
    yield ""
    yield "| | history | fence of an acknowledgement | on disk before it is reported | |"
    yield "|---|---|---|---|---|"
    for name in dict.fromkeys(row.promise for row in rows):
        promise = PROMISES[name]
        yield f"| {name} | {promise.history} | {promise.fence} | {promise.commit} | {_links(promise.pages)} |"
    yield ""


def _settings(rows: Iterable[Row]) -> Iterable[str]:
    yield "## Settings"
    yield ""
    yield "| | installed | settings | |"
    yield "|---|---|---|---|"
    for row in rows:
        yield f"| {row.name} | {version(row.peer)} | {row.why} | {_links(row.pages)} |"
    yield ""


def _links(pages: Iterable[str]) -> str:
    return " ".join(f"[{number}]({page})" for number, page in enumerate(pages, 1))


def _definitions() -> Iterable[str]:
    once = ", ".join(name for name, work in WORK.items() if work.rounds == 1)
    yield "## How it is measured"
    yield ""
    yield "- A job has 100 bytes of arguments and an async function that does nothing but count itself (Celery's is synchronous)."
    yield "- A drain begins with the first function that starts and ends when the store has no job left that is not acknowledged; after"
    yield "  five seconds it is stopped, and what was acknowledged until then counts. Workers are loaded and connected before it begins"
    yield "  where the library allows that. The tables are vacuumed and everything is on disk before."
    yield "- Latency runs from the call of enqueue in one process to the first line of the function in another, on one monotonic clock."
    yield "- Highest rate and burst enqueue in bulk each 10 ms where there is a bulk enqueue, else by 16 callers. A burst is 5,000/s for"
    yield "  five seconds amid 500/s; it is felt until p99 of a quarter of a second is below 100 ms again, counted from its end."
    yield "- The backlog is a million, or what the peer could enqueue in half a minute."
    yield "- WAL is apart from full-page images; transactions are those of the drain, start and end of the worker included."
    yield f"- Measured in one round only, save of the rows that the bars speak of: {once}. Default rows do drain.1 and latency."
    yield ""
