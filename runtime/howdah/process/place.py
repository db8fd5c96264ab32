"""Where this code runs: in a node, or in one of its child processes, and what goes with the process it runs in."""

from collections.abc import Generator
from contextlib import contextmanager

_in_child = False
_handed_on: list[tuple[str, str]] = []


def enter_child() -> None:
    """From here on, and for ever."""
    global _in_child  # noqa: PLW0603 - a process is one or the other
    _in_child = True


def in_child() -> bool:
    """Whether this is a child process, which imports modules for their tasks and must start nothing."""
    return _in_child


@contextmanager
def handed_on(scope: str, word: str) -> Generator[None]:
    """Inside of the block each child process enters this first, and leaves it last: a context manager, made by the function
    "module:qualname" of a word. It is for what this process has set up for itself and a new one does not have."""
    entry = scope, word
    _handed_on.append(entry)
    try:
        yield
    finally:
        _handed_on.remove(entry)


def to_hand_on() -> list[tuple[str, str]]:
    """What children enter, the outermost first."""
    return list(_handed_on)
