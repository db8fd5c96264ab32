"""What each row says: a cause, what to do for it, the exception, a sentence of its text, and what mends it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from howdah import errors as e

from ..wrongdoing import Stage


@dataclass
class Row:
    cause: str
    do: Callable[[Stage], Any]
    kind: type[BaseException]
    says: str
    mend: Callable[[Stage], Any] | None


C, A = e.ConfigurationError, e.ArgumentsInvalid
SELECT = "select howdah.enqueue"
