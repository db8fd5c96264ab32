"""The words that a task says of itself or leaves to others, and what comes of them."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from .core.retry import Retry
from .duration import Duration, seconds
from .errors import ConfigurationError

NAME_MAX = 200
"""Characters in the name of a task or a queue, as the schema has it."""

T = TypeVar("T")

ServedQueues: TypeAlias = Sequence[str] | Mapping[str, float] | None
"""The queues of a node: names, or names with their weights; None: all of them."""

Delivery = Literal["at_least_once", "at_most_once"]
"""What becomes of a run whose node died: it is run again, or it ends as lost."""


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What tasks use where they say nothing themselves. A task's own words go before those of its Tasks(), these before
    the App's, these before the library's; what is left out is left to the next."""

    retry: Retry | int | UnsetType = UNSET
    timeout: Duration | UnsetType = UNSET
    queue: str | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    delivery: Delivery | UnsetType = UNSET

    def over(self, others: "Defaults") -> "Defaults":
        """These; where they say nothing, the others."""
        said = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not UNSET}
        return msgspec.structs.replace(others, **said)


SILENT = Defaults()
"""Says nothing."""

LIBRARY = Defaults(retry=Retry(), timeout=900.0, queue="default", priority=0, delivery="at_least_once")
"""What counts where nobody says anything."""


class Policy(msgspec.Struct, frozen=True):
    """How attempts of a run are made: of a task, or of one run that says otherwise in its options."""

    retry: Retry
    timeout_s: float


def check_name(what: str, name: str) -> None:
    """ConfigurationError: the database would refuse this name."""
    if not 0 < len(name) <= NAME_MAX or "\0" in name:
        raise ConfigurationError(f"{what}={name[:40]!r} cannot be a name: it has {len(name)} characters of 1 to {NAME_MAX}, and no NUL")


def check_weight(queue: object, weight: object) -> None:
    """ConfigurationError: a queue cannot have this weight."""
    try:
        fits = isinstance(weight, int | float) and not isinstance(weight, bool) and weight > 0 and math.isfinite(weight)
    except OverflowError:
        fits = False
    if not fits or not isinstance(queue, str) or not queue:
        shown = weight if isinstance(weight, float) else repr(weight)[:40]
        raise ConfigurationError(
            f"queues={{{queue!r}: {shown}}} is no queue with its weight: pass names with positive numbers, as in"
            " queues={'mail': 10, 'default': 1}"
        )


def check_metadata(metadata: object) -> None:
    """ConfigurationError: it is no mapping of texts to texts."""
    if not isinstance(metadata, Mapping):
        raise ConfigurationError(f"metadata={metadata!r} is no mapping: pass names and texts, as in metadata={{'tenant': '7'}}")
    for name, value in metadata.items():  # pyright: ignore[reportUnknownVariableType] - whatever it holds
        if not (isinstance(name, str) and isinstance(value, str)):
            raise ConfigurationError(f"metadata[{name!r}]={value!r} is not a text, and metadata is found by text: pass {name!r}: '{value}'")


def check_choice(what: str, value: object, choices: Sequence[object]) -> None:
    """ConfigurationError: the value is none of these."""
    if value not in choices:
        raise ConfigurationError(f"{what}={value!r} is not one of {', '.join(map(repr, choices))}")


def is_positive(value: object) -> bool:
    """Whether it is a number above 0, as weights and costs are."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def known(value: T | UnsetType) -> T:
    """The word, which somebody has said."""
    assert value is not UNSET, "the library has a word for everything"
    return value


def policy(said: Defaults, name: str) -> Policy:
    """How attempts of this task are made. ConfigurationError: they cannot be."""
    retry, timeout = known(said.retry), known(said.timeout)
    if timeout is None:  # pyright: ignore[reportUnnecessaryComparison] - the mistake is an easy one
        raise ConfigurationError(f"timeout=None of task {name!r}: each attempt has a timeout; say a long one, or leave it out")
    timeout_s = seconds(timeout)
    if timeout_s <= 0:
        raise ConfigurationError("timeout=0 would end each attempt at its start; a timeout is positive")
    return Policy(Retry(retry) if isinstance(retry, int) else retry, timeout_s)
