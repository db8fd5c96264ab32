"""python -m bench peers: what it is asked for, and the pictures that it ends with."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from ..server import Bed
from .environments import HOMES, CannotBeHadError, environment
from .figures import lines, values
from .rounds import KEPT, ROUNDS, WORK, Asked, make, read
from .row import Row
from .rows import ROWS
from .table import PLOTS, PLOTTED


def options(parser: argparse.ArgumentParser) -> None:
    peers = parser.add_argument_group("peers")
    peers.add_argument("--only", help="rows or peers, with commas between them; default: all")
    peers.add_argument("--work", help=f"with commas between them; default: {','.join(WORK)}")
    peers.add_argument("--minutes", type=float, help="begin nothing more after so long; the same command goes on later")
    peers.add_argument("--again", action="store_true", help="begin a new pass instead of going on with the newest one")
    peers.add_argument("--into", type=Path, default=KEPT, help="where rounds are kept; default: bench/peers.jsonl")


def chosen(only: str | None) -> list[Row]:
    """The rows of these names or peers."""
    if not only:
        return list(ROWS)
    names = set(only.split(","))
    found = [row for row in ROWS if row.name in names or row.peer in names]
    unknown = names - {row.name for row in found} - {row.peer for row in found}
    if unknown:
        raise SystemExit(f"no such peers: {', '.join(sorted(unknown))}; there are {', '.join(row.name for row in ROWS)}")
    return found


async def run(place: Bed, asked: argparse.Namespace) -> None:
    """Goes on with a pass, and prints its medians."""
    works = asked.work.split(",") if asked.work else list(WORK)
    if unknown := set(works) - set(WORK):
        raise SystemExit(f"no such work: {', '.join(sorted(unknown))}; there is {', '.join(WORK)}")
    asking = Asked(chosen(asked.only), asked.runs or ROUNDS, works, asked.minutes or float("inf"), again=asked.again)
    await make(place, asking, asked.into, as_json=asked.json)
    for entry in lines(read(asked.into)):
        print(entry.json() if asked.json else f"{entry.name:44} {entry.median:>14,.2f} {entry.unit:8} (n={entry.n})")


def draw(path: Path = KEPT) -> None:
    """Draws what is kept, where there is an environment to draw in or one can be made."""
    rounds = read(path)
    if not rounds:
        return
    try:
        python = environment("plots", "").command[0]
    except CannotBeHadError as error:
        print(f"no pictures: {error}", file=sys.stderr)
        return
    PLOTS.mkdir(exist_ok=True)
    told = values(rounds)
    found = {entry.name: entry.median for entry in lines(rounds)}
    asked = {
        str(PLOTS / f"{name}.png"): {"title": title, "bars": [[row, found[f"peers.{name}.{row}"]] for row in told[name]]}
        for name, title in PLOTTED.items()
        if name in told
    }
    subprocess.run([python, str(Path(__file__).with_name("plots.py"))], input=json.dumps(asked), text=True, check=True, cwd=HOMES)
