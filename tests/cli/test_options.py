"""Every option of every command has a variable, which --help names."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from howdah.cli import _COMMANDS, main


def options(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Option]]:
    """Each option of a command and of those below it."""
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            yield path, option
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from options(inner, (*path, name))


def everything() -> list[tuple[tuple[str, ...], click.Option]]:
    context = click.Context(main)
    found: list[tuple[tuple[str, ...], click.Option]] = []
    for name in _COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        found += options(command, (name,))
    return found


EVERYTHING = everything()


def test_there_are_options() -> None:
    assert len(EVERYTHING) > 60


@pytest.mark.parametrize(("path", "option"), EVERYTHING, ids=[" ".join((*path, max(one.opts, key=len))) for path, one in EVERYTHING])
def test_an_option_has_a_variable_that_the_help_names(path: tuple[str, ...], option: click.Option) -> None:
    assert isinstance(option.envvar, str)
    assert option.envvar.startswith("HOWDAH_")
    said = CliRunner().invoke(main, [*path, "--help"], env={"COLUMNS": "300"}, terminal_width=300).output
    assert f"env var: {option.envvar}" in said


def test_no_two_options_of_different_meaning_share_a_variable() -> None:
    of_the_app = {"HOWDAH_DSN", "HOWDAH_CONCURRENCY", "HOWDAH_GRACE_S"}
    variables = [option.envvar for _, option in EVERYTHING if option.envvar not in of_the_app]
    assert len(variables) == len(set(variables))
