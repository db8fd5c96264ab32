"""python -m tests.simulation [--seeds N] [--from SEED] [--bug NAME | --bugs] [--json]: so many histories, on all cores."""

import argparse
import json
import multiprocessing
import os
import sys
import time
from multiprocessing.pool import Pool

from .batch import histories
from .bugs import BUGS
from .world import Report

BATCH = 50


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many histories")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument(
        "--bug", choices=[bug.__name__ for bug in BUGS], help="plant this bug: histories that find it are what is hoped for"
    )
    parser.add_argument("--bugs", action="store_true", help="plant each bug in turn, and say in how many of the histories it is found")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args()
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        if asked.bugs:
            return _list_bugs(pool, range(asked.first, asked.first + asked.seeds), as_json=asked.json)
        return _check(pool, asked)


def _play(pool: Pool, seeds: range, bug: str | None) -> list[Report]:
    ranges = [seeds[at : at + BATCH] for at in range(0, len(seeds), BATCH)]
    return [report for some in pool.starmap(histories, [(part, bug) for part in ranges]) for report in some]


def _check(pool: Pool, asked: argparse.Namespace) -> int:
    began = time.perf_counter()
    reports = _play(pool, range(asked.first, asked.first + asked.seeds), asked.bug)
    took_s = time.perf_counter() - began
    bad = [report for report in reports if report.violations]
    figures = {
        "seeds": len(reports),
        "first": asked.first,
        "bug": asked.bug,
        "runs": sum(report.runs for report in reports),
        "events": sum(report.events for report in reports),
        "seeds_per_minute": round(len(reports) / took_s * 60),
        "violating_seeds": len(bad),
    }
    if asked.json:
        print(json.dumps(figures | {"violations": {report.seed: report.violations for report in bad[:20]}}))
    else:
        for report in bad[:20]:
            print(f"seed {report.seed}: {'; '.join(report.violations[:3])}")
        print(", ".join(f"{name} {value}" for name, value in figures.items() if value is not None))
    return 1 if bad and asked.bug is None else 0


def _list_bugs(pool: Pool, seeds: range, *, as_json: bool) -> int:
    """In how many seeds each planted bug is found, and by which first. 1: there is one that is not."""
    found: dict[str, list[int]] = {}
    for bug in BUGS:
        name = bug.__name__
        found[name] = [report.seed for report in _play(pool, seeds, name) if report.violations]
        if not as_json:
            first = f", first by {found[name][0]}" if found[name] else ""
            print(f"{len(found[name]):6} of {len(seeds)} seeds{first}: {name}", flush=True)
    if as_json:
        bugs = [{"bug": name, "found_in": len(by), "first": by[0] if by else None} for name, by in found.items()]
        print(json.dumps({"seeds": len(seeds), "from": seeds.start, "bugs": bugs}))
    return 0 if all(found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
