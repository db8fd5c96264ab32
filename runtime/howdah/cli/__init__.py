"""The command line: a thin reader of what the library does. Each command is a file of its own, imported when it is asked for.

Exit codes: 0 done, 1 it could not be done (one red sentence says why), 2 wrong usage, 130 Ctrl-C. Every option has a
variable HOWDAH_<COMMAND>_<OPTION>; where an option is a setting of App, the setting's own variable.
"""

import importlib
import os

import click

from ..errors import HowdahError
from .plain import plain

_COMMANDS = {
    "db": "Run and look after the embedded Postgres.",
    "demo": "Carry every source file of a folder through the queue, and search it.",
    "grant": "Let a role run nodes, enqueue, or read, and nothing else.",
    "migrate": "Bring the database to the schema of this release.",
    "nodes": "List the nodes.",
    "queues": "List queues, and set how long each keeps its history.",
    "runs": "List runs, show one with its tree, retry or cancel many.",
    "settings": "List the settings and what is in force here.",
    "tasks": "List the tasks, and what waits for somebody to implement it.",
    "todo": "List what waits for a human: tasks that nobody implements, and runs that went wrong.",
    "worker": "Run the tasks of an app until Ctrl-C or SIGTERM.",
}


class _Commands(click.Group):
    """Finds a command in the file of its name, and turns what we raise on purpose into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the signature is click's
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(f"{__name__}.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the signature is click's
        # From the table: click's own would import every command to ask it for its first line.
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(130) from None
        except Exception as error:
            said = _only_sentence(error)
            if said is None:
                raise
            raise _Refusal(said) from error


class _Refusal(click.ClickException):
    """One red line on stderr, exit code 1."""

    def show(self, file: object = None) -> None:  # noqa: ARG002 - the signature is click's
        said = "\n".join(map(plain, self.message.splitlines()))
        click.secho(f"howdah: {said}", fg="red", err=True, color=False if os.environ.get("NO_COLOR") else None)


def _only_sentence(error: BaseException) -> str | None:
    """What is to be said of an error that we raised on purpose; None for a bug, which deserves its traceback."""
    if isinstance(error, BaseExceptionGroup):  # The task group of a node wraps what ends it.
        inside: tuple[BaseException, ...] = error.exceptions  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - not narrowed
        texts = {_only_sentence(inner) for inner in inside}
        return texts.pop() if len(texts) == 1 else None
    return str(error) if isinstance(error, HowdahError) else None


@click.command(cls=_Commands, context_settings={"auto_envvar_prefix": "HOWDAH", "help_option_names": ["-h", "--help"]})
@click.version_option(package_name="howdah", message="howdah %(version)s")
def main() -> None:
    """Howdah runs your Python functions durably on the Postgres you already have."""
