"""What a task is: its name, its policy, and the types of its arguments and its result, read from the signature."""

import hashlib
import inspect
import typing
from collections.abc import AsyncIterator, Callable
from functools import cached_property
from typing import Any

import msgspec

from . import codec
from .core.retry import Retry
from .dependencies import Plan, Used
from .duration import Duration, seconds
from .errors import ArgumentsInvalid, ConfigurationError
from .scopes import name_of

NAME_MAX = 200
"""Characters in the name of a task or a queue, as the schema has it."""

Middleware = Callable[[], AsyncIterator[None]]

_NO_KEYWORDS: dict[str, Any] = {}


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What tasks of an app use where they say nothing themselves."""

    retry: Retry = Retry()
    timeout: Duration | None = None
    queue: str = "default"
    priority: int = 0


class Policy(msgspec.Struct, frozen=True):
    """How attempts of a run are made: of a task, or of one run that says otherwise in its options."""

    retry: Retry
    timeout_s: float


class Definition:
    """A function and how it is run. Types are resolved at first use, so that they may be defined below the function."""

    def __init__(self, function: Callable[..., Any], *, name: str | None, queue: str, priority: int, policy: Policy) -> None:
        self.function = function
        self.name = name or getattr(function, "__name__", "")
        self.queue = queue
        self.priority = priority
        self.policy = policy
        self.is_async = inspect.iscoroutinefunction(function)
        self.place = _place(function)
        self.delivery: str = "at_least_once"
        if not self.name or self.name == "<lambda>":
            raise ConfigurationError(f"the function at {self.place} has no name: give one, as in @jobs.task(name=...)")
        check_name("task", self.name)
        check_name("queue", queue)
        if not -32767 <= priority <= 32767:
            raise ConfigurationError(f"priority={priority} of task {self.name!r} is out of range: it is from -32767 to 32767")
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise ConfigurationError(f"task {self.name!r} is a generator: return the result instead of yielding it")
        self._signature = inspect.signature(function)
        self._parameters = _parameters(self._signature, self.name)
        self.plan = Plan(function, self._parameters)

    @cached_property
    def arguments(self) -> type[msgspec.Struct]:
        """A struct with the parameters of the signature, save for those that `use` fills."""
        hints = self._hints
        fields: list[Any] = []
        keywords: list[Any] = []
        positional, _ = self.names
        for parameter in self._parameters:
            if parameter.name in self.plan.names:
                continue
            field: tuple[Any, ...] = (parameter.name, hints.get(parameter.name, Any))
            if parameter.default is not inspect.Parameter.empty:
                default = parameter.default
                field += (msgspec.field(default_factory=lambda value=default: value),)
            (fields if parameter.name in positional else keywords).append(field)
        name = f"Arguments of {self.name}"
        by_position = msgspec.defstruct(name, fields)
        # A class of their own, since a required keyword may follow a default.
        return msgspec.defstruct(name, keywords, bases=(by_position,), kw_only=True) if keywords else by_position

    @cached_property
    def result(self) -> Any:
        """The type of the result."""
        return self._hints.get("return", Any)

    @cached_property
    def _hints(self) -> dict[str, Any]:
        try:
            hints = typing.get_type_hints(self.function, include_extras=True)
        except NameError as error:
            raise ConfigurationError(
                f"an annotation of task {self.name!r} ({self.place}) cannot be resolved: {error}. Import the type at the top"
                " of the module, not only for type checking."
            ) from error
        for name, hint in hints.items():
            if any(isinstance(said, Used) for said in getattr(hint, "__metadata__", ())):
                raise ConfigurationError(
                    f"parameter {name!r} of task {self.name!r} has its `use` in Annotated, where type checkers do not see that it may be"
                    f" left out: write it as the default, as in {name}: ... = use(...)"
                )
        return hints

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any]:
        try:
            return codec.decoder(self.arguments)
        except TypeError as error:
            raise ConfigurationError(
                f"a parameter of task {self.name!r} ({self.place}) has a type that json cannot carry: {error}"
            ) from error

    @cached_property
    def result_decoder(self) -> msgspec.json.Decoder[Any]:
        """Reads a stored result as the type that the function returns."""
        return codec.decoder(self.result)

    @cached_property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The parameters to pass by position, and those to pass by keyword: also what stands behind one that `use` fills."""
        kinds = [(p.name, p.kind is inspect.Parameter.KEYWORD_ONLY or p.name in self.plan.names) for p in self._parameters]
        first = next((place for place, (_, keyword) in enumerate(kinds) if keyword), len(kinds))
        names = [name for name, _ in kinds]
        return tuple(names[:first]), tuple(name for name in names[first:] if name not in self.plan.names)

    def encode(self, args: tuple[Any, ...], kwargs: dict[str, Any], payload_max: int) -> str:
        """The arguments as json text, checked exactly as the node will check them. ArgumentsInvalid says where."""
        try:
            positional, _ = self.names
            if self.plan:
                self._check_unfilled(args, kwargs)
            if len(args) > len(positional):
                raise TypeError(f"{len(args)} positional arguments were given for {len(positional)} parameters")  # noqa: TRY301
            payload = codec.encode(self.arguments(*args, **kwargs))
            self._decoder.decode(payload)
        except (TypeError, ValueError, msgspec.MsgspecError, RecursionError) as error:
            raise ArgumentsInvalid(f"task {self.name!r} cannot take these arguments: {error}") from error
        if codec.is_over(payload, payload_max):
            raise ArgumentsInvalid(
                f"the arguments of task {self.name!r} are {len(payload.encode()):,} bytes of json, over the limit of {payload_max:,}"
                " (payload_max). Pass a reference to where they are stored."
            )
        return payload

    def _check_unfilled(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """TypeError: an argument is given for a parameter that `use` fills."""
        given = {*kwargs, *(p.name for p in self._parameters[: len(args)] if p.kind is not inspect.Parameter.KEYWORD_ONLY)}
        for name in sorted(self.plan.names & given):
            raise TypeError(f"{name!r} is filled on the node, by {self._signature.parameters[name].default!r}: leave it out")

    def check_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """ArgumentsInvalid: a direct call leaves parameters to `use`, which a node fills and nobody else."""
        given = self._signature.bind(*args, **kwargs).arguments
        for name in sorted(self.plan.names - set(given)):
            raise ArgumentsInvalid(
                f"a direct call of task {self.name!r} has no node that would fill {name!r} by {self._signature.parameters[name].default!r}:"
                f" pass it, as in {self.name}(..., {name}=...)"
            )

    @cached_property
    def decode(self) -> Callable[[str], tuple[tuple[Any, ...], dict[str, Any]]]:
        """Reads stored arguments as the function takes them. msgspec.MsgspecError: they do not fit this signature."""
        read, astuple = self._decoder.decode, msgspec.structs.astuple
        positional, keyword = self.names
        if not keyword:
            return lambda payload: (astuple(read(payload)), _NO_KEYWORDS)

        def split(payload: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
            values = astuple(read(payload))
            return values[: len(positional)], dict(zip(keyword, values[len(positional) :], strict=True))

        return split

    def policy_of(self, options: str | None) -> Policy:
        """The policy of one run: the task's, unless the run's stored options say otherwise."""
        if options is None:
            return self.policy
        said = codec.decode(options)
        retry = Retry(**said["retry"]) if "retry" in said else self.policy.retry
        return Policy(retry, float(said.get("timeout", self.policy.timeout_s)))

    def catalogue(self) -> dict[str, Any]:
        """What the task table holds of it: defaults, schemas and a hash of the whole."""
        defaults = {"timeout": self.policy.timeout_s, "retry": self.policy.retry.stored()}
        described = {"defaults": defaults, "input": codec.schema(self.arguments), "output": codec.schema(self.result)}
        text = codec.encode([self.name, self.queue, self.priority, described])
        return described | {"hash": hashlib.sha256(text.encode()).hexdigest()[:16]}

    @cached_property
    def hash(self) -> str:
        """The hash of the whole definition: another signature, another hash."""
        return str(self.catalogue()["hash"])


class Registry:
    """The tasks of an app, by name, and the middleware around their attempts, the outermost first."""

    def __init__(self) -> None:
        self._definitions: dict[str, Definition] = {}
        self.middlewares: list[Middleware] = []

    def __iter__(self) -> typing.Iterator[Definition]:
        return iter(self._definitions.values())

    def __len__(self) -> int:
        return len(self._definitions)

    def add(self, definition: Definition) -> None:
        """A second task of the same name is an error that names both places."""
        other = self._definitions.setdefault(definition.name, definition)
        if other is not definition:
            raise ConfigurationError(
                f"two tasks are called {definition.name!r}: one at {other.place}, one at {definition.place}. Give one of them name=."
            )

    def surround(self, middleware: Middleware) -> None:
        """Puts a middleware inside of those that are there."""
        if not inspect.isasyncgenfunction(middleware) or inspect.signature(middleware).parameters:
            raise ConfigurationError(
                f"the middleware {name_of(middleware)} at {_place(middleware)} must be an async generator function without parameters:"
                " `async def` with one `yield`; it reaches its run by current_run()"
            )
        self.middlewares.append(middleware)

    def get(self, name: str) -> Definition | None:
        """The task of this name, if this app defines it."""
        return self._definitions.get(name)


def check_name(what: str, name: str) -> None:
    """ConfigurationError: the database would refuse this name."""
    if not 0 < len(name) <= NAME_MAX or "\0" in name:
        raise ConfigurationError(f"{what}={name[:40]!r} cannot be a name: it has {len(name)} characters of 1 to {NAME_MAX}, and no NUL")


def policy(retry: Retry | int | None, timeout: Duration | None, defaults: Defaults, default_timeout_s: float) -> Policy:
    """A task's own words, over the app's, over the library's."""
    chosen = defaults.retry if retry is None else Retry(retry) if isinstance(retry, int) else retry
    time = defaults.timeout if timeout is None else timeout
    timeout_s = default_timeout_s if time is None else seconds(time)
    if timeout_s <= 0:
        raise ConfigurationError("timeout=0 would end each attempt at its start; a timeout is positive")
    return Policy(chosen, timeout_s)


def _parameters(signature: inspect.Signature, name: str) -> list[inspect.Parameter]:
    parameters = list(signature.parameters.values())
    for parameter in parameters:
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise ConfigurationError(
                f"task {name!r} takes *{parameter.name}: arguments are stored by name, so each needs a parameter of its own"
            )
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise ConfigurationError(f"parameter {parameter.name!r} of task {name!r} is positional-only: arguments are stored by name")
    return parameters


def _place(function: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(function)
