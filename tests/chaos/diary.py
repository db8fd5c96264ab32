"""What functions did, as an outside observer has it: lines in a file, which outlive a kill and which nothing rolls back.

    B run lease node attempt us        an attempt began
    E run lease node how us            it ended: r returned, x raised, c was cancelled
    P mark run task created us         an enqueue was acknowledged
    U mark task us                     whether an enqueue took effect is not known
    C run answer us                    what a cancel was answered
    S what seconds us                  a call took longer than it may
    ! what                             something was raised that nobody expects

us: monotonic microseconds, which are the same for all processes of the machine.
"""

import asyncio
import os
import time
from collections.abc import Generator
from contextlib import contextmanager

from howdah import CurrentRun, current_run


def now_us() -> int:
    return time.monotonic_ns() // 1000


class Diary:
    """Appends lines, each with one write: it is in the kernel's hands at once."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def write(self, *words: object) -> None:
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())

    def write_all(self, lines: list[str]) -> None:
        """Many lines, complete with their ends."""
        os.write(self._file, "".join(lines).encode())

    @contextmanager
    def attempt(self) -> Generator[CurrentRun]:
        """Around the body of a task."""
        run = current_run()
        claimed = run.claimed
        self.write("B", claimed.id, claimed.lease, claimed.node, claimed.attempt, now_us())
        how = "x"
        try:
            yield run
            how = "r"
        except asyncio.CancelledError:
            how = "c"
            raise
        finally:
            self.write("E", claimed.id, claimed.lease, claimed.node, how, now_us())
