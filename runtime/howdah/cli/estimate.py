"""`howdah estimate`: what a server and some nodes will hold, measured."""

import signal
import sys

import anyio
import click
import msgspec

from ..config import configure
from ..estimate.measuring import SECONDS, Estimate, Level
from ..estimate.measuring import estimate as measure
from ..estimate.shape import Shape
from ..estimate.verdict import MENDS
from .asking import json_option
from .database import borrow
from .loop import INTERRUPTED, run, signals

_WORDS = {
    "python": "Python", "postgres": "Postgres", "commits": "commits", "slots": "slots", "connections": "connections", "network": "network",
}  # fmt: skip


@click.command()
@click.option("--payload", type=click.IntRange(11, 16_000_000), default=100, show_default=True, metavar="BYTES", help="Arguments of a run.")
@click.option("--task-ms", type=click.FloatRange(0), default=0.0, show_default=True, metavar="MS", help="What a run waits for elsewhere.")
@click.option("--transaction", is_flag=True, help="It does so in transaction(), on a connection of the pool.")
@click.option("--nodes", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N", help="So many nodes, each a process here.")
@click.option("--seconds", type=click.FloatRange(3), default=SECONDS, show_default=True, metavar="S", help="How long to measure.")
@click.option(
    "--dsn", envvar="HOWDAH_DSN", help="The server; an embedded Postgres where there is none. It is measured in a database of its own."
)
@json_option
def estimate(payload: int, task_ms: float, nodes: int, seconds: float, dsn: str | None, *, transaction: bool, as_json: bool) -> None:
    """Measure how many runs this server and some nodes will hold, and what limits them first.

    Real nodes, with the settings in force here (HOWDAH_CONCURRENCY and so on), work on a task of this shape in a scratch database:
    first as fast as they can, then at half of that while it is enqueued. The database is dropped on every way out. The role must be
    allowed to create one. It loads the server: not beside what must not wait.
    """
    shape = Shape(payload, task_ms / 1000, transaction)
    server = borrow() if dsn is None else None
    try:
        told = run(_measured(dsn if server is None else server.dsn(), shape, nodes, seconds))
    finally:
        if server is not None:
            server.release()
    if told is None:
        sys.exit(INTERRUPTED)
    click.echo(msgspec.json.encode(told) if as_json else "\n".join(_lines(told)))


async def _measured(dsn: str | None, shape: Shape, nodes: int, seconds: float) -> Estimate | None:
    """None: a signal came first."""
    with anyio.CancelScope() as scope:

        def leave(_number: signal.Signals | None = None) -> None:
            scope.cancel()

        with signals(leave, leave):
            return await measure(configure({"dsn": dsn}), shape, nodes=nodes, seconds=seconds)
    return None


def _lines(told: Estimate) -> list[str]:
    full, half = told.full, told.half
    shape = f"{told.shape.payload_bytes:,} bytes, {told.shape.task_s * 1000:g} ms{' in transaction()' if told.shape.transaction else ''}"
    by = f"{told.nodes} node{'s' if told.nodes > 1 else ''}, each with {told.slots} slots and {told.connections} connections"
    wanted = told.per_s / 2
    short = (
        f" (of {wanted:,.0f}: one process enqueues no faster)"
        if half.offered_per_s is not None and half.offered_per_s < 0.9 * wanted
        else ""
    )
    kept = "" if not half.left else f", and {half.left:,} runs were left behind"
    shares = sorted(told.shares.items(), key=lambda one: -one[1])
    return [
        f"Runs of {shape}; {by}.",
        "",
        f"  holds         {told.per_s:,.0f} runs/s ({full.runs:,} in {full.took_s:.1f} s)",
        f"  CPU           {_cpu(full)} for each run",
        f"  WAL           {half.wal_bytes:,.0f} bytes for each run, from enqueue to end",
        f"  at half       {half.offered_per_s:,.0f} runs/s enqueued meanwhile{short}: {_waits(half)}{kept}",
        f"  how full      {', '.join(f'{_WORDS[name]} {share:.0%}' for name, share in shares)}",
        f"  first         {_WORDS[told.first]}: {MENDS[told.first]}",
    ]


def _cpu(level: Level) -> str:
    postgres = "Postgres not seen from here" if level.postgres_us is None else f"{level.postgres_us:,.1f} us of Postgres"
    return f"{level.python_us:,.1f} us of Python, {postgres}"


def _waits(level: Level) -> str:
    if level.wait_p50_s is None or level.wait_p99_s is None:
        return "none of them started"
    return f"they start after {level.wait_p50_s * 1000:.1f} ms (p50), {level.wait_p99_s * 1000:.1f} ms (p99)"
