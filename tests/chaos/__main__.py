"""python -m tests.chaos [--seed N] [--minutes M] [--rate R] [--only KIND,KIND] [--limits [wide]] [--json]:
one storm, and what it did not break."""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec
import uvloop

from .faults import FAULTS
from .world import Report, Storm, World


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long things go wrong")
    parser.add_argument("--rate", type=float, default=600.0, help="runs enqueued in a second")
    parser.add_argument("--every", type=float, default=2.5, help="seconds between two faults, on average")
    parser.add_argument("--only", default=",".join(FAULTS), help="kinds of faults: %(default)s")
    parser.add_argument(
        "--limits",
        nargs="?",
        const="all",
        choices=("all", "wide"),
        help="most runs are under limits and rates; wide: under plain ones",
    )
    parser.add_argument("--keep", action="store_true", help="keep logs and diaries, and say where")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args()
    kinds = tuple(asked.only.split(","))
    if unknown := set(kinds) - set(FAULTS):
        parser.error(f"there is no such fault: {', '.join(sorted(unknown))}")
    folder = Path(tempfile.mkdtemp(prefix="howdah-chaos-"))
    os.chmod(folder, 0o755)  # noqa: PTH101 - root's server runs as another account
    storm = Storm(asked.seed, asked.minutes * 60, asked.rate, kinds, asked.every, limits=asked.limits)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            report = runner.run(World(storm, folder).live())
    finally:
        if asked.keep:
            print(f"kept in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(msgspec.json.encode(report).decode() if asked.json else told(report))
    return 1 if report.violations else 0


def told(report: Report) -> str:
    """For people. A failure tells its seed and the histories of its runs."""
    lines = [
        (
            f"seed {report.seed}: {report.runs} runs ({report.runs_per_s:g}/s), {report.events} events, {report.attempts} attempts,"
            f" {report.stale} outcomes refused, {report.unknown} enqueues of unknown fate, settled in {report.settled_s:g} s"
        ),
        f"faults: {', '.join(f'{kind} {count}' for kind, count in report.faults.items())}",
        f"not made: {report.skipped}" if report.skipped else "",
        f"processes: {', '.join(f'{why} {count}' for why, count in report.deaths.items())}",
        f"under limits: {report.permits} permits, {report.zombies} attempts that went on when their node was off the list",
        f"ends: {', '.join(f'{end} {count}' for end, count in report.ends.items())}",
        f"takeovers, first run again after the kill: {', '.join(_takeover(one) for one in report.takeovers)}",
        f"violations: {report.violations} {report.by_check or ''}",
    ]
    lines += [f"  {one.check}: run {one.run}: {one.said}" for one in report.first]
    for run, history in report.histories.items():
        lines += [f"history of run {run} (seed {report.seed}):", *(f"  {line}" for line in history)]
    return "\n".join(filter(None, lines))


def _takeover(one: object) -> str:
    return " ".join(f"{name}={value}" for name, value in msgspec.to_builtins(one).items() if name not in ("number", "process"))


if __name__ == "__main__":
    sys.exit(main())
