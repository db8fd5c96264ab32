"""`howdah worker`: one node as a process of its own, or several of them."""

import importlib
import socket
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click
import msgspec

from ..errors import ConfigurationError, HowdahError
from ..labels import LabelValue, read, written
from ..policy import check_weight
from ..size import in_bytes
from .durations import LENGTH
from .fleet import Fleet
from .health import ADDRESS, Address
from .lifeline import Lifeline
from .loop import run
from .plain import only_sentence
from .sdk import exposition, metered
from .serving import Duty, Limits, serve, worded
from .target import find_app
from .voice import Voice


def _size(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """A size as people write it: 512MB, 1.5GB, or a number of bytes."""
    if text is None:
        return None
    try:
        return in_bytes(int(text) if text.isdigit() else text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _weighed(_context: click.Context, _option: click.Parameter, words: tuple[str, ...]) -> list[str] | dict[str, float]:
    """Names of queues; with their weights where any has one, and then one without has the weight 1."""
    if not any("=" in word for word in words):
        return list(words)
    weights: dict[str, float] = {}
    for word in words:
        # From the right: what is in front of the last one is a name, whatever it holds.
        name, _, weight = word.rpartition("=") if "=" in word else (word, "=", "1")
        try:
            weights[name] = float(weight)
            check_weight(name, weights[name])
        except (ValueError, ConfigurationError) as error:
            mend = f"a weight is a positive number, as in -q {name or 'mail'}=10; a name that holds a = needs one, as in -q {word}=1"
            raise click.BadParameter(f"{word!r} is no queue with its weight: {mend}") from error
    return weights


def _labelled(_context: click.Context, _option: click.Parameter, words: tuple[str, ...]) -> dict[str, LabelValue]:
    """Labels as they are written: zone=eu, mem_gb=32, or gpu, which is gpu=true."""
    try:
        return read(",".join(words), "--label")
    except ConfigurationError as error:
        raise click.BadParameter(str(error)) from error


def _exported(service: str) -> AbstractContextManager[None]:
    """Around the work of a process that --otel was said to. ConfigurationError: the packages are not there."""
    try:
        # Imported when it is asked for: the SDK comes with an extra, and takes a quarter of a second.
        otel = importlib.import_module("howdah.cli.otel")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise ConfigurationError(f'--otel needs the SDK of OpenTelemetry and its exporter ({error}): pip install "howdah[otel]"') from error
    made: AbstractContextManager[None] = otel.exported(service)
    return made


@click.command()
@click.argument("target", metavar="MODULE[:APP]")
@click.option("-q", "--queue", "queues", multiple=True, metavar="NAME[=WEIGHT]", callback=_weighed,
              help="Serve only this queue; may be given again, or separated by spaces in the variable. Default: all. With weights"
                   " they take turns, as in -q mail=10 -q default=1.")  # fmt: skip
@click.option("--label", "labels", multiple=True, metavar="NAME[=VALUE]", callback=_labelled,
              help="Say this of the node, for runs to require and prefer, as in --label zone=eu --label mem_gb=32 --label gpu; beside"
                   " HOWDAH_LABELS.")  # fmt: skip
@click.option("-c", "--concurrency", type=click.IntRange(1), envvar="HOWDAH_CONCURRENCY", help="Async functions at once.")
@click.option("--processes", type=click.IntRange(1, 256), default=1, metavar="N", show_default=True,
              help="So many nodes, each a process, started anew when it dies.")  # fmt: skip
@click.option("--reload", is_flag=True, help="Drain and start anew when a Python file below the working directory changes.")
@click.option("--grace", type=LENGTH, metavar="DURATION", envvar="HOWDAH_GRACE_S",
              help="What runs at shutdown may take this long to end.")  # fmt: skip
@click.option("--max-runs", type=click.IntRange(1), metavar="N", help="Drain and exit 0 after so many runs, to be started anew.")
@click.option("--max-memory", metavar="SIZE", callback=_size, help="The same when this process holds more memory, as in 1GB.")
@click.option("--health", type=ADDRESS, metavar="[HOST:]PORT",
              help="Answer /live, /ready and /metrics here; with several processes each has its own at the next ports.")  # fmt: skip
@click.option("--otel", is_flag=True, help="Send traces, metrics and logs where the OTEL_* variables say.")
@click.option("--json", "as_json", is_flag=True, help="Say everything, the log included, as one JSON object per line, on stderr.")
@click.option("--log-level", default="info", show_default=True,
              type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False), help="What this process prints.")  # fmt: skip
@click.option("--lifeline", type=int, hidden=True, allow_from_autoenv=False)
def worker(
    target: str,
    queues: list[str] | dict[str, float],
    labels: dict[str, LabelValue],
    concurrency: int | None,
    processes: int,
    grace: float | None,
    max_runs: int | None,
    max_memory: int | None,
    health: Address | None,
    log_level: str,
    lifeline: int | None,
    *,
    reload: bool,
    as_json: bool,
    otel: bool,
) -> None:
    """Run the tasks of an app until Ctrl-C or SIGTERM.

    MODULE is named as in an import, from the working directory; APP may be left out where the module holds a single App.
    The first signal drains: what runs may end. The second cancels it and hands it back. The third exits at once.
    """
    voice = Voice(as_json=as_json, aside=lifeline is not None)
    voice.take_logs(log_level)
    if lifeline is None and (reload or processes > 1):
        settings = {
            "-c": concurrency,
            "--grace": None if grace is None else f"{grace:f}",
            "--max-runs": max_runs,
            "--max-memory": max_memory,
        }
        words = [
            target,
            *(f"-q{word}" for word in worded(queues)),
            *(f"--label={written(name, value)}" for name, value in labels.items()),
            "--log-level",
            log_level,
            *(["--json"] if as_json else []),
            *(["--otel"] if otel else []),
        ]
        words += [f"{word}{'=' if word.startswith('--') else ''}{value}" for word, value in settings.items() if value is not None]
        if not reload:
            voice.say("started", f"{processes} processes of {target}. Ctrl-C drains.", target=target, processes=processes)
        sys.exit(run(Fleet(words, processes, voice, Path.cwd() if reload else None, health).run()))
    try:
        shown = None if health is None else exposition()
        # Around the import of the app: what that module instruments finds its providers.
        service = target.partition(":")[0]
        with _exported(service) if otel else nullcontext(), metered([] if shown is None else [shown.reader], service):
            jobs = find_app(target)
            own = {"concurrency": concurrency, "grace_s": grace, "labels": {**(jobs.config.labels or {}), **labels} or None}
            jobs.config = msgspec.structs.replace(jobs.config, **{name: value for name, value in own.items() if value is not None})
            line = None if lifeline is None else Lifeline(socket.socket(fileno=lifeline))
            run(serve(jobs, Duty(target, queues, Limits(max_runs, max_memory), health, shown), voice, line))
    except (HowdahError, BaseExceptionGroup) as error:
        if not as_json or (text := only_sentence(error)) is None:
            raise
        voice.say("refused", text)
        raise click.exceptions.Exit(1) from error
