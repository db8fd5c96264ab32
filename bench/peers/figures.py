"""Figures of a pass: values over its rounds as Lines, like those of every other benchmark, and the ratios that the bars speak of."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from ..measure import Figure, Line, line
from .rounds import Round
from .rows import ROWS

UNITS = {
    "drain.1": "runs/s",
    "drain.2": "runs/s",
    "drain.snapshot": "runs/s",
    "drain.backlog": "runs/s",
    "snapshot.without": "runs/s",
    "backlog.without": "runs/s",
    "backlog": "runs",
    "jobs": "runs",
    "enqueue.single": "runs/s",
    "enqueue.bulk": "runs/s",
    "cpu.worker": "us/run",
    "cpu.server": "us/run",
    "wal.enqueue": "B/run",
    "wal.drain": "B/run",
    "wal.images": "B/run",
    "transactions": "per run",
    "idle.p50": "ms",
    "idle.p99": "ms",
    "steady.p50": "ms",
    "steady.p99": "ms",
    "steady.achieved": "ratio",
    "steady.missing": "runs",
    "highest": "runs/s",
    "highest.tried": "rates",
    "burst": "s",
    "burst.p99": "ms",
    "burst.achieved": "ratio",
    "burst.missing": "runs",
}
PYTHON = ("pgqueuer", "procrastinate", "chancy", "dbos", "absurd", "awa", "saq", "taskiq", "celery")


def values(rounds: Iterable[Round]) -> dict[str, dict[str, dict[int, float]]]:
    """By figure, row and round."""
    told: dict[str, dict[str, dict[int, float]]] = {}
    for one in rounds:
        for name, value in one.figures.items():
            told.setdefault(name, {}).setdefault(one.row, {})[one.round] = value
    return told


def lines(rounds: Sequence[Round]) -> list[Line]:
    """One line for each figure of each row, named peers.FIGURE.ROW."""
    return [
        line(
            Figure(f"peers.{name}.{row}", UNITS[name], [*by_round.values()], {"rounds": sorted(by_round)}),
            [one.commit for one in rounds if one.row == row][-1],
            rounds[0].machine,
        )
        for name, rows in values(rounds).items()
        for row, by_round in rows.items()
    ]


class Bar(NamedTuple):
    """What must be reached beside the peers, and what was."""

    title: str
    measured: float | None
    rounds: int
    reached: bool
    rival: str


def bars(rounds: Sequence[Round]) -> list[Bar]:
    """The bars of this comparison. Ratios are medians of the ratios within each round."""
    told = values(rounds)

    def beside(title: str, figure: str, wanted: float, rivals: Sequence[str]) -> Bar:
        rows = told.get(figure, {})
        medians = {row: median(by_round.values()) for row, by_round in rows.items() if row in rivals}
        if "howdah" not in rows or not medians:
            return Bar(title, None, 0, reached=False, rival="")
        best = max(medians, key=lambda row: medians[row])
        return _ratio(title, rows["howdah"], rows[best], wanted, best)

    def below(title: str, figure: str, rivals: Iterable[str]) -> Bar:
        rows = told.get(figure, {})
        medians = {row: median(by_round.values()) for row, by_round in rows.items() if row in rivals}
        if "howdah" not in rows or not medians:
            return Bar(title, None, 0, reached=False, rival="")
        best = min(medians, key=lambda row: medians[row])
        mine = median(rows["howdah"].values())
        return Bar(title, mine / medians[best], len(rows["howdah"]), reached=mine < medians[best], rival=best)

    def held(title: str, figure: str, without: str, wanted: float) -> Bar:
        mine, plain = told.get(figure, {}).get("howdah", {}), told.get(without, {}).get("howdah", {})
        return _ratio(title, mine, plain, wanted, "howdah without")

    python = sorted(row for row in told.get("drain.1", {}) if row.startswith(PYTHON))
    everybody = sorted({row for rows in told.values() for row in rows} - {"howdah"})
    on_disk = [row.name for row in ROWS if row.store == "postgres" and row.name != "howdah"]
    return [
        beside("Drain by one worker, of graphile-worker at its fastest: at least 1.3", "drain.1", 1.3, ["graphile-worker.tuned"]),
        beside("Drain by two workers, of graphile-worker at its fastest: at least 1.3", "drain.2", 1.3, ["graphile-worker.tuned"]),
        beside("Drain by one worker, of the fastest Python peer: at least 3.5", "drain.1", 3.5, python),
        below("Start of a run on an idle worker, p50, of the lowest peer's: below 1", "idle.p50", everybody),
        below("Beside it: of the lowest of those whose enqueue is on disk", "idle.p50", on_disk),
        below("500 each second, p99 of enqueue to start, of the lowest peer's: below 1", "steady.p99", everybody),
        below("Beside it: of the lowest of those whose enqueue is on disk", "steady.p99", on_disk),
        held("Drain beside a held snapshot, of the drain without: at least 0.85", "drain.snapshot", "snapshot.without", 0.85),
        held("Drain of a million in backlog, of the drain without: at least 0.95", "drain.backlog", "backlog.without", 0.95),
        beside("Highest steady rate with p99 below 100 ms, of the best peer's: at least 1.3", "highest", 1.3, everybody),
    ]


def _ratio(title: str, mine: dict[int, float], other: dict[int, float], wanted: float, rival: str) -> Bar:
    ratios = [mine[number] / other[number] for number in mine if other.get(number)]
    if not ratios:
        return Bar(title, None, 0, reached=False, rival=rival)
    return Bar(title, median(ratios), len(ratios), median(ratios) >= wanted, rival)
