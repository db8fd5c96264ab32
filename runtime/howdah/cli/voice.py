"""What a worker says: lines for people, or one JSON object per line for programs, its log included. All of it goes to stderr: stdout
belongs to the tasks.
"""

import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import click
import msgspec

from ..records import FIELDS, RunFilter
from .plain import plain

_CLEAR = "\r\x1b[2K"
"""Back to the beginning of the line, and empty it."""

_ASIDE = ("started", "draining", "countdown", "stopped")
"""What one process of several leaves to the one that looks after them."""


class Voice:
    """Speaks for this process, from any thread. aside: one of several processes, whose supervisor speaks to people."""

    def __init__(self, *, as_json: bool, aside: bool = False) -> None:
        self.as_json = as_json
        self.aside = aside and not as_json
        self.live = sys.stderr.isatty() and not (as_json or aside)
        """Whether somebody watches: then a countdown is one line that changes."""
        self._lock = threading.RLock()
        self._shown = False

    def say(self, event: str, text: str, **facts: object) -> None:
        """Something that happened. text is for people; facts for programs, which get the text as well."""
        if self.as_json:
            self.write(_json({"at": datetime.now(UTC), "event": event, "pid": os.getpid(), **facts, "text": text}))
        elif not (self.aside and event in _ASIDE):
            self.write("\n".join(map(plain, text.splitlines())))

    def count_down(self, text: str, **facts: object) -> None:
        """How far a drain is: a line that the next one replaces, where somebody watches; an event for programs; else nothing."""
        if self.as_json:
            self.say("countdown", text, **facts)
        elif self.live:
            with self._lock:
                click.echo(f"{_CLEAR}{plain(text)}", err=True, nl=False, color=True)
                self._shown = True

    def take_logs(self, level: str) -> None:
        """From now on what is logged in this process is said here."""
        pid = "[%(process)d] " if self.aside else ""
        handler = logging.StreamHandler(_Stream(self.write))
        handler.setFormatter(_AsJson() if self.as_json else logging.Formatter(f"%(asctime)s %(levelname)s {pid}%(name)s: %(message)s"))
        handler.addFilter(RunFilter())
        logging.basicConfig(level=level.upper(), handlers=[handler])

    def write(self, line: str) -> None:
        """A line as it is, in place of a countdown that stands there."""
        with self._lock:
            click.echo(f"{_CLEAR if self._shown else ''}{line}", err=True, color=True if self._shown else None)
            self._shown = False


class _AsJson(logging.Formatter):
    """A log record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """As logging calls it."""
        said = {"level": record.levelname, "logger": record.name, "message": record.getMessage()}
        said |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        at = datetime.fromtimestamp(record.created, UTC)
        return _json({"at": at, "event": "log", "pid": record.process, **said})


def _json(said: dict[str, object]) -> str:
    """One line of JSON, whatever is in it: what tasks log is not ours, and a line that cannot be written is a line that is lost."""
    try:
        return msgspec.json.encode(said, enc_hook=str).decode()
    except UnicodeEncodeError:  # Half of a pair of surrogates, as in the name of a file that is no UTF-8: json has an escape for it.
        return json.dumps(said, default=str)


class _Stream:
    """Where log records go: as a stream, since logging's own handler knows what to do with a record that cannot be formatted."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def write(self, text: str) -> None:
        """A record with its end of line."""
        self._write(text.removesuffix("\n"))

    def flush(self) -> None:
        """Each line was written at once."""
