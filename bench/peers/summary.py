"""The README's table: each queue at its fastest in one line, made of the newest pass. `python -m bench report` writes it there."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from .figures import values
from .promises import PROMISES
from .rounds import Round
from .rows import ROWS

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- made by `python -m bench report` -->", "<!-- until here -->"
COLUMNS = (("drain.1", "drain, runs/s"), ("idle.p50", "idle start, ms"), ("steady.p99", "p99 at 500/s, ms"))


def summary(rounds: Sequence[Round]) -> Iterable[str]:
    """The lines between the marks. Medians."""
    told = values(rounds)
    yield "| | " + " | ".join(head for _, head in COLUMNS) + " | keeps | fence of an acknowledgement | on disk when reported |"
    yield "|---|" + "---:|" * len(COLUMNS) + "---|---|---|"
    for row in ROWS:
        cells = [_cell(told.get(name, {}).get(row.name)) for name, _ in COLUMNS]
        if row.fastest and any(cells):
            promise = PROMISES[row.promise]
            name = row.name.removesuffix(".tuned")
            yield f"| {name} | " + " | ".join([*cells, promise.history, promise.fence, promise.commit]) + " |"


def write(rounds: Sequence[Round], readme: Path = README) -> None:
    """Puts it there."""
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text("\n".join([before + BEGIN, *summary(rounds), END]) + after)


def _cell(by_round: dict[int, float] | None) -> str:
    if by_round is None:
        return ""
    value = median(by_round.values())
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
