"""Makes report.md of the newest lines in results.jsonl. Nobody types into it."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .measure import Line, read
from .peers import rounds, summary, table

REPORT = Path(__file__).with_name("report.md")
WIDTH = 40
PLAIN = {"runs/s", "B/run", "calls/min"}


class Comparison(NamedTuple):
    """Bars side by side, the ratio between the first two, and what it must reach."""

    title: str
    names: tuple[str, ...]
    ratio: str | None
    goal: str
    reached: tuple[str, float, float] | None
    """The figure whose median lies between two bounds when the goal is reached."""


COMPARISONS = (
    Comparison(
        "Drain: 200,000 pre-queued runs that do nothing", ("drain", "floor"), "drain.ratio",
        "at least 0.6 of the floor", ("drain.ratio", 0.6, float("inf")),
    ),
    Comparison("Python for each run of the drain", ("drain.python", "floor.python"), None, "", None),
    Comparison(
        "Start of a run on an idle node, p50", ("latency.p50", "latency.bare.p50"), "latency.ratio",
        "at most 1.5 of bare asyncpg", ("latency.ratio", 0, 1.5),
    ),
    Comparison(
        "Start of a run on an idle node, p99", ("latency.p99", "latency.bare.p99"), None, "below 10 ms", ("latency.p99", 0, 10),
    ),
    Comparison(
        "Enqueue of 100,000 runs at once, beside COPY of the same rows", ("enqueue.bulk", "enqueue.bulk.bare"), "enqueue.bulk.ratio",
        "at least 0.4 of COPY", ("enqueue.bulk.ratio", 0.4, float("inf")),
    ),
    Comparison(
        "Enqueues one after the other, beside one INSERT of the same rows each", ("enqueue.single", "enqueue.single.bare"),
        "enqueue.single.ratio", "", None,
    ),
    Comparison(
        "64 callers that enqueue at once, beside one after the other", ("enqueue.combined", "enqueue.single"), "enqueue.combined.ratio",
        "at least 8 times", ("enqueue.combined.ratio", 8, float("inf")),
    ),
    Comparison(
        "Drain by 1, 2, 4 and 8 nodes on one server", ("nodes.2", "nodes.1", "nodes.4", "nodes.8"), "nodes.2.ratio",
        "two no less than one", ("nodes.2.ratio", 1, float("inf")),
    ),
    Comparison(
        "The same with 20 us of Python in each task", ("nodes.busy.2", "nodes.busy.1"), "nodes.busy.2.ratio",
        "two at least 1.25 of one", ("nodes.busy.2.ratio", 1.25, float("inf")),
    ),
    Comparison(
        "CPU of nodes and server for each run, at 8 nodes beside 1",
        ("nodes.8.cpu", "nodes.1.cpu", "nodes.8.cpu.nodes", "nodes.1.cpu.nodes", "nodes.8.cpu.postgres", "nodes.1.cpu.postgres"),
        "nodes.8.cpu.ratio", "at most 1.2 of one", ("nodes.8.cpu.ratio", 0, 1.2),
    ),
    Comparison(
        "WAL from enqueue to done, 100 B of arguments, no result", ("wal", "wal.enqueue", "wal.execute", "wal.images", "wal.single"), None,
        "at most 1,000 B for each run, full-page images apart", ("wal", 0, 1000),
    ),
    Comparison(
        "Runs with dependencies, two middlewares and a captured log line", ("lane", "lane.bare", "lane.python", "lane.bare.python"),
        "lane.ratio", "at least 0.5 of bare ones", ("lane.ratio", 0.5, float("inf")),
    ),
    Comparison(
        "Drain where nobody has set OpenTelemetry up, beside one with tracing switched off: how far 1 is outside of the interval",
        ("drain.otel.off.ratio",), "drain.otel.off.ratio", "1 within the 95% interval of ten pairs", ("drain.otel.off.outside", 0, 0),
    ),
    Comparison(
        "Drain with 1% of the runs traced, beside none", ("drain.otel.some", "drain.otel.off", "drain.otel.all"), "drain.otel.some.ratio",
        "at least 0.95 of untraced", ("drain.otel.some.ratio", 0.95, float("inf")),
    ),
    Comparison(
        "CPU that tracing each run adds to it", ("drain.otel.all.added", "drain.otel.sdk", "drain.otel.some.added"), None,
        "at most 20 us a run", ("drain.otel.all.added", float("-inf"), 20),
    ),
    Comparison("Statements of an idle node in a minute", ("idle",), None, "at most 60", ("idle", 0, 60)),
    Comparison(
        "Lists and counts with 10,000,000 ended runs: the slowest answer to each question", ("history.slowest",), None,
        "each below 50 ms", ("history.slowest", 0, 50),
    ),
    Comparison(
        "Drain with 10,000,000 ended runs in history", ("history.drain", "history.drain.without"), "history.drain.ratio",
        "at least 0.95 of the drain without", ("history.drain.ratio", 0.95, float("inf")),
    ),
    Comparison(
        "Memory: growth from run 100,000 to run 1,000,000", ("memory.growth", "memory.rss"), None,
        "at most 5 MB", ("memory.growth", float("-inf"), 5),
    ),
)  # fmt: skip


def write() -> None:
    """Writes the report, and the README's table."""
    REPORT.write_text("\n".join(_text({entry.name: entry for entry in read()})) + "\n")
    if pass_ := rounds.read():
        summary.write(pass_)


