"""`howdah worker`: one node as a process of its own."""

import importlib.metadata
import logging
import os
import platform
import signal
import sys
from collections.abc import Sequence
from typing import NamedTuple

import anyio
import click
import msgspec

from ..app import App
from ..db.files import query
from ..db.pool import Pool
from ..duration import seconds
from ..node import Node
from ..process.memory import resident
from ..size import in_bytes, said
from .loop import run, signals
from .target import find_app

_SHOWN_MAX = 8
"""Tasks named in the banner; the others are counted."""
_LOOK_S = 0.25
"""How often --max-runs and --max-memory are looked at."""
_COUNTDOWN_S = 1.0
"""How often a drain on a terminal says what it waits for."""


def _length(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """A duration as people write it: 30, 30s, 1m30s."""
    if text is None:
        return None
    try:
        return seconds(float(text) if text.replace(".", "", 1).isdigit() else text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _size(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """A size as people write it: 512MB, 1.5GB, or a number of bytes."""
    if text is None:
        return None
    try:
        return in_bytes(int(text) if text.isdigit() else text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


class _Limits(NamedTuple):
    """When a worker is to be started anew: after so many runs, at so many bytes."""

    runs: int | None
    memory: int | None


@click.command()
@click.argument("target", metavar="MODULE[:APP]")
@click.option("-q", "--queue", "queues", multiple=True, metavar="NAME", envvar="HOWDAH_WORKER_QUEUE",
              help="Serve only this queue; may be given again. Default: all. [env: HOWDAH_WORKER_QUEUE, separated by spaces]")  # fmt: skip
@click.option("-c", "--concurrency", type=click.IntRange(1), envvar="HOWDAH_CONCURRENCY",
              help="Async functions at once. [env: HOWDAH_CONCURRENCY]")  # fmt: skip
@click.option("--grace", metavar="DURATION", callback=_length, envvar="HOWDAH_GRACE_S",
              help="What runs at shutdown may take this long to end. [env: HOWDAH_GRACE_S]")  # fmt: skip
@click.option("--max-runs", type=click.IntRange(1), envvar="HOWDAH_WORKER_MAX_RUNS", metavar="N",
              help="Drain and exit 0 after so many runs, to be started anew. [env: HOWDAH_WORKER_MAX_RUNS]")  # fmt: skip
@click.option("--max-memory", metavar="SIZE", callback=_size, envvar="HOWDAH_WORKER_MAX_MEMORY",
              help="The same when this process holds more memory, as in 1GB. [env: HOWDAH_WORKER_MAX_MEMORY]")  # fmt: skip
@click.option("--log-level", default="info", envvar="HOWDAH_WORKER_LOG_LEVEL", show_default=True,
              type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
              help="What this process prints. [env: HOWDAH_WORKER_LOG_LEVEL]")  # fmt: skip
def worker(
    target: str,
    queues: tuple[str, ...],
    concurrency: int | None,
    grace: float | None,
    max_runs: int | None,
    max_memory: int | None,
    log_level: str,
) -> None:
    """Run the tasks of an app until Ctrl-C or SIGTERM.

    MODULE is named as in an import, from the working directory; APP may be left out where the module holds a single App.
    The first signal drains: what runs may end. The second cancels it and hands it back. The third exits at once.
    """
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    jobs = find_app(target)
    words = {"concurrency": concurrency, "grace_s": grace}
    jobs.config = msgspec.structs.replace(jobs.config, **{name: value for name, value in words.items() if value is not None})
    run(_work(jobs, target, queues, _Limits(max_runs, max_memory)))


async def _work(jobs: App, target: str, queues: Sequence[str], limits: _Limits) -> None:
    stopping = anyio.Event()
    nodes: list[Node] = []

    def drain(_number: signal.Signals) -> None:
        stopping.set()
        for node in nodes:
            node.stop()

    def hurry() -> None:
        for node in nodes:
            _say(f"Hurrying: {_count(len(node.running), 'run')} cancelled and handed back; once more exits at once.")
            node.hurry()

    # From before the node starts: its first run may be under way before it says that it has started.
    with signals(drain, hurry):
        async with jobs.work(queues=queues or None) as node:
            nodes.append(node)
            if stopping.is_set():
                node.stop()
            await _greet(jobs, target, queues)
            async with anyio.create_task_group() as group:
                group.start_soon(_tell, node, stopping, jobs.config.grace_s)
                group.start_soon(_recycle, node, stopping, limits)
                await node.stopped.wait()
                group.cancel_scope.cancel()
    _say("Stopped; every outcome is durable.")


async def _greet(jobs: App, target: str, queues: Sequence[str]) -> None:
    config = jobs.config
    names = [definition.name for definition in jobs.registry]
    more = f" and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else ""
    version = importlib.metadata.version("howdah")
    _say(f"howdah {version}, Python {platform.python_version()}, {await _place(jobs.client.pool)}")
    _say(f"  {target}: {', '.join(names[:_SHOWN_MAX])}{more}")
    isolated = f", {config.processes} in processes" if any(definition.isolation for definition in jobs.registry) else ""
    _say(f"  queues: {', '.join(queues) or 'all'}; at once: {config.concurrency} async, {config.threads} in threads{isolated}")
    if not jobs.client.config.hears:
        _say(f"  behind a pooler and without HOWDAH_DIRECT_DSN: it asks each {jobs.client.config.poll_s:g} s instead of listening")
    _say("Ready. Ctrl-C drains.")


async def _place(pool: Pool) -> str:
    """Which Postgres it is, without its password."""
    async with pool.ours() as connection:
        version = connection.get_server_version()
        database = await connection.fetchval(query("database"))
    return f"Postgres {version.major}.{version.minor}, database {database}"


async def _tell(node: Node, stopping: anyio.Event, grace_s: float) -> None:
    """Says what the drain waits for: once, and on a terminal again each second."""
    await stopping.wait()
    ends = anyio.current_time() + grace_s
    if node.running:
        _say(f"Draining: {_count(len(node.running), 'run')} may end within {grace_s:g} s; Ctrl-C again cancels and hands back.")
    while sys.stderr.isatty():
        await anyio.sleep(_COUNTDOWN_S)
        _say(f"  {_count(len(node.running), 'run')} to end, {max(0.0, ends - anyio.current_time()):.0f} s left")


async def _recycle(node: Node, stopping: anyio.Event, limits: _Limits) -> None:
    """Drains when a limit is reached. Runs that end while it drains are more than the limit."""
    while not stopping.is_set() and limits != (None, None):
        await anyio.sleep(_LOOK_S)
        why = None
        if limits.runs is not None and node.ended >= limits.runs:
            why = f"{_count(node.ended, 'run')} ended here (--max-runs {limits.runs})"
        elif limits.memory is not None and (held := (await resident([os.getpid()])).get(os.getpid(), 0)) > limits.memory:
            why = f"this process holds {said(held)} (--max-memory {said(limits.memory)})"
        if why is not None and not stopping.is_set():
            _say(f"To be started anew: {why}.")
            stopping.set()
            node.stop()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _say(line: str) -> None:
    click.echo(line, err=True)
