"""Owns the terminal while something is drawn on it: whatever ends the block, the terminal is as it was.

It is in cbreak mode, so that keys come at once, unechoed, and Ctrl-C stays a signal; and on the alternate screen, so that what stood
there comes back.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from ..errors import ConfigurationError

try:
    import termios
    import tty
except ImportError:  # Windows has other terminals.
    termios = tty = None

_BEGIN = "\x1b[?1049h\x1b[?25l"
"""The alternate screen, without a cursor."""

_END = "\x1b[?25h\x1b[?1049l"

_HOME, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"

_KEYS_MAX = 1024


class Screen:
    """The terminal behind stdout, and the keys of stdin where that is one, too. ConfigurationError: it is one of Windows."""

    def __init__(self) -> None:
        if termios is None:
            raise ConfigurationError("terminals of Windows are not drawn on: print one frame with `howdah top | more`, or use --json")
        self._out = sys.stdout.fileno()
        self._keys = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._before: list[int | list[bytes | int]] | None = None

    @property
    def keys(self) -> int | None:
        """What is to be watched for keys; None: nobody can press one."""
        return self._keys

    def __enter__(self) -> Self:
        if self._keys is not None and termios is not None and tty is not None:
            self._before = termios.tcgetattr(self._keys)
            tty.setcbreak(self._keys, termios.TCSANOW)
        self._write(_BEGIN)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._write(_END)
        if self._keys is not None and self._before is not None and termios is not None:
            with contextlib.suppress(termios.error):  # The terminal is gone: there is nothing to be restored.
                termios.tcsetattr(self._keys, termios.TCSANOW, self._before)

    def suspend(self) -> None:
        """Ctrl-Z: gives the terminal back, stops, and takes it again when the process goes on."""
        self.__exit__(None, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        self.__enter__()

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        with contextlib.suppress(OSError):
            found = os.get_terminal_size(self._out)
            if found.columns and found.lines:
                return found.columns, found.lines
        return 80, 24

    def pressed(self) -> str:
        """The keys that were pressed; empty: there is nobody any more."""
        assert self._keys is not None
        try:
            return os.read(self._keys, _KEYS_MAX).decode(errors="replace")
        except OSError:
            return ""

    def show(self, lines: Sequence[str]) -> None:
        """Draws these lines, at most as many as there are, and nothing else."""
        self._write(_HOME + "\r\n".join(f"{line}{_REST_OF_LINE}" for line in lines) + _REST_OF_SCREEN)

    def _write(self, text: str) -> None:
        left = text.encode()
        with contextlib.suppress(OSError):  # The terminal is gone, and the signal that says so is on its way.
            while left:
                left = left[os.write(self._out, left) :]
