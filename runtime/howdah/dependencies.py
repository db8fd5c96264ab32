"""Dependencies: what fills parameters on the node, said as default values. Signatures are read once, at the definition.

A provider is a function that returns what it supplies, awaits it, or yields it once and cleans up after. Its own
parameters may have `use` defaults too. Each is called once per attempt, or once per node.
"""

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import _AsyncGeneratorContextManager, _GeneratorContextManager, contextmanager  # pyright: ignore[reportPrivateUsage] - as their functions return
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeVar, overload

import msgspec

from .errors import ConfigurationError
from .scopes import Scope, enter, name_of

T = TypeVar("T")

Life = Literal["run", "node"]
Provider = Callable[..., Any]

ABSENT: Final = object()


class Used(msgspec.Struct, frozen=True):
    """The default value that use() makes: it marks the parameter and is never passed."""

    provider: Provider
    per: Life

    def __repr__(self) -> str:
        return f"use({name_of(self.provider).strip(chr(39))})"


@overload
def use(provider: "Callable[..., _AsyncGeneratorContextManager[T, Any]]", *, per: Life = "run") -> T: ...
@overload
def use(provider: "Callable[..., _GeneratorContextManager[T, Any, Any]]", *, per: Life = "run") -> T: ...
@overload
def use(provider: Callable[..., AsyncGenerator[T, Any]], *, per: Life = "run") -> T: ...
@overload
def use(provider: Callable[..., AsyncIterator[T]], *, per: Life = "run") -> T: ...
@overload
def use(provider: Callable[..., Generator[T, Any, Any]], *, per: Life = "run") -> T: ...
@overload
def use(provider: Callable[..., Coroutine[Any, Any, T]], *, per: Life = "run") -> T: ...
@overload
def use(provider: Callable[..., T], *, per: Life = "run") -> T: ...
def use(provider: Provider, *, per: Life = "run") -> Any:
    """Makes a default value for a parameter that the node fills and that enqueues leave out.

    async def welcome(user_id: int, db: Pool = use(get_pool)) -> None: ...

    provider: a function, plain or async, that returns the value, or a generator function, plain or async, that yields
    it once: what follows the yield cleans up and sees the error of the attempt, if any, raised there. Providers run in the
    event loop, also those of plain tasks, and may have `use` defaults themselves. per: "run" calls it once for each attempt;
    "node" at its first use on a node, where it lives until the node has stopped.
    """
    if not callable(provider):
        raise ConfigurationError(f"use({provider!r}) takes a function that supplies the value, not the value itself")
    if per not in ("run", "node"):
        raise ConfigurationError(f'use(..., per={per!r}) is not known: it is "run" or "node"')
    return Used(provider, per)


class Stock(Protocol):
    """Where the resources of a node are kept."""

    @property
    def kept(self) -> Mapping[Provider, Any]:
        """Those that are there."""
        ...

    async def make(self, provider: Provider, given: Mapping[str, Any]) -> Any:
        """Makes a resource, unless somebody else just does."""
        ...


class _Step(NamedTuple):
    provider: Provider
    of_node: bool
    wiring: tuple[tuple[str, int], ...]
    """Parameters of the provider, and the steps that supply them."""


class Plan:
    """How the dependencies of one function are made: each provider once, after those that it needs itself."""

    def __init__(self, function: Callable[..., Any], parameters: Sequence[inspect.Parameter]) -> None:
        self.names = frozenset(p.name for p in parameters if isinstance(p.default, Used))
        self._steps: list[_Step] = []
        self._places: dict[tuple[Provider, Life], int] = {}
        self._wanted = self._wire(function, parameters, [])

    def __bool__(self) -> bool:
        return bool(self._steps)

    @contextmanager
    def replaced(self, instead: Mapping[Provider, Provider]) -> Generator[None, None, None]:
        """Until the block ends, other providers stand in the place of some, and are called without arguments."""
        before = self._steps
        self._steps = [step._replace(provider=instead[step.provider], wiring=()) if step.provider in instead else step for step in before]
        try:
            yield
        finally:
            self._steps = before

    @property
    def providers(self) -> frozenset[Provider]:
        """Those that are called."""
        return frozenset(step.provider for step in self._steps)

    async def open(self, stock: Stock, opened: list[Scope], kwargs: dict[str, Any]) -> None:
        """Adds the values of the parameters. Scopes that are entered on the way are noted in `opened`, also where it fails."""
        values: list[Any] = []
        for provider, of_node, wiring in self._steps:
            value = stock.kept.get(provider, ABSENT) if of_node else ABSENT
            if value is ABSENT:
                given = {name: values[place] for name, place in wiring}
                value = await (stock.make(provider, given) if of_node else enter(provider(**given), opened))
            values.append(value)
        for name, place in self._wanted:
            kwargs[name] = values[place]

    def _wire(
        self, function: Callable[..., Any], parameters: Sequence[inspect.Parameter], path: list[Provider]
    ) -> tuple[tuple[str, int], ...]:
        return tuple((p.name, self._place(function, p, path)) for p in parameters if isinstance(p.default, Used))

    def _place(self, function: Callable[..., Any], parameter: inspect.Parameter, path: list[Provider]) -> int:
        used: Used = parameter.default
        provider, per = used.provider, used.per
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise ConfigurationError(f"parameter {parameter.name!r} of {name_of(function)} is positional-only: it is filled by its name")
        if provider in path:
            circle = " needs ".join(name_of(one) for one in [*path[path.index(provider) :], provider])
            raise ConfigurationError(f"dependencies go round in a circle: {circle}. One of them must do without the other")
        known = self._places.get((provider, per))
        if known is not None:
            return known
        own = _parameters(provider)
        if per == "node" and (shorter := [p.name for p in own if isinstance(p.default, Used) and p.default.per == "run"]):
            raise ConfigurationError(
                f"{name_of(provider)} lives as long as its node and its parameter {shorter[0]!r} only as long as an attempt: give that"
                ' per="node" too'
            )
        self._steps.append(_Step(provider, per == "node", self._wire(provider, own, [*path, provider])))
        self._places[provider, per] = len(self._steps) - 1
        return len(self._steps) - 1


def _parameters(provider: Provider) -> list[inspect.Parameter]:
    """The parameters of a provider. ConfigurationError: nobody could fill one of them."""
    try:
        parameters = list(inspect.signature(provider).parameters.values())
    except ValueError:  # Classes written in C may have none to read.
        return []
    for parameter in parameters:
        named = parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        if named and parameter.default is inspect.Parameter.empty:
            raise ConfigurationError(
                f"use({name_of(provider)}) cannot fill its parameter {parameter.name!r}: parameters of a provider have defaults, as in"
                f" {parameter.name}=use(...). Annotated alone is not read"
            )
    return parameters
