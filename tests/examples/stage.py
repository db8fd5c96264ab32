"""What the examples of deployment need of a test: a wheel in an environment of its own, and an account that is not root."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE_S = 60.0
STRANGER = 10001
"""The account that the examples run as, where the suite runs as root."""


class Service:
    """A program as a supervisor starts it: an environment of its own, a working directory, and no root."""

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], said: Path) -> None:
        self._said = said
        account = {"user": STRANGER, "group": STRANGER, "extra_groups": []} if os.geteuid() == 0 else {}
        with said.open("w") as log:
            self._process = subprocess.Popen(command, cwd=cwd, env=dict(env), stdout=log, stderr=log, **account)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType, reportUnknownMemberType]

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def tells(self, word: str) -> None:
        """Waits until it has said this."""
        until = time.monotonic() + PATIENCE_S
        while word not in self._said.read_text():
            assert self._process.poll() is None, self._said.read_text()
            assert time.monotonic() < until, f"{word!r} was not said, but {self._said.read_text()}"
            time.sleep(0.01)

    def stop(self, number: signal.Signals, within_s: float) -> int:
        """Sends the signal to the main process alone, as KillMode=mixed and containers do; its exit code."""
        self._process.send_signal(number)
        return int(self._process.wait(within_s))

    def kill(self) -> None:
        """Ends it if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def interpreter() -> Path | None:
    """A Python of 3.11 or newer that the other account may start; the suite's own where that will do."""
    for candidate in (
        Path(sys.executable).resolve(),
        *Path("/usr/bin").glob("python3.1[1-9]"),
        *Path("/usr/local/bin").glob("python3.1[1-9]"),
    ):
        way = [candidate, *candidate.resolve().parents]
        if os.geteuid() != 0 or all(step.stat().st_mode & 0o001 for step in way):
            return candidate
    return None


def open_to_all(path: Path) -> None:
    """Lets another account reach this file or folder: pytest's folders are closed to others."""
    for above in path.parents:
        if "pytest-of" in str(above):
            above.chmod(above.stat().st_mode | 0o055)
    for inside in [path, *(path.rglob("*") if path.is_dir() else [])]:
        if not inside.is_symlink():
            mode = inside.stat().st_mode
            inside.chmod(mode | (0o055 if mode & 0o100 else 0o044))