def _text(lines: dict[str, Line]) -> Iterable[str]:
    yield "# What howdah costs"
    yield ""
    yield "Generated by `python -m bench report` from the newest lines of `results.jsonl`; `python -m bench all` measures again."
    yield "Medians, with the lowest and highest run. Digits belong to the machine, ratios travel: both sides of a ratio ran in turns."
    yield ""
    for machine, commits in _origins(lines.values()).items():
        yield f"- {machine}; commit {', '.join(sorted(commits))}"
    yield ""
    yield from _goals(lines)
    for comparison in COMPARISONS:
        yield from _section(comparison, lines)
    if pass_ := rounds.read():
        yield from table.section(pass_)


def _origins(lines: Iterable[Line]) -> dict[str, set[str]]:
    origins: dict[str, set[str]] = {}
    for entry in lines:
        told = entry.machine
        machine = f"{told['cpu']}, {told['cores']} cores, Postgres {told['postgres']}, Python {told['python']}"
        origins.setdefault(machine, set()).add(entry.commit)
    return origins


def _goals(lines: dict[str, Line]) -> Iterable[str]:
    yield "| must reach | measured | |"
    yield "|---|---:|---|"
    for comparison in COMPARISONS:
        if comparison.reached is None:
            continue
        name, low, high = comparison.reached
        if name not in lines:
            yield f"| {comparison.title}: {comparison.goal} | | **not measured** |"
            continue
        entry = lines[name]
        verdict = "reached" if low <= entry.median <= high else "**missed**"
        yield f"| {comparison.title}: {comparison.goal} | {_number(entry, entry.median)} | {verdict} |"
    yield ""


def _section(comparison: Comparison, lines: dict[str, Line]) -> Iterable[str]:
    found = [lines[name] for name in comparison.names if name in lines]
    if not found:
        return
    yield f"## {comparison.title}"
    yield ""
    yield "```"
    most = max(entry.median for entry in found)
    for entry in found:
        bar = "█" * max(0 if most <= 0 else round(WIDTH * entry.median / most), 0)
        span = f"{_number(entry, entry.min)} to {_number(entry, entry.max)}, n={entry.n}"
        yield f"{entry.name:20} {bar:{WIDTH}} {_number(entry, entry.median):>18}   ({span})"
    yield "```"
    load = found[0].settings.get("load_before")
    if load is not None and load > 1:
        yield f"Others used this machine meanwhile: its load was {load:.1f} before the first run."
        yield ""
    if comparison.ratio in lines:
        ratio = lines[comparison.ratio]
        yield f"Ratio {ratio.median:.2f} ({ratio.min:.2f} to {ratio.max:.2f}, {ratio.settings.get('of', '')})."
    yield ""


def _number(entry: Line, value: float) -> str:
    if entry.unit == "ratio":
        return f"{value:.2f}"
    return f"{value:,.0f} {entry.unit}" if entry.unit in PLAIN else f"{value:,.2f} {entry.unit}"
