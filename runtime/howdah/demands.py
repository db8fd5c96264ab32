"""What the limits of a task ask of its arguments: the keys that Postgres reads by field paths, and those that functions give here."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from . import codec
from .errors import ArgumentsInvalid, ConfigurationError
from .limits import GROUP, KEY_MAX, AnyLimit, Key, Limit, Rate
from .paths import Located, PathError, Wanted, locate, parts

Names = tuple[tuple[str, ...], tuple[str, ...]]
"""The parameters that are passed by position, and those that are passed by keyword."""


class Asked(NamedTuple):
    """A function that is asked for a key at each enqueue."""

    function: Callable[..., Any]
    what: str
    """As in "key= of Limit('per-user', 2)"."""


class Demands:
    """The limits of one task. names: of the parameters that a caller gives.

    ConfigurationError: the limits are none, or do not fit the parameters."""

    def __init__(self, limits: Sequence[AnyLimit], task: str, place: str, names: Names) -> None:
        self._task = f"task {task!r} ({place})"
        self._names = names
        self.limits: tuple[AnyLimit, ...] = self._checked(limits)
        self.asked: dict[str, Asked] = {}
        """The functions, by the words that their answers stand under."""
        for limit in self.limits:
            self._take(limit.key, limit.name, "key", limit)
            if isinstance(limit, Limit):
                self._take(limit.fair_by, limit.name + GROUP, "fair_by", limit)
            elif isinstance(limit.cost, str):
                self._take(limit.cost, "", "cost", limit)

    def stated(self, arguments: type[msgspec.Struct], defaults: Mapping[str, object]) -> list[dict[str, Any]] | None:
        """The limits as the catalogue holds them. ConfigurationError: a path does not fit the types of the arguments."""
        return [self._stated(limit, arguments, defaults) for limit in self.limits] or None

    def keys(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """What the functions answer for these arguments, as json text. ArgumentsInvalid: one of them fails."""
        try:
            return codec.encode({word: self._ask(asked, args, kwargs) for word, asked in self.asked.items()})
        except UnicodeEncodeError as error:
            raise ArgumentsInvalid(f"a limit of {self._task} has a key that is no text: {error}") from error

    def _checked(self, limits: Any) -> tuple[AnyLimit, ...]:
        if isinstance(limits, AnyLimit):
            raise ConfigurationError(f"limits={limits} of {self._task} is one limit: pass a list, as in limits=[{limits}]")
        if not isinstance(limits, Sequence):
            raise ConfigurationError(
                f"limits={limits!r} of {self._task} is no list of limits: pass some, as in limits=[Limit('per-user', 2)]"
            )
        names: set[str] = set()
        for limit in limits:  # pyright: ignore[reportUnknownVariableType] - whatever it holds
            if not isinstance(limit, AnyLimit):
                raise ConfigurationError(f"{limit!r} among the limits of {self._task} is no limit: pass a Limit(...) or a Rate(...)")
            if limit.name in names:
                raise ConfigurationError(f"{self._task} has two limits called {limit.name!r}: give one of them a name of its own")
            names.add(limit.name)
        return tuple(limits)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - checked above

    def _take(self, key: Key | None, word: str, said: str, limit: AnyLimit) -> None:
        """Notes a function, or checks where a path begins: parameters are known before their types are."""
        what = f"{said}= of {limit}"
        if isinstance(key, str):
            try:
                first = parts(key)[0]
            except PathError as error:
                raise ConfigurationError(f"{what} in {self._task}: {error}") from error
            if first not in (known := [name for names in self._names for name in names]):
                raise ConfigurationError(
                    f"{what} in {self._task} is {key!r}, and the task has no parameter {first!r}; it has {', '.join(known) or 'none'}"
                )
        elif key is not None:
            self._check_function(key, what)
            self.asked[word] = Asked(key, what)

    def _check_function(self, function: Callable[..., Any], what: str) -> None:
        if inspect.iscoroutinefunction(function):
            raise ConfigurationError(f"{what} in {self._task} is an async function, and an enqueue does not wait for it: make it plain")
        positional, keyword = self._names
        try:
            inspect.signature(function).bind(*positional, **dict.fromkeys(keyword))
        except TypeError as error:
            raise ConfigurationError(
                f"{what} in {self._task} is called with the arguments of the task ({', '.join((*positional, *keyword))}), and cannot take"
                f" them: {error}"
            ) from error
        except ValueError:  # What is written in C may have no signature.
            return

    def _stated(self, limit: AnyLimit, arguments: type[msgspec.Struct], defaults: Mapping[str, object]) -> dict[str, Any]:
        def located(path: str, said: str, wanted: Wanted) -> Located:
            try:
                return locate(arguments, defaults, path, wanted)
            except PathError as error:
                raise ConfigurationError(f"{said}= of {limit} in {self._task}: {error}") from error

        said: dict[str, Any] = {"limit": limit.name, "kind": limit.kind, "terms": limit.terms()}
        if isinstance(limit.key, str):
            path, default = located(limit.key, "key", "text")
            said |= {"path": path} if default is None else {"path": path, "default": default}
        elif limit.key is not None:
            said["asked"] = True
        if isinstance(limit, Rate):
            if isinstance(limit.cost, str):
                said["cost_path"] = located(limit.cost, "cost", "number").path
            elif limit.cost != 1:
                said["cost"] = float(limit.cost)
            return said
        if isinstance(limit.fair_by, str):
            said["group"] = located(limit.fair_by, "fair_by", "text").path
        elif limit.fair_by is not None:
            said["group_asked"] = True
        return said | _beyond_default(limit)

    def _ask(self, asked: Asked, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        try:
            answer = asked.function(*args, **kwargs)
        except Exception as error:
            raise ArgumentsInvalid(f"{asked.what} in {self._task} raised {type(error).__name__}: {error}") from error
        text = _text(answer)
        if text is None:
            raise ArgumentsInvalid(f"{asked.what} in {self._task} returned {answer!r}: a key is text, a whole number, a bool or a UUID")
        if len(text) > KEY_MAX or "\0" in text:
            raise ArgumentsInvalid(
                f"{asked.what} in {self._task} returned {text[:40]!r}, which cannot be a key: it has {len(text)} characters of at most"
                f" {KEY_MAX}, and no NUL. Let it return a digest of what is longer"
            )
        return text


def _beyond_default(limit: Limit) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if limit.weights:
        said["weights"] = {group: float(weight) for group, weight in limit.weights.items()}
    if limit.hold != "active":
        said["hold"] = limit.hold
    return said


def _text(answer: object) -> str | None:
    """A key as Postgres says the same value that it finds by a path. None: it is no key."""
    value: object = answer.value if isinstance(answer, Enum) else answer
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | UUID():
            return str(value)
        case _:
            return None
