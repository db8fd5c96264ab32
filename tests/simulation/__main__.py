"""python -m tests.simulation [--seeds N] [--from SEED] [--bug NAME] [--json]: so many histories, on all cores."""

import argparse
import json
import multiprocessing
import os
import sys
import time

from .batch import histories
from .bugs import BUGS

BATCH = 50


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many histories")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument(
        "--bug", choices=[bug.__name__ for bug in BUGS], help="plant this bug: histories that find it are what is hoped for"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args()
    began = time.perf_counter()
    ranges = [range(at, min(at + BATCH, asked.first + asked.seeds)) for at in range(asked.first, asked.first + asked.seeds, BATCH)]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        reports = [report for some in pool.starmap(histories, [(seeds, asked.bug) for seeds in ranges]) for report in some]
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


if __name__ == "__main__":
    sys.exit(main())
