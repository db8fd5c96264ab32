"""Shows how far the demo is: a live bar on a terminal, plain lines elsewhere. Both go to stderr."""

from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_LINES = 10
"""Plain lines for one demo, whatever the number of files."""


class Show(Protocol):
    """What a demo tells while it runs."""

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None: ...
    def step(self, *, done: int, total: int, failed: int) -> None:
        """So many of so many files have come to an end."""
        ...


def show(stream: TextIO) -> Show:
    """The one that suits this stream."""
    return Bar(stream) if stream.isatty() else Lines(stream)


class Bar:
    """A live bar."""

    def __init__(self, stream: TextIO) -> None:
        columns = TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TextColumn("files"), TextColumn("{task.fields[rate]:.0f}/s")
        failures = TextColumn("[red]{task.fields[failed]} failed")
        self._progress = Progress(*columns, TimeElapsedColumn(), failures, console=Console(file=stream))
        self._task = self._progress.add_task("", total=None, rate=0.0, failed=0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self._progress.stop()

    def step(self, *, done: int, total: int, failed: int) -> None:
        """So many of so many files have come to an end."""
        elapsed_s = self._progress.tasks[0].elapsed or 0.0
        rate = done / elapsed_s if elapsed_s else 0.0
        self._progress.update(self._task, completed=done, total=total, rate=rate, failed=failed)


class Lines:
    """A line for each tenth."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self._stream.flush()

    def step(self, *, done: int, total: int, failed: int) -> None:
        """So many of so many files have come to an end."""
        tenth = done * _LINES // total if total else 0
        if tenth > self._told:
            self._told = tenth
            self._stream.write(f"{done} of {total} files, {failed} failed\n")
            self._stream.flush()
