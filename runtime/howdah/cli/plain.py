"""What others said, made fit for a terminal, and what an error of ours has to say."""

import os

import click

from ..errors import HowdahError


def plain(text: object) -> str:
    """Text of others for a terminal: what is not printable (escape sequences, marks that turn the direction) is spelled out."""
    said = str(text)
    return said if said.isprintable() else "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in said)


class Refusal(click.ClickException):
    """One red line on stderr, exit code 1."""

    def show(self, file: object = None) -> None:  # noqa: ARG002 - the signature is click's
        """As click calls it."""
        said = "\n".join(map(plain, self.message.splitlines()))
        click.secho(f"howdah: {said}", fg="red", err=True, color=False if os.environ.get("NO_COLOR") else None)


def only_sentence(error: BaseException) -> str | None:
    """What is to be said of an error that we raised on purpose; None for a bug, which deserves its traceback."""
    if isinstance(error, BaseExceptionGroup):  # The task group of a node wraps what ends it.
        inside: tuple[BaseException, ...] = error.exceptions  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - not narrowed
        texts = {only_sentence(inner) for inner in inside}
        return texts.pop() if len(texts) == 1 else None
    return str(error) if isinstance(error, HowdahError) else None
