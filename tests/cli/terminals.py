"""`howdah` on a terminal of its own, as a person has it: keys reach the processes in the foreground."""

import asyncio
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from .programs import PATIENCE_S, environment

CTRL_C = b"\x03"

_BEGIN = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "howdah", *sys.argv[1:]])
"""


class Terminal:
    """A command under way, and what stands on its screen."""

    def __init__(self, process: "subprocess.Popen[bytes]", master: int) -> None:
        self._process = process
        self._master = master
        self._more = asyncio.Event()
        self.screen = ""
        self._read_to = 0
        asyncio.get_running_loop().add_reader(master, self._read)

    def _read(self) -> None:
        try:
            heard = os.read(self._master, 65536)
        except OSError:  # The last process that had it open is gone.
            heard = b""
        if not heard:
            asyncio.get_running_loop().remove_reader(self._master)
        self.screen += heard.decode(errors="replace")
        self._more.set()

    async def shows(self, words: str) -> None:
        """Returns when these words appear, behind those that were waited for before."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (at := self.screen.find(words, self._read_to)) < 0:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"{words!r} is not shown, but {self.screen[self._read_to :]!r}") from None
        self._read_to = at + len(words)

    def modes(self) -> list[int | list[bytes | int]]:
        """How the terminal is set: both of its ends are one."""
        return termios.tcgetattr(self._master)

    def resize(self, columns: int, lines: int) -> None:
        """The window has another size from now on."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    async def insist(self, keys: bytes) -> int:
        """Presses them until the process ends: signals of one number that are pending at once count as one."""
        async with asyncio.timeout(PATIENCE_S):
            while self._process.poll() is None:
                self.press(keys)
                await asyncio.sleep(0.05)
        return self._process.returncode

    async def end(self) -> int:
        """Its exit code."""
        async with asyncio.timeout(PATIENCE_S):
            while self._process.poll() is None:
                await asyncio.sleep(0.01)
        return self._process.returncode

    def close(self) -> None:
        with suppress(ValueError, OSError):
            asyncio.get_running_loop().remove_reader(self._master)
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._master)


@asynccontextmanager
async def on_terminal(*words: str, cwd: Path, size: tuple[int, int] = (80, 24), **said: str) -> AsyncGenerator[Terminal]:
    """Starts a command on a terminal of so many columns and lines; at the end of the block it is killed if it still runs."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _BEGIN, *words], cwd=cwd, env=environment(said), stdin=slave, stdout=slave, stderr=slave
        )
    finally:
        os.close(slave)
    terminal = Terminal(process, master)
    try:
        yield terminal
    finally:
        terminal.close()
