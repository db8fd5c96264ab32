"""The labels of a node: what it says of itself, for runs to require and to prefer."""

import json
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from .errors import ConfigurationError, HowdahError

LABEL_MAX = 200
"""Characters in the name of a label, and in its value."""

LABELS_MAX = 64
"""Labels of a node, and those that a task may name: each placement is compared with each node."""

_PARTS = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,])+')
"""What stands between commas, those in quotes aside."""

LabelValue: TypeAlias = str | int | float | bool
"""A text, a number or a truth value."""


def check_label(name: object, value: object, where: str) -> None:
    """ConfigurationError: no label is called so, or has this value."""
    if not isinstance(name, str) or not 0 < len(name) <= LABEL_MAX or "\0" in name:
        raise ConfigurationError(f"{where} has a label {str(name)[:40]!r}: its name is text of 1 to {LABEL_MAX} characters, without NUL")
    if isinstance(value, str) and len(value) <= LABEL_MAX and "\0" not in value:
        return
    if not isinstance(value, int | float) or (isinstance(value, float) and not math.isfinite(value)) or len(str(value)) > LABEL_MAX:
        raise ConfigurationError(
            f"{where} says {name}={str(value)[:40]!r}: a label is a text of at most {LABEL_MAX} characters, a number or a bool"
        )


def checked(labels: Mapping[str, Any], where: str) -> dict[str, LabelValue]:
    """The labels of a node, checked. ConfigurationError: they are none."""
    if len(labels) > LABELS_MAX:
        raise ConfigurationError(f"{where} has {len(labels)} labels: a node has at most {LABELS_MAX}")
    found: dict[str, LabelValue] = {}
    for name, value in labels.items():
        check_label(name, value, where)
        found[name] = value
    return found


def read(text: str, where: str) -> dict[str, LabelValue]:
    """Labels as they are written in a variable or on a command line, with commas between them: zone=eu,mem_gb=32,gpu.

    true, false and numbers are such; a text in double quotes is a text whatever it holds; a name alone is true.
    """
    found: dict[str, LabelValue] = {}
    for part in filter(None, map(str.strip, _PARTS.findall(text))):
        name, equals, value = part.partition("=")
        found[name.strip()] = _value(value.strip()) if equals else True
    return checked(found, where)


def written(name: str, value: LabelValue) -> str:
    """A label as read() takes it."""
    plain = isinstance(value, str) and _value(value) == value and value.strip() == value and not {'"', ","} & {*value}
    return f"{name}={value if plain else json.dumps(value)}"


def _value(text: str) -> LabelValue:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str | int | float | bool) else text


class Labels(Mapping[str, LabelValue]):
    """The labels of a running node. set() and remove() may be called from any thread, and take effect within a second."""

    def __init__(self, labels: Mapping[str, LabelValue], changed: Callable[[], object]) -> None:
        """changed: called when they are others than before."""
        self._lock = threading.Lock()
        self._labels: Mapping[str, LabelValue] = MappingProxyType(dict(labels))
        self._changed = changed

    def __getitem__(self, name: str) -> LabelValue:
        return self._labels[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)

    def __repr__(self) -> str:
        return f"Labels({dict(self._labels)!r})"

    def set(self, **labels: LabelValue) -> None:
        """Gives the node these labels, or others of the same names. ConfigurationError: they are none."""
        self._replace(lambda before: checked({**before, **labels}, "labels.set()"))

    def remove(self, *names: str) -> None:
        """Takes labels of these names away; those that it has not are passed over."""
        self._replace(lambda before: {name: value for name, value in before.items() if name not in names})

    def now(self) -> Mapping[str, LabelValue]:
        """All of them as they are at one moment: another object after each change."""
        return self._labels

    def _replace(self, change: Callable[[Mapping[str, LabelValue]], dict[str, LabelValue]]) -> None:
        with self._lock:
            before, after = self._labels, change(self._labels)
            if before == after:
                return
            self._labels = MappingProxyType(after)
        self._changed()


class FarLabels(Labels):
    """Those of a node in another process, as they were when it was asked. HowdahError: they are to be changed."""

    def __init__(self, labels: Mapping[str, LabelValue]) -> None:
        super().__init__(labels, lambda: None)

    def _replace(self, change: Callable[[Mapping[str, LabelValue]], dict[str, LabelValue]]) -> None:  # noqa: ARG002 - whatever it is
        raise HowdahError(
            "the labels of a node can only be read in a process of a task's own, since the node is another process: change them in a task"
            " without isolation=, or by node.labels where the node is started"
        )
