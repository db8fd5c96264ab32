"""python -m tests.chaos.skewed SECONDS MODULE: runs a module in a process whose wall clock is wrong by so many seconds.

What asks time.time() sees it. Monotonic time is not touched, as no wrong clock touches it; the type datetime.datetime cannot be
changed, and the package asks it for no time.
"""

import runpy
import sys
import time


def shift(by_s: float) -> None:
    """Moves time.time() and time.time_ns() for whoever asks from now on."""
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() + by_s
    time.time_ns = lambda: real_ns() + int(by_s * 1e9)


if __name__ == "__main__":
    shift(float(sys.argv.pop(1)))
    runpy.run_module(sys.argv.pop(1), run_name="__main__")
