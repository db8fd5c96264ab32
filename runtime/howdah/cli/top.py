"""`howdah top`: what goes on, drawn anew each second. One statement each time, whatever there is."""

import asyncio
import shutil
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import anyio
import click
import msgspec

from ..app import App
from ..errors import DatabaseAway
from ..management.glance import Glance, Paces
from .asking import dsn_option, json_option
from .durations import LENGTH
from .frame import Picture, draw
from .loop import run
from .screen import Screen

ANSWER_S = 3.0
"""A database that has not answered for so long is said to be away; it is asked again."""

ROWS_MAX = 200
"""Rows of each sort in one look, however large the terminal is."""

_PLAIN_LINES = 60
"""A frame that nobody looks at on a terminal."""

_HELP = "q quit  p pause"


@click.command()
@click.option("--interval", type=LENGTH, default="1s", show_default=True, metavar="DURATION", help="From one look to the next.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="With --json: end after so many looks.")
@json_option
@dsn_option
def top(interval: float, count: int | None, dsn: str | None, *, as_json: bool) -> None:
    """Watch queues, rates, nodes and the runs that they hold. On a terminal q quits and p pauses.

    Elsewhere it prints one frame and ends; with --json one object per look, whose first one has no pace yet.
    """
    if interval <= 0:
        raise click.BadParameter("it must be more than 0", param_hint="--interval")
    jobs = App(dsn, pool_size=1, connect_timeout_s=ANSWER_S, command_timeout_s=ANSWER_S)
    if as_json:
        run(_tell(jobs, interval, count))
    elif sys.stdout.isatty():
        run(_watch(jobs, interval))
    else:
        run(_print(jobs, interval))


async def _tell(jobs: App, interval_s: float, count: int | None) -> None:
    paces = Paces()
    async with jobs:
        async for number in _ticks(interval_s):
            seen = await jobs.glance(queues=ROWS_MAX, nodes=ROWS_MAX, runs=ROWS_MAX)
            click.echo(msgspec.json.encode(as_told(seen, paces)))
            if number == count:
                return


def as_told(seen: Glance, paces: Paces) -> dict[str, Any]:
    """One object: the glance, and in each queue its pace per second, null where it was not seen before."""
    followed = paces.follow(seen)
    told: dict[str, Any] = msgspec.to_builtins(seen)
    for queue in (told["total"], *told["queues"]):
        queue["pace"] = msgspec.to_builtins(followed[queue["queue"]])
    return told


async def _print(jobs: App, interval_s: float) -> None:
    """One frame, of two looks: before the second one there is no pace."""
    paces = Paces()
    width = shutil.get_terminal_size((80, 24)).columns
    async with jobs:
        paces.follow(await jobs.glance(queues=ROWS_MAX, nodes=0, runs=0))
        await anyio.sleep(interval_s)
        seen = await jobs.glance(queues=ROWS_MAX, nodes=ROWS_MAX, runs=ROWS_MAX)
        picture = Picture(seen, paces.follow(seen), "")
    for line in draw(picture, width, _PLAIN_LINES, colour=False):
        click.echo(line)


class _Show:
    """What is on the screen, and why."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._paces = Paces()
        self._seen: Picture | None = None
        self._asked_at: float | None = None
        """When it was asked for the first time what has not been answered since."""
        self._refused = False
        self.paused = False

    @property
    def away(self) -> bool:
        """Whether the database does not answer."""
        return self._asked_at is not None and (self._refused or monotonic() - self._asked_at > ANSWER_S)

    def ask(self) -> int:
        """A look begins; returns how many rows of each sort to ask for: more than fit, so that what moves up has been seen before."""
        if self._asked_at is None:
            self._asked_at = monotonic()
        return min(ROWS_MAX, 2 * self._screen.size()[1])

    def see(self, seen: Glance) -> None:
        """It was answered. In a pause what stands there stays."""
        self._asked_at, self._refused = None, False
        if not self.paused:
            self._seen = Picture(seen, self._paces.follow(seen), "")
            self.draw()

    def miss(self) -> None:
        """It was not answered."""
        self._refused = True
        self.draw()

    def draw(self) -> None:
        """Draws what was seen last, as large as the terminal is now."""
        width, lines = self._screen.size()
        status = "paused: p goes on, q quits" if self.paused else _HELP
        if self.away and self._asked_at is not None:
            status = f"Postgres does not answer, for {monotonic() - self._asked_at:.0f} s now; above is what it said last.  {_HELP}"
        if self._seen is None:
            self._screen.show([status[:width]])
        else:
            self._screen.show(draw(self._seen._replace(status=status, troubled=self.away), width, lines, colour=True))


async def _watch(jobs: App, interval_s: float) -> None:
    async with jobs:
        with Screen() as screen:
            show = _Show(screen)
            async with anyio.create_task_group() as group:
                with _listening(screen, show, group.cancel_scope.cancel):
                    group.start_soon(_say_how_long, show, interval_s)
                    async for _ in _ticks(interval_s):
                        if not show.paused:
                            await _look(jobs, show)


async def _look(jobs: App, show: _Show) -> None:
    rows = show.ask()
    try:
        seen = await jobs.glance(queues=rows, nodes=rows, runs=rows)
    except (DatabaseAway, TimeoutError):
        show.miss()
    else:
        show.see(seen)


async def _say_how_long(show: _Show, interval_s: float) -> None:
    """A look that hangs draws nothing: this does, while it does."""
    async for _ in _ticks(interval_s):
        if show.away:
            show.draw()


@contextmanager
def _listening(screen: Screen, show: _Show, leave: Callable[[], None]) -> Generator[None, None, None]:
    """Inside of the block keys and signals are obeyed: those that end the process leave() instead, so that the terminal is restored."""
    loop = asyncio.get_running_loop()

    def press() -> None:
        keys = screen.pressed()
        if not keys or set(keys) & {"q", "Q"}:
            leave()
        if keys.lower().count("p") % 2:
            show.paused = not show.paused
            show.draw()

    def suspend() -> None:
        screen.suspend()
        show.draw()

    obeyed = {signal.SIGTERM: leave, signal.SIGHUP: leave, signal.SIGWINCH: show.draw, signal.SIGTSTP: suspend}
    for number, what in obeyed.items():
        loop.add_signal_handler(number, what)
    if screen.keys is not None:
        loop.add_reader(screen.keys, press)
    try:
        yield
    finally:
        if screen.keys is not None:
            loop.remove_reader(screen.keys)
        for number in obeyed:
            loop.remove_signal_handler(number)


async def _ticks(interval_s: float) -> AsyncGenerator[int, None]:
    """1, 2, 3..., each as long after the one before; one that took longer is followed at once, and none is caught up with."""
    number = 0
    while True:
        began = monotonic()
        number += 1
        yield number
        await anyio.sleep(max(0.0, began + interval_s - monotonic()))
