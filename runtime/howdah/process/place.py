"""Where this code runs: in a node, or in one of its child processes."""

_in_child = False


def enter_child() -> None:
    """From here on, and for ever."""
    global _in_child  # noqa: PLW0603 - a process is one or the other
    _in_child = True


def in_child() -> bool:
    """Whether this is a child process, which imports modules for their tasks and must start nothing."""
    return _in_child
