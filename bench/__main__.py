"""python -m bench NAME [--runs N] [--json]; NAME is one of the benchmarks, `all`, `peers`, or `report`.

`drain --payload BYTES --task-ms MS --queued N` drains runs of another shape, and keeps nothing."""

import argparse
import asyncio
import importlib
import os

import uvloop

from . import report
from .drain import USUAL, Shape, measure_shape
from .measure import Line, commit_now, keep, line, machine_now
from .peers import command as peers
from .server import Bed, bed

NAMES = {
    "floor": 5, "drain": 5, "lane": 5, "latency": 5, "enqueue": 5, "wal": 5, "idle": 5, "memory": 2, "nodes": 5, "history": 5,
    "traced": 10, "keys": 3,
}  # fmt: skip
"""Each benchmark and how often it is run: a million runs twice, and five idle nodes at once."""

APART = {"floor", "history", "traced", "keys"}
"""Not among `all`: the floor is measured in turns with the drain, ten million runs take their time to be made, and tracing is
`drain --otel`; keys take long."""


async def _measure(place: Bed, names: list[str], runs: int | None, *, as_json: bool) -> None:
    commit, machine = commit_now(), machine_now(await place.version())
    for name in names:
        module = importlib.import_module(f"bench.{name}")
        load = round(os.getloadavg()[0], 2)  # What others do on this machine bends even ratios.
        for figure in await module.measure(place, runs or NAMES[name]):
            entry = line(figure._replace(settings={**figure.settings, "load_before": load}), commit, machine)
            keep(entry)
            print(entry.json() if as_json else _readable(entry), flush=True)


async def _measure_shape(place: Bed, shape: Shape, runs: int, *, as_json: bool) -> None:
    commit, machine = commit_now(), machine_now(await place.version())
    for figure in await measure_shape(place, runs, shape):
        entry = line(figure, commit, machine)
        print(entry.json() if as_json else _readable(entry), flush=True)


def _readable(entry: Line) -> str:
    return f"{entry.name:22} {entry.median:>14,.2f} {entry.unit:10} ({entry.min:,.2f} to {entry.max:,.2f}, n={entry.n})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=[*NAMES, "all", "peers", "report"])
    parser.add_argument("--runs", type=int, help="how often; default: 5, where that is not too long")
    parser.add_argument("--otel", action="store_true", help="of drain: what tracing costs it")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    parser.add_argument("--payload", type=int, default=USUAL.payload_bytes, help="of drain: bytes of arguments")
    parser.add_argument("--task-ms", type=float, default=0.0, help="of drain: how long each run waits")
    parser.add_argument("--queued", type=int, default=USUAL.queued, help="of drain: how many runs there are")
    peers.options(parser)
    asked = parser.parse_args()
    if asked.otel:
        asked.name = {"drain": "traced"}.get(asked.name) or parser.error("--otel goes with drain")
    shape = Shape(asked.payload, asked.task_ms / 1000, asked.queued)
    if asked.name == "drain" and shape != USUAL:
        with bed() as place, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_measure_shape(place, shape, asked.runs or NAMES["drain"], as_json=asked.json))
        return
    if asked.name == "peers":
        with bed() as place, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(peers.run(place, asked))
        if asked.into == peers.KEPT:
            peers.draw()
    elif asked.name != "report":
        names = [name for name in NAMES if name not in APART] if asked.name == "all" else [asked.name]
        with bed() as place, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_measure(place, names, asked.runs, as_json=asked.json))
    if asked.name in {"all", "report"} or (asked.name == "peers" and asked.into == peers.KEPT):
        report.write()


main()
