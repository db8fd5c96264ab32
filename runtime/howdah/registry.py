"""The tasks of an app: who answers to which name."""

from collections.abc import Iterator

from .definitions import Definition
from .errors import ConfigurationError


class Registry:
    """The tasks of an app, by name and by alias. Iterating gives those that it runs: not the stubs."""

    def __init__(self) -> None:
        self._definitions: dict[str, Definition] = {}

    def __iter__(self) -> Iterator[Definition]:
        return iter([one for one in self.all() if not one.stub])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def all(self) -> list[Definition]:
        """The stubs, too."""
        return [one for name, one in self._definitions.items() if name == one.name]

    def add(self, definition: Definition) -> None:
        """A second task of one name or alias is an error that names both places."""
        for name in (definition.name, *definition.aliases):
            other = self._definitions.setdefault(name, definition)
            if other is not definition:
                mend = "Give one of them name=." if name == definition.name == other.name else "Take it out of aliases= of one of them."
                raise ConfigurationError(f"two tasks are called {name!r}: one at {other.place}, one at {definition.place}. {mend}")

    def get(self, name: str) -> Definition | None:
        """The task of this name or alias, if this app defines it."""
        return self._definitions.get(name)
