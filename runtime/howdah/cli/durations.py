"""A duration as an option of the command line."""

import click

from ..duration import seconds


class _Length(click.ParamType):  # pyright: ignore[reportMissingTypeArgument] - generic for type checkers alone in some releases
    """A duration as people write it: 30, 30s, 1m30s. In seconds."""

    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return seconds(float(value) if isinstance(value, str) and value.replace(".", "", 1).isdigit() else value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


LENGTH = _Length()
