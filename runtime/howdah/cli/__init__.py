"""The command line: a thin reader of what the library does. Each command is a file of its own, imported when it is asked for.

Exit codes: 0 done, 1 it could not be done (one red sentence says why), 2 wrong usage, 130 Ctrl-C. Every option has a
variable HOWDAH_<COMMAND>_<OPTION>, which --help names; where an option is a setting of App, the setting's own variable.
"""

import importlib

import click

from .plain import Refusal, only_sentence

_COMMANDS = {
    "db": "Run and look after the embedded Postgres.",
    "demo": "Carry every source file of a folder through the queue, and search it.",
    "dev": "Run a program while it is being written: a Postgres, its schema, and a worker that starts anew at each change.",
    "doctor": "Look for what is wrong with the server, the way to it, the tables and the nodes, each with its mend.",
    "enqueue": "Enqueue one run of a task by its name, and wait for its end if asked to.",
    "estimate": "Measure how many runs this server and some nodes will hold, and what limits them first.",
    "grant": "Let a role run nodes, enqueue, or read, and nothing else.",
    "limits": "List limits; set, override, pause and resume one in a running system.",
    "migrate": "Bring the database to the schema of this release.",
    "nodes": "List the nodes; tell one to pause, resume or drain.",
    "queues": "List queues, pause and resume one, and set how long each keeps its history.",
    "runs": "List runs, show one with its tree, retry or cancel many.",
    "settings": "List the settings and what is in force here.",
    "tasks": "List the tasks, and what waits for somebody to implement it; pause and resume one.",
    "todo": "List what waits for a human: tasks that nobody implements, and runs that went wrong.",
    "top": "Watch queues, rates, nodes and running runs, live.",
    "worker": "Run the tasks of an app until Ctrl-C or SIGTERM.",
}

_POSIX = ("fcntl", "pwd")
"""Modules of the embedded Postgres that Python does not have on Windows."""


class _Commands(click.Group):
    """Finds a command in the file of its name, and turns what we raise on purpose into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the signature is click's
        if cmd_name not in _COMMANDS:
            return None
        try:
            command = getattr(importlib.import_module(f"{__name__}.{cmd_name}"), cmd_name)
        except ModuleNotFoundError as error:
            if error.name not in _POSIX:
                raise
            raise Refusal(f"`howdah {cmd_name}` may start a Postgres of its own, and that works on Linux and macOS alone") from error
        assert isinstance(command, click.Command)
        _name_variables(command, f"HOWDAH_{cmd_name.upper()}")
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
            said = only_sentence(error)
            if said is None:
                raise
            raise Refusal(said) from error


def _name_variables(command: click.Command, prefix: str) -> None:
    """Gives each option its variable, by its long name, and has --help show it."""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            _name_variables(inner, f"{prefix}_{name.upper()}")
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            long = max(option.opts, key=len).lstrip("-").replace("-", "_")
            option.envvar = option.envvar or f"{prefix}_{long.upper()}"
            option.show_envvar = True


@click.command(cls=_Commands, context_settings={"auto_envvar_prefix": "HOWDAH", "help_option_names": ["-h", "--help"]})
@click.version_option(package_name="howdah", message="howdah %(version)s")
def main() -> None:
    """Howdah runs your Python functions durably on the Postgres you already have."""
