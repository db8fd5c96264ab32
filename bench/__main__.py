"""python -m bench NAME [--runs N] [--json]; NAME is one of the benchmarks, `all`, or `report`."""

import argparse
import asyncio
import importlib
import os

import uvloop

from . import report
from .measure import Line, commit_now, keep, line, machine_now
from .server import Bed, bed

NAMES = {
    "floor": 5, "drain": 5, "lane": 5, "latency": 5, "enqueue": 5, "wal": 5, "idle": 5, "memory": 2, "nodes": 5, "history": 5,
}  # fmt: skip
"""Each benchmark and how often it is run: a million runs twice, and five idle nodes at once."""

APART = {"floor", "history"}
"""Not among `all`: the floor is measured in turns with the drain, and ten million runs take their time to be made."""


async def _measure(place: Bed, names: list[str], runs: int | None, *, as_json: bool) -> None:
    commit, machine = commit_now(), machine_now(await place.version())
    for name in names:
        module = importlib.import_module(f"bench.{name}")
        load = round(os.getloadavg()[0], 2)  # What others do on this machine bends even ratios.
        for figure in await module.measure(place, runs or NAMES[name]):
            entry = line(figure._replace(settings={**figure.settings, "load_before": load}), commit, machine)
            keep(entry)
            print(entry.json() if as_json else _readable(entry), flush=True)


def _readable(entry: Line) -> str:
    return f"{entry.name:22} {entry.median:>14,.2f} {entry.unit:10} ({entry.min:,.2f} to {entry.max:,.2f}, n={entry.n})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=[*NAMES, "all", "report"])
    parser.add_argument("--runs", type=int, help="how often; default: 5, where that is not too long")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    asked = parser.parse_args()
    if asked.name != "report":
        names = [name for name in NAMES if name not in APART] if asked.name == "all" else [asked.name]
        with bed() as place, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_measure(place, names, asked.runs, as_json=asked.json))
    if asked.name in {"all", "report"}:
        report.write()


main()
