"""The tasks of an app: who answers to which name."""

import inspect
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from .definitions import Definition, Middleware, place_of
from .dependencies import Provider
from .errors import ConfigurationError
from .limits import AnyLimit
from .scopes import name_of


class Registry:
    """The tasks of an app, by name and by alias. Iterating gives those that it runs: not the stubs."""

    def __init__(self) -> None:
        self._definitions: dict[str, Definition] = {}
        self._limits: dict[str, tuple[AnyLimit, Definition]] = {}
        self.middlewares: list[Middleware] = []
        """What wraps each attempt, the outermost first."""

    def __iter__(self) -> Iterator[Definition]:
        return iter([one for one in self.all() if not one.stub])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def all(self) -> list[Definition]:
        """The stubs, too."""
        return [one for name, one in self._definitions.items() if name == one.name]

    def add(self, definition: Definition) -> None:
        """A second task of one name or alias is an error that names both places; so is another limit of one name."""
        for limit in definition.demands.limits:
            self._check_alike(limit, definition)
        for name in (definition.name, *definition.aliases):
            other = self._definitions.setdefault(name, definition)
            if other is not definition:
                mend = "Give one of them name=." if name == definition.name == other.name else "Take it out of aliases= of one of them."
                raise ConfigurationError(f"two tasks are called {name!r}: one at {other.place}, one at {definition.place}. {mend}")
        for limit in definition.demands.limits:
            self._limits.setdefault(limit.name, (limit, definition))

    def _check_alike(self, limit: AnyLimit, definition: Definition) -> None:
        known, other = self._limits.get(limit.name, (limit, definition))
        if (known.kind, known.terms()) != (limit.kind, limit.terms()):
            raise ConfigurationError(
                f"two limits are called {limit.name!r}, and are not the same: {known} of task {other.name!r} at {other.place}, {limit} of"
                f" task {definition.name!r} at {definition.place}. Tasks that share a limit say the same of it; otherwise give one of them"
                " another name"
            )

    def surround(self, middleware: Middleware) -> None:
        """Puts a middleware inside of those that are there."""
        if not inspect.isasyncgenfunction(middleware) or inspect.signature(middleware).parameters:
            raise ConfigurationError(
                f"the middleware {name_of(middleware)} at {place_of(middleware)} must be an async generator function without parameters:"
                " `async def` with one `yield`; it reaches its run by current_run()"
            )
        self.middlewares.append(middleware)

    @contextmanager
    def replaced(self, instead: Mapping[Provider, Provider]) -> Generator[None, None, None]:
        """Until the block ends, other providers stand in the place of some. ConfigurationError: no task uses one of those."""
        plans = [definition.plan for definition in self]
        for provider in instead.keys() - frozenset[Provider]().union(*(plan.providers for plan in plans)):
            raise ConfigurationError(f"no task of this app uses {name_of(provider)}: pass the function that stands in use(...)")
        with ExitStack() as stack:
            for plan in plans:
                stack.enter_context(plan.replaced(instead))
            yield

    def get(self, name: str) -> Definition | None:
        """The task of this name or alias, if this app defines it."""
        return self._definitions.get(name)
