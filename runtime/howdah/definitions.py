"""What a task is: its name, its policy, and the types of its arguments and its result, read from the signature."""

import hashlib
import inspect
import typing
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, get_args

import msgspec
from msgspec import UNSET

from . import codec
from .core.retry import Retry
from .debounce import Debounce, debounce_of
from .demands import Demands
from .dependencies import Plan, Used
from .duration import Duration
from .errors import ArgumentsInvalid, ConfigurationError
from .facts import Alert, Fact, FailedRun
from .importable import why_hidden
from .limits import AnyLimit
from .placement import Preferred, Required, Sticky, check_meant, checked_slots, stated
from .policy import LIBRARY, SILENT, Defaults, Delivery, Policy, check_choice, check_name, known, policy
from .size import Size, in_bytes

Middleware = Callable[[], AsyncIterator[None]]

_NO_KEYWORDS: dict[str, Any] = {}


Isolation = Literal["process"]
"""Where a function runs that is to be kept apart from the node."""


class Definition:
    """A function and how it is run. Types are resolved at first use, so that they may be defined below the function.

    said: the task's own words; fill() adds what others say. stub: it is run by another program. facts: it is called when
    they happen. memory: in bytes, of the process that isolation= asks for; max_runs: after so many it is a new process.
    limits: what its runs wait for. debounce: which enqueues of it are one. requires, prefers, prefer_for, sticky: where they go.
    slots: how many each takes there.
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
        limits: Sequence[AnyLimit] = (),
        debounce: Debounce | Duration | None = None,
        requires: Mapping[str, Required] | None = None,
        prefers: Mapping[str, Preferred] | None = None,
        prefer_for: Duration | None = None,
        sticky: Sticky | None = None,
        slots: int = 1,
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
        self._parameters = self.stored(_parameters(self._signature, self.name))
        self.plan = Plan(function, self._parameters)
        self.demands = Demands(limits, self.name, self.place, self.names, debounce_of(debounce))
        whose = f"task {self.name!r} ({self.place})"
        self.placement = stated(whose, requires=requires, prefers=prefers, prefer_for=prefer_for, sticky=sticky)
        check_meant(self.placement, whose)
        self.slots = checked_slots(slots, whose)
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
        self.queue, self.priority, self.delivery = known(said.queue), known(said.priority), known(said.delivery)
        self.policy = policy(said, self.name)
        check_name("queue", self.queue)
        check_choice("delivery", self.delivery, get_args(Delivery))
        if not -32767 <= self.priority <= 32767:
            raise ConfigurationError(f"priority={self.priority} of task {self.name!r} is out of range: it is from -32767 to 32767")

    def stored(self, parameters: list[inspect.Parameter]) -> list[inspect.Parameter]:
        """The parameters as arguments of a run are stored: by default as they are."""
        return parameters

    @staticmethod
    def is_filled(parameter: inspect.Parameter) -> bool:
        """Whether `use` fills it."""
        return isinstance(parameter.default, Used)

    @property
    def _given(self) -> list[inspect.Parameter]:
        """The parameters that a caller gives: not those that `use` fills."""
        return [parameter for parameter in self._parameters if parameter.name not in self.plan.names]

    @property
    def _given_defaults(self) -> dict[str, Any]:
        return {p.name: p.default for p in self._given if p.default is not inspect.Parameter.empty}

    def debounced(self, debounce: Debounce, demands: Demands) -> tuple[Demands, dict[str, Any]]:
        """These demands of runs that are debounced otherwise than the task says, and how Postgres is told: in full, so that nothing of the
        task's own debounce is left. ConfigurationError: its key does not fit the arguments."""
        demands = demands.debounced(debounce)
        said = demands.stated_debounce(self.arguments, self._given_defaults)
        return demands, {"max": None, "path": None, "default": None, "asked": None, **(said or {})}

    def check_takes_one(self, kind: str) -> None:
        """ConfigurationError: Postgres enqueues this as a handler and has one argument to give, and it does not take exactly one, or
        has a limit whose key only Python can tell."""
        if len(self._given) != 1:
            names = ", ".join(parameter.name for parameter in self._given) or "none"
            raise ConfigurationError(
                f"the handler {self.name!r} ({self.place}) must take one argument, a howdah.{kind}, and its parameters are: {names}"
            )
        if self.demands.debounce is not None:
            raise ConfigurationError(
                f"the handler {self.name!r} ({self.place}) is started once for each time that it has to hear of, and debounce= would leave"
                " some out: take it away, and let the handler enqueue a task that is debounced"
            )
        for asked in self.demands.asked.values():
            raise ConfigurationError(
                f"{asked.what} in the handler {self.name!r} ({self.place}) is a function, and a handler is enqueued by Postgres, which"
                " cannot call it: pass a field path"
            )

    def _check_isolation(self) -> None:
        check_choice("isolation", self.isolation, (None, *get_args(Isolation)))
        if self.isolation is None and (self.memory or self.max_runs):
            raise ConfigurationError(
                f'memory= and max_runs= of task {self.name!r} are about a process of its own: say isolation="process" as well'
            )
        if self.max_runs is not None and self.max_runs < 1:
            raise ConfigurationError(f"max_runs={self.max_runs} of task {self.name!r} must be at least 1")
        if self.isolation == "process" and (why := why_hidden(self.function)):
            raise ConfigurationError(
                f"task {self.name!r} ({self.place}) cannot run in a process of its own, which imports its function by name: {why}. Define"
                " it with `def` at the top level of its module, or leave isolation= out"
            )

    def parameter_of(self, kind: type[msgspec.Struct]) -> str:
        """The name of a handler's parameter, whose type must be this."""
        (parameter,) = self._given
        if self._hints.get(parameter.name) is not kind:
            raise ConfigurationError(
                f"parameter {parameter.name!r} in the handler {self.name!r} ({self.place}) must be annotated as"
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
        for parameter in self._given:
            kind = hints.get(parameter.name, Any)
            self._check_type(kind, f"parameter {parameter.name!r}")
            field: tuple[Any, ...] = (parameter.name, kind)
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
        kind = self._hints.get("return", Any)
        if kind in (typing.NoReturn, typing.Never):
            return Any
        self._check_type(kind, "the result")
        return kind

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

    def _check_type(self, kind: Any, what: str) -> None:
        try:
            codec.check(kind)
        except TypeError as error:
            raise ConfigurationError(f"{what} of task {self.name!r} ({self.place}) has a type that cannot be stored: {error}") from error

    @cached_property
    def _holds_instants(self) -> bool:
        return codec.holds_instants(self.arguments)

    @cached_property
    def _read(self) -> Callable[[str], msgspec.Struct]:
        read = codec.decoder(self.arguments).decode
        if not self._holds_instants:
            return read

        def checked(payload: str) -> msgspec.Struct:
            arguments = read(payload)
            try:
                codec.check_instants(arguments)
            except ValueError as error:
                raise msgspec.ValidationError(str(error)) from error
            return arguments

        return checked

    @cached_property
    def result_decoder(self) -> msgspec.json.Decoder[Any]:
        """Reads a stored result as the type that the function returns."""
        return codec.decoder(self.result)

    @cached_property
    def encode_result(self) -> Callable[[object], str]:
        """A result as json text. TypeError or ValueError: it cannot be stored."""
        if not codec.holds_instants(self.result):
            return codec.encode

        def checked(value: object) -> str:
            codec.check_instants(value)
            return codec.encode(value)

        return checked

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
            arguments = self.arguments(*args, **kwargs)
            if self._holds_instants:
                codec.check_instants(arguments)
            payload = codec.encode(arguments)
            self._read(payload)
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

    def canonical(self, payload: str) -> str:
        """Encoded arguments in the one form of what they mean: 1 and 1.0 are the same float, and a set has no order."""
        return codec.encode_canonically(self._read(payload))

    @cached_property
    def decode(self) -> Callable[[str], tuple[tuple[Any, ...], dict[str, Any]]]:
        """Reads stored arguments as the function takes them. msgspec.MsgspecError: they do not fit this signature."""
        read, astuple = self._read, msgspec.structs.astuple
        positional, keyword = self.names
        if not keyword:
            return lambda payload: (astuple(read(payload)), _NO_KEYWORDS)

        def split(payload: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
            values = astuple(read(payload))
            return values[: len(positional)], dict(zip(keyword, values[len(positional) :], strict=True))

        return split

    def keys_of(self, payload: str) -> str | None:
        """What its limits' functions answer for encoded arguments, as json text; None: it has no such functions. They are called
        as the function will be, with what it will be given. ArgumentsInvalid: one of them fails."""
        return self.demands.keys(*self.decode(payload)) if self.demands.asked else None

    def policy_of(self, options: str | None) -> Policy:
        """The policy of one run: the task's, unless the run's stored options say otherwise."""
        if options is None:
            return self.policy
        said = codec.decode(options)
        retry = Retry(**said["retry"]) if "retry" in said else self.policy.retry
        return Policy(retry, float(said.get("timeout", self.policy.timeout_s)))

    def catalogue(self) -> dict[str, Any]:
        """What the task table holds of it: defaults, schemas, limits and a hash of the whole."""
        described = {"defaults": self._defaults(), "input": codec.schema(self.arguments), "output": codec.schema(self.result)}
        limits = self.demands.stated(self.arguments, self._given_defaults)
        text = codec.encode([self.name, self.queue, self.priority, described, *(limits or ())])
        return described | {"limits": limits, "hash": hashlib.sha256(text.encode()).hexdigest()[:16]}

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
        if (debounce := self.demands.stated_debounce(self.arguments, self._given_defaults)) is not None:
            defaults["debounce"] = debounce
        if self.placement:
            defaults["placement"] = self.placement
        if self.on_failure is not None:
            defaults["on_failure"] = {"task": self.on_failure.name, "parameter": self.on_failure.parameter_of(FailedRun)}
        if self.facts:
            defaults["alerts"] = {"facts": list(self.facts), "parameter": self.parameter_of(Alert)}
        return defaults


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
