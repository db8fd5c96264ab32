"""`howdah dev`: everything that a program needs while it is being written, in one command."""

import os
import sys
from pathlib import Path

import click

from .database import borrow, bring_up_to_date
from .fleet import Fleet
from .loop import run
from .voice import Voice


@click.command()
@click.argument("target", metavar="MODULE[:APP]")
@click.option("--processes", type=click.IntRange(1, 256), default=1, metavar="N", show_default=True, help="So many nodes.")
@click.option("--log-level", default="info", show_default=True,
              type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False), help="What the worker prints.")  # fmt: skip
@click.option("--dsn", envvar="HOWDAH_DSN", help="The database; an embedded Postgres where there is none.")
def dev(target: str, processes: int, log_level: str, dsn: str | None) -> None:
    """Run the tasks of an app while it is being written: a Postgres, its schema, and a worker that starts anew at each change.

    Without HOWDAH_DSN this is the embedded Postgres, which keeps its data for the next time; it is migrated in any case.
    """
    voice = Voice(as_json=False)
    voice.take_logs(log_level)
    server = borrow() if dsn is None else None
    try:
        address = dsn if server is None else server.dsn()
        assert address is not None, "one of the two has it"
        applied = run(bring_up_to_date(address))
        if applied.names:
            voice.say("migrated", f"Applied {', '.join(applied.names)}.")
        if server is not None:
            voice.say("address", f"In other terminals: export HOWDAH_DSN='{address}'")
        os.environ["HOWDAH_DSN"] = address  # For the workers.
        code = run(Fleet([target, "--log-level", log_level], processes, voice, Path.cwd()).run())
    finally:
        if server is not None:
            server.release()
    sys.exit(code)
