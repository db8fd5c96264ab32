"""Tasks that take many runs at once: what is stored is one item for each run, and the function sees a list of them."""

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import msgspec

from . import codec
from .definitions import Definition
from .demands import text_of
from .duration import Duration, seconds
from .errors import ConfigurationError
from .limits import Key, check_key
from .paths import PathError, locate, parts

ITEM: Final = "item"
"""What the one argument of each run is called, wherever arguments have names: in json, in paths."""

SIZE_MAX = 10_000
"""Items of one batch: they are in memory at once, and their outcomes too."""

_LISTS = (list, collections.abc.Sequence)
_NO_LIST: Final = object()


class Batch(msgspec.Struct, frozen=True):
    """How items are gathered: up to so many, within so many seconds since the first was at hand; those of one key together."""

    size: int
    within_s: float
    key: Key | None = None

    def __str__(self) -> str:
        return f"@jobs.batch_task(size={self.size})"


def batch_of(size: object, within: Duration, key: Key | None) -> Batch:
    """The same from what a task says. ConfigurationError, ValueError: it cannot be."""
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= SIZE_MAX:
        raise ConfigurationError(f"size={size!r} of a batch must be a whole number from 1 to {SIZE_MAX:,}")
    batch = Batch(size, seconds(within), key)
    check_key(batch, "key", key)
    return batch


class BatchDefinition(Definition):
    """A function of a list of items, which answers with a list. Its one parameter is stored as that of each item."""

    def __init__(self, function: Callable[..., Any], batch: Batch, **said: Any) -> None:
        self.batch = batch
        super().__init__(function, **said)
        key = batch.key
        if isinstance(key, str):
            try:
                first = parts(key)[0]
            except PathError as error:
                raise ConfigurationError(
                    f"key= of {batch} at task {self.name!r} is not the path of a field ({self.place}): {error}"
                ) from error
            if first != ITEM:
                raise ConfigurationError(
                    f"key= of {batch} at task {self.name!r} ({self.place}) is {key!r}: a path begins at the item, as in key='item.{key}'"
                )

    def stored(self, parameters: list[inspect.Parameter]) -> list[inspect.Parameter]:
        """The first parameter becomes that of one item; behind it stand those that `use` fills. ConfigurationError: others are there."""
        names = [one.name for one in parameters if not self.is_filled(one)]
        if len(names) != 1 or parameters[0].name != names[0] or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
            raise ConfigurationError(
                f"the batch task {self.name!r} ({self.place}) must take one list of items, as its first parameter, and beside it only what"
                f" `use` fills; its parameters are: {', '.join(one.name for one in parameters) or 'none'}"
            )
        return [inspect.Parameter(ITEM, inspect.Parameter.POSITIONAL_OR_KEYWORD), *parameters[1:]]

    @cached_property
    def _hints(self) -> dict[str, Any]:
        hints = super()._hints
        name = next(iter(self._signature.parameters))
        item, answer = _inside(hints.get(name)), _inside(hints.get("return"))
        if item is _NO_LIST or answer is _NO_LIST:
            raise ConfigurationError(
                f"the batch task {self.name!r} ({self.place}) must say what its items are and what it answers for each, as in"
                f" `def {self.name}({name}: list[Item]) -> list[Answer | Exception]`"
            )
        return {**hints, ITEM: item, "return": _without_exceptions(answer)}

    @cached_property
    def group_of(self) -> Callable[[str], str]:
        """Of stored arguments the key by which they are gathered. Raises what a function as key raises."""
        key = self.batch.key
        if key is None:
            return lambda _: ""
        if isinstance(key, str):
            try:
                path = locate(self.arguments, {}, key, "text").path
            except PathError as error:
                raise ConfigurationError(
                    f"key= of {self.batch} leads nowhere in the items of task {self.name!r} ({self.place}): {error}"
                ) from error
            return lambda payload: _found(codec.decode(payload), path)
        function, decode = key, self.decode

        def asked(payload: str) -> str:
            answer = function(*decode(payload)[0])
            text = text_of(answer)
            if text is None:
                raise TypeError(f"key= of batch task {self.name!r} returned {answer!r}: a key is text, a whole number, a bool or a UUID")
            return text

        return asked

    def catalogue(self) -> dict[str, Any]:
        """As of any task; a key that does not fit is found here, too."""
        _ = self.group_of
        return super().catalogue()


def _inside(hint: Any) -> Any:
    """What a list is made of. _NO_LIST: it is none."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    return inside[0] if origin in _LISTS and len(inside) == 1 else _NO_LIST


def _without_exceptions(hint: Any) -> Any:
    """What is stored of an answer: an exception is the end of its item, and no result."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint
    kept: list[Any] = [one for one in typing.get_args(hint) if not (isinstance(one, type) and issubclass(one, Exception))]
    return typing.Union[tuple(kept)] if kept else None  # noqa: UP007 - of however many there are


def _found(value: object, path: Sequence[str]) -> str:
    """The text at the end of a path in plain json; nothing is a key as well."""
    found: Any = value
    for name in path:
        if isinstance(found, Mapping):
            found = found.get(name)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - plain json
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):  # pyright: ignore[reportUnknownArgumentType] - the same
            found = found[int(name)]  # pyright: ignore[reportUnknownVariableType] - the same
        else:
            return ""
    return text_of(found) or ""  # pyright: ignore[reportUnknownArgumentType] - the same
