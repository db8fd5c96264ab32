"""Captured logs: what an attempt logs by the standard library is kept with its outcome, up to a named size.

One handler on the root logger finds the attempt by its context, so its child tasks and its threads count. It raises
nothing, and what is logged while it works, it does not hear.
"""

import logging
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol, TypeAlias

from . import codec

_exceptions = logging.Formatter()
_opening = threading.Lock()
_TICKS = 10_000
"""Per second: what a line says of its time is cut to these."""


Line: TypeAlias = tuple[float, str, str, str]
"""One record, as it is stored: seconds since the start of the attempt, level, logger, message. Not a NamedTuple: to make one
takes longer than all else that the capture does with a record."""


class Logbook:
    """The lines of one attempt: the first so many characters of their messages; what is left out is counted."""

    __slots__ = ("_left", "_left_out", "_lines")

    def __init__(self, characters_max: int) -> None:
        self._lines: list[Line] = []
        self._left = characters_max
        self._left_out = 0

    def add(self, seconds: float, level: str, logger: str, message: str) -> None:
        """Keeps a line, shortened if need be, or counts it."""
        size = len(message) + len(logger)
        if self._left <= 0:
            self._left_out += 1
            return
        if size > self._left:
            message = f"{message[: self._left]}... {size - self._left} characters left out"
        self._left -= size
        self._lines.append((seconds, level, logger, message))

    def encoded(self) -> str:
        """The lines as json text that Postgres can store."""
        lines = self._lines
        if self._left_out:
            lines = [*lines, (lines[-1][0], "WARNING", "howdah", f"{self._left_out} later records were left out: see log_max")]
        try:
            return codec.encode(lines)
        except UnicodeEncodeError:
            printable = codec.printable
            return codec.encode([(seconds, level, printable(logger), printable(text)) for seconds, level, logger, text in lines])


class Logged(Protocol):
    """An attempt, as far as it is about its logs."""

    started: float
    ended: bool
    logbook: Logbook | None


class Capture(logging.Handler):
    """Writes records into the logbook of the attempt that made them. `find` says which one that is, if any."""

    def __init__(self, find: Callable[[], Logged | None], level: int, characters_max: int) -> None:
        super().__init__(min(level, logging.WARNING))
        self._find = find
        self._from = level
        self._characters_max = characters_max
        self._here = _Here()

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the lock of a handler: each attempt has a logbook of its own, and a list takes lines from any thread."""
        if not self.filters or self.filter(record):
            self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the record, if an attempt made it."""
        run = self._find()
        if run is not None and record.levelno >= self._from and not run.ended:
            here = self._here
            # What the making of a message logs is not heard: it would come back here for ever.
            if here.busy:
                return
            here.busy = True
            try:
                message = _message(record)
            finally:
                here.busy = False
            passed = int((monotonic() - run.started) * _TICKS) / _TICKS
            (run.logbook or self._open(run)).add(passed, record.levelname, record.name, message)
        last_resort = logging.lastResort
        if last_resort is not None and record.levelno >= last_resort.level:
            _speak_up(self, record, last_resort)

    def _open(self, run: Logged) -> Logbook:
        with _opening:  # Two threads of one attempt may log their first lines at once.
            book = run.logbook = run.logbook or Logbook(self._characters_max)
        return book


class _Here(threading.local):
    busy = False


def _message(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + (record.exc_text or _exceptions.formatException(record.exc_info))
        return text.replace("\0", "\N{SYMBOL FOR NULL}") if "\0" in text else text
    except Exception as error:  # noqa: BLE001 - arguments of a record, and how they look as text, are user code
        return f"<a message of line {record.lineno} of {record.filename} that cannot be made: {type(error).__name__}>"


def _speak_up(handler: Capture, record: logging.LogRecord, last_resort: logging.Handler) -> None:
    """A program that has set up no logging sees warnings all the same, by the handler of last resort: ours is there and
    must not be the one that silences it."""
    others = logging.root.handlers
    if others[:1] != [handler] or not all(isinstance(other, Capture) for other in others):
        return
    logger = logging.getLogger(record.name)
    while logger.parent is not None:
        if logger.handlers:
            return
        logger = logger.parent
    last_resort.handle(record)


@contextmanager
def captured(find: Callable[[], Logged | None], level: str, characters_max: int) -> Generator[None]:
    """Captures while the block runs. characters_max=0: nothing."""
    if not characters_max:
        yield
        return
    handler = Capture(find, logging.getLevelNamesMapping()[level], characters_max)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
