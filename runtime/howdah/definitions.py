"""What a task is: its name, its policy, and the types of its arguments and its result, read from the signature."""

import hashlib
import inspect
import typing
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Literal, TypeVar, get_args

import msgspec
from msgspec import UNSET, UnsetType

from . import codec
from .core.retry import Retry
from .dependencies import Plan, Used
from .duration import Duration, seconds
from .errors import ArgumentsInvalid, ConfigurationError
from .facts import Alert, Fact, FailedRun
from .size import Size, in_bytes

T = TypeVar("T")

NAME_MAX = 200
"""Characters in the name of a task or a queue, as the schema has it."""

Middleware = Callable[[], AsyncIterator[None]]

_NO_KEYWORDS: dict[str, Any] = {}


Delivery = Literal["at_least_once", "at_most_once"]
"""What becomes of a run whose node died: it is run again, or it ends as lost."""

Isolation = Literal["process"]
"""Where a function runs that is to be kept apart from the node."""


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


class Definition:
    """A function and how it is run. Types are resolved at first use, so that they may be defined below the function.

    said: the task's own words; fill() adds what others say. stub: it is run by another program. facts: it is called when
    they happen. memory: in bytes, of the process that isolation= asks for; max_runs: after so many it is a new process.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        said: Defaults = SILENT,
        aliases: Sequence[str] = (),
        isolation: Isolation | None = None,
        memory: Size | None = None,
        max_runs: int | None = None,
        on_failure: "Definition | None" = None,
        facts: Sequence[Fact] = (),
        stub: bool = False,
    ) -> None:
        self.function = function
        self.name = name or getattr(function, "__name__", "")
        self.is_async = inspect.iscoroutinefunction(function)
        self.place = place_of(function)
        self.stub = stub
        self.isolation = isolation
        self.memory = None if memory is None else in_bytes(memory)
        self.max_runs = max_runs
        self.on_failure = on_failure
        self.facts = tuple(facts)
        self._said = said
        if not self.name or self.name == "<lambda>":
            raise ConfigurationError(f"the function at {self.place} has no name: give one, as in @jobs.task(name=...)")
        if isinstance(aliases, str):
            raise ConfigurationError(f"aliases={aliases!r} is one text: pass a list, as in aliases=[{aliases!r}]")
        self.aliases = tuple(alias for alias in dict.fromkeys(aliases) if alias != self.name)
        for one in (self.name, *self.aliases):
            check_name("task", one)
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise ConfigurationError(f"task {self.name!r} is a generator: return the result instead of yielding it")
        self._signature = inspect.signature(function)
        self._parameters = _parameters(self._signature, self.name)
        self.plan = Plan(function, self._parameters)
        self._check_isolation()
        if on_failure is not None:
            on_failure.check_takes_one("FailedRun")
        if facts:
            self.check_takes_one("Alert")
        self.fill(LIBRARY)

    def fill(self, defaults: Defaults) -> None:
        """Takes these where the task says nothing itself. ConfigurationError: what comes out cannot work."""
        self.__dict__.pop("hash", None)
        said = self._said.over(defaults).over(LIBRARY)
        if said.delivery == "at_most_once" and self._said.retry is UNSET:
            said = msgspec.structs.replace(said, retry=1)  # Once is once, unless the task itself asks for more.
        self.queue, self.priority, self.delivery = _known(said.queue), _known(said.priority), _known(said.delivery)
        self.policy = _policy(said, self.name)
        check_name("queue", self.queue)
        check_choice("delivery", self.delivery, get_args(Delivery))
        if not -32767 <= self.priority <= 32767:
            raise ConfigurationError(f"priority={self.priority} of task {self.name!r} is out of range: it is from -32767 to 32767")

    def check_takes_one(self, kind: str) -> None:
        """ConfigurationError: whoever calls this as a handler has one argument to give, and it does not take exactly one."""
        if len(self._parameters) != 1:
            names = ", ".join(parameter.name for parameter in self._parameters) or "none"
            raise ConfigurationError(
                f"the handler {self.name!r} ({self.place}) must take one argument, a howdah.{kind}, and its parameters are: {names}"
            )

    def _check_isolation(self) -> None:
        check_choice("isolation", self.isolation, (None, *get_args(Isolation)))
        if self.isolation is None and (self.memory or self.max_runs):
            raise ConfigurationError(
                f'memory= and max_runs= of task {self.name!r} are about a process of its own: say isolation="process" as well'
            )
        if self.max_runs is not None and self.max_runs < 1:
            raise ConfigurationError(f"max_runs={self.max_runs} of task {self.name!r} must be at least 1")

    def parameter_of(self, kind: type[msgspec.Struct]) -> str:
        """The name of a handler's parameter, whose type must be this."""
        (parameter,) = self._parameters
        if self._hints.get(parameter.name) is not kind:
            raise ConfigurationError(
                f"parameter {parameter.name!r} of the handler {self.name!r} ({self.place}) must be annotated as"
                f" howdah.{kind.__name__}: that is what it is called with"
            )
        return parameter.name

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
        described = {"defaults": self._defaults(), "input": codec.schema(self.arguments), "output": codec.schema(self.result)}
        text = codec.encode([self.name, self.queue, self.priority, described])
        return described | {"hash": hashlib.sha256(text.encode()).hexdigest()[:16]}

    @cached_property
    def hash(self) -> str:
        """The hash of the whole definition: another signature, another hash."""
        return str(self.catalogue()["hash"])

    def entries(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each name that a node serves it under, with what the catalogue says there: facts are heard under its own name only."""
        said = self.catalogue()
        yield self.name, said
        quiet = {name: value for name, value in said["defaults"].items() if name != "alerts"}
        for alias in self.aliases:
            yield alias, said | {"defaults": quiet}

    def _defaults(self) -> dict[str, Any]:
        if self.stub:
            return {}  # Whoever runs it says what counts.
        defaults: dict[str, Any] = {"timeout": self.policy.timeout_s, "retry": self.policy.retry.stored()}
        if self.delivery != LIBRARY.delivery:
            defaults["delivery"] = self.delivery
        if self.on_failure is not None:
            defaults["on_failure"] = {"task": self.on_failure.name, "parameter": self.on_failure.parameter_of(FailedRun)}
        if self.facts:
            defaults["alerts"] = {"facts": list(self.facts), "parameter": self.parameter_of(Alert)}
        return defaults


def check_name(what: str, name: str) -> None:
    """ConfigurationError: the database would refuse this name."""
    if not 0 < len(name) <= NAME_MAX or "\0" in name:
        raise ConfigurationError(f"{what}={name[:40]!r} cannot be a name: it has {len(name)} characters of 1 to {NAME_MAX}, and no NUL")


def check_choice(what: str, value: object, choices: Sequence[object]) -> None:
    """ConfigurationError: the value is none of these."""
    if value not in choices:
        raise ConfigurationError(f"{what}={value!r} is not one of {', '.join(map(repr, choices))}")


def _known(value: T | UnsetType) -> T:
    assert value is not UNSET, "the library has a word for everything"
    return value


def _policy(said: Defaults, name: str) -> Policy:
    retry, timeout = _known(said.retry), _known(said.timeout)
    if timeout is None:  # pyright: ignore[reportUnnecessaryComparison] - the mistake is an easy one
        raise ConfigurationError(f"timeout=None of task {name!r}: each attempt has a timeout; say a long one, or leave it out")
    timeout_s = seconds(timeout)
    if timeout_s <= 0:
        raise ConfigurationError("timeout=0 would end each attempt at its start; a timeout is positive")
    return Policy(Retry(retry) if isinstance(retry, int) else retry, timeout_s)


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


def place_of(function: Callable[..., Any]) -> str:
    """Where a function stands: file and line."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(function)
