"""Which functions another process finds: it imports them, by the names of their module and of their own."""

import sys
from collections.abc import Callable
from typing import Any


def why_hidden(function: Callable[..., Any]) -> str | None:
    """Why no import would find the function; None: one does."""
    name: str | None = getattr(function, "__qualname__", None)
    if name is None or getattr(function, "__module__", None) is None:
        return "it has no name of its own"
    if "<lambda>" in name:
        return "it is a lambda"
    if "<locals>" in name:
        return f"it is defined inside of {name.rsplit('.<locals>', 1)[0]}()"
    if function.__module__ == "__main__" and not hasattr(sys.modules["__main__"], "__file__"):
        return "it was typed in or piped in, so there is no file to import"
    return None
