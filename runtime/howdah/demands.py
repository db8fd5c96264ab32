"""What the limits of a task ask of its arguments: the keys that Postgres reads by field paths, and those that functions give here."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from . import codec
from .debounce import DEBOUNCE, Debounce
from .errors import ArgumentsInvalid, ConfigurationError
from .limits import COST, GROUP, KEY_MAX, AnyLimit, Breaker, Given, KeyText, Limit, Rate, check_word
from .limits import Sequence as InOrder
from .paths import PathError, locate, parts
from .policy import is_positive

Names = tuple[tuple[str, ...], tuple[str, ...]]
"""The parameters that are passed by position, and those that are passed by keyword."""

_PLACES = {"key": ("path", "asked"), "fair_by": ("group", "group_asked"), "cost": ("cost_path", "cost_asked")}
"""The words of the catalogue for where each stands in the arguments, and for that the producer gives it."""


class Asked(NamedTuple):
    """A function that is asked at each enqueue for a key, a group or a cost: `what` says for which, as in "key= of Limit('x', 2)"."""

    function: Callable[..., Any]
    what: str
    is_cost: bool


class Demands:
    """The limits of one task, and how it is debounced. names: of the parameters that a caller gives.

    ConfigurationError: the limits are none, or do not fit the parameters."""

    def __init__(
        self,
        limits: Sequence[AnyLimit],
        task: str,
        place: str,
        names: Names,
        debounce: Debounce | None = None,
        given: Mapping[str, Asked] | None = None,
    ) -> None:
        """given: what stands in the place of the limits' own functions, and beside them."""
        self._whose = task, place, names
        self._task = f"task {task!r} ({place})"
        self._names = names
        self.limits: tuple[AnyLimit, ...] = self._checked(limits, task)
        self.rates = tuple(limit.name for limit in self.limits if isinstance(limit, Rate))
        """The names of those that are rates."""
        self.debounce = debounce
        self.asked: dict[str, Asked] = {}
        """The functions, by the words that their answers stand under."""
        for limit in self.limits:
            self._take(limit.key, limit.name, "key", limit)
            if isinstance(limit, Limit):
                self._take(limit.fair_by, limit.name + GROUP, "fair_by", limit)
            elif isinstance(limit, Rate):
                self._take(limit.cost, limit.name + COST, "cost", limit)
        if debounce is not None:
            self._take(debounce.key, DEBOUNCE, "key", debounce)
        self._given = given or {}
        self.asked.update(self._given)

    def debounced(self, debounce: Debounce) -> "Demands":
        """The same for runs that are debounced otherwise than the task says."""
        return Demands(self.limits, *self._whose, debounce, self._given)

    def given(self, keys: Mapping[str, Given], *, elsewhere: bool) -> "Demands":
        """The same where whoever enqueues says what stands under these words. elsewhere: the limits are said in another program, so
        that any may be meant. ConfigurationError, ArgumentsInvalid: nothing is asked for under a word, or that is no answer."""
        if not isinstance(keys, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - whatever it was given
            raise ConfigurationError(
                f"keys={keys!r} of {self._task} is no mapping: pass names of limits and keys, as in keys={{'per-user': 7}}"
            )
        given = {word: self._answered(word, answer, elsewhere=elsewhere) for word, answer in keys.items()}
        return Demands(self.limits, *self._whose, self.debounce, {**self._given, **given})

    def stated(self, arguments: type[msgspec.Struct], defaults: Mapping[str, object]) -> list[dict[str, Any]] | None:
        """The limits as the catalogue holds them. ConfigurationError: a path does not fit the types of the arguments."""
        return [self._stated(limit, arguments, defaults) for limit in self.limits] or None

    def stated_debounce(self, arguments: type[msgspec.Struct], defaults: Mapping[str, object]) -> dict[str, Any] | None:
        """How it is debounced, as the catalogue holds it. ConfigurationError: as above."""
        debounce = self.debounce
        return None if debounce is None else debounce.terms() | self._where(debounce, debounce.key, "key", arguments, defaults)

    def keys(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """What the functions answer for these arguments, as json text. ArgumentsInvalid: one of them fails."""
        try:
            return codec.encode({word: self._ask(asked, args, kwargs) for word, asked in self.asked.items()})
        except UnicodeEncodeError as error:
            raise ArgumentsInvalid(f"a limit of {self._task} has a key that is no text: {error}") from error

    def _checked(self, limits: Any, task: str) -> tuple[AnyLimit, ...]:
        if isinstance(limits, AnyLimit):
            raise ConfigurationError(f"limits={limits} of {self._task} is one limit: pass a list, as in limits=[{limits}]")
        if not isinstance(limits, Sequence):
            raise ConfigurationError(
                f"limits={limits!r} of {self._task} is no list of limits: pass some, as in limits=[Limit('per-user', 2)]"
            )
        names: set[str] = set()
        checked: list[AnyLimit] = []
        for limit in limits:  # pyright: ignore[reportUnknownVariableType] - whatever it holds
            if not isinstance(limit, AnyLimit):
                raise ConfigurationError(
                    f"{limit!r} among the limits of {self._task} is no limit: pass a Limit(...), a Rate(...), a Sequence(...) or"
                    " a Breaker(...)"
                )
            mine = limit.named(task) if isinstance(limit, InOrder) else limit
            if mine.name in names:
                raise ConfigurationError(f"{self._task} has two limits called {mine.name!r}: give one of them a name of its own")
            names.add(mine.name)
            checked.append(mine)
        return tuple(checked)

    def _take(self, key: object, word: str, said: str, limit: AnyLimit | Debounce) -> None:
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
        elif callable(key):
            self._check_function(key, what)
            self.asked[word] = Asked(key, what, is_cost=word.endswith(COST))

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
        key = self._where(limit, limit.key, "key", arguments, defaults)
        stated = {"limit": limit.name, "kind": limit.kind, "terms": limit.terms(), **key}
        if isinstance(limit, Rate):
            return stated | self._where(limit, limit.cost, "cost", arguments, defaults) | _beyond_default(limit)
        if isinstance(limit, Breaker):
            return stated
        if isinstance(limit, InOrder):
            return stated | {"hold": limit.on_failure, "sequence": True}
        return stated | self._where(limit, limit.fair_by, "fair_by", arguments, defaults) | _beyond_default(limit)

    def _where(
        self, whose: AnyLimit | Debounce, given: object, said: str, arguments: type[msgspec.Struct], defaults: Mapping[str, object]
    ) -> dict[str, Any]:
        """Where Postgres finds it: by a path, or in what the producer gives."""
        path, asked = _PLACES[said]
        if not isinstance(given, str):
            return {asked: True} if callable(given) else {}
        try:
            located = locate(arguments, defaults, given, "number" if said == "cost" else "text")
        except PathError as error:
            raise ConfigurationError(f"{said}= of {whose} does not fit the types of {self._task}: {error}") from error
        return {path: located.path} | ({"default": located.default} if said == "key" and located.default is not None else {})

    def _answered(self, word: str, answer: Given, *, elsewhere: bool) -> Asked:
        """What a caller gives under a word, as a function or as the answer itself."""
        what = f"keys= for {word!r}"
        check_word(word)
        if not elsewhere and word not in self.asked:
            words = ", ".join(sorted(set(self.asked) - {DEBOUNCE})) or "none"
            raise ConfigurationError(
                f"{what} in {self._task} would count for nothing: keys are given in the place of functions, and those of its limits are"
                f" {words}. What a field path leads to is said by the arguments"
            )
        asked = Asked(answer if callable(answer) else _always(answer), what, is_cost=word.endswith(COST))
        if callable(answer):
            self._check_function(answer, what)
        else:
            self._accepted(asked, answer, "is")
        return asked

    def _ask(self, asked: Asked, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | float:
        try:
            answer = asked.function(*args, **kwargs)
        except Exception as error:
            raise ArgumentsInvalid(
                f"{asked.what} in {self._task} raised {type(error).__name__}: {error}. It has to answer for whatever the task takes"
            ) from error
        return self._accepted(asked, answer, "returned")

    def _accepted(self, asked: Asked, answer: Any, came: str) -> str | float:
        """An answer as Postgres is told it. came: how we have it. ArgumentsInvalid: it is none."""
        if asked.is_cost:
            if not is_positive(answer):
                raise ArgumentsInvalid(f"{asked.what} in {self._task} {came} {answer!r}: a cost is a positive number")
            return float(answer)
        text = text_of(answer)
        if text is None:
            raise ArgumentsInvalid(f"{asked.what} in {self._task} {came} {answer!r}: a key is text, a whole number, a bool or a UUID")
        if len(text) > KEY_MAX or "\0" in text:
            raise ArgumentsInvalid(
                f"{asked.what} in {self._task} {came} {text[:40]!r}, which cannot be a key: it has {len(text)} characters of at most"
                f" {KEY_MAX}, and no NUL. Let it {'be' if came == 'is' else 'return'} a digest of what is longer"
            )
        return text


def _beyond_default(limit: Limit | Rate) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if isinstance(limit, Rate):
        if isinstance(limit.cost, int | float) and limit.cost != 1:
            said["cost"] = float(limit.cost)
        return said
    if limit.weights:
        said["weights"] = {group: float(weight) for group, weight in limit.weights.items()}
    if limit.hold != "active":
        said["hold"] = limit.hold
    return said


def _always(answer: KeyText | float) -> Callable[..., KeyText | float]:
    def same(*_args: object, **_kwargs: object) -> KeyText | float:
        return answer

    return same


def text_of(answer: object) -> str | None:
    """A key as Postgres says the same value that it finds by a path. None: it is no key."""
    value: object = answer.value if isinstance(answer, Enum) else answer
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | UUID():
            return str(value)
        case _:
            return None
