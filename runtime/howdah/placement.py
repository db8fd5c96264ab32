"""Which nodes runs may go to, and which best: said on a task or for a call, stored with the run, and decided in SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from .duration import Duration, seconds
from .errors import ConfigurationError
from .labels import LABELS_MAX, LabelValue, check_label
from .policy import check_choice, is_positive

WEIGHT_MAX = 1_000_000
"""What a preference may weigh: sums of it are exact."""

PREFER_FOR_MAX_S = 86_400.0
"""How long a run may wait for a better node: a day is a requirement."""

Sticky = Literal["soft", "hard"]
"""Whether a run prefers the node of the run that enqueues it, whatever that one's own parents were on, or is bound to it while that
node lives."""


@dataclass(frozen=True)
class Comparison:
    """What at_least() and its like make."""

    how: str
    than: LabelValue


@dataclass(frozen=True)
class Weight:
    """What weight() makes."""

    said: "LabelValue | Comparison"
    weight: float


def at_least(number: float) -> Comparison:
    """The node's label is this number or more."""
    return Comparison("at_least", number)


def at_most(number: float) -> Comparison:
    """The node's label is this number or less."""
    return Comparison("at_most", number)


def above(number: float) -> Comparison:
    """The node's label is more than this number."""
    return Comparison("above", number)


def below(number: float) -> Comparison:
    """The node's label is less than this number."""
    return Comparison("below", number)


def not_equal(value: LabelValue) -> Comparison:
    """The node's label is something else than this; also where it has no such label."""
    return Comparison("not_equal", value)


def weight(said: LabelValue | Comparison, weight: float) -> Weight:
    """How much it counts for a node that its label is so: the node with the highest sum is the best."""
    return Weight(said, weight)


Required: TypeAlias = LabelValue | Comparison
"""What a label must be: this value, or what a comparison says."""

Preferred: TypeAlias = LabelValue | Comparison | Weight | Sequence[LabelValue | Comparison | Weight]
"""What a label had better be; without a weight it weighs 1. Several: each counts for itself."""


def stated(
    what: str,
    *,
    requires: Mapping[str, Required] | None = None,
    prefers: Mapping[str, Preferred] | None = None,
    prefer_for: Duration | None = None,
    sticky: Sticky | None = None,
) -> dict[str, Any]:
    """These words as they are stored, those that are said. what: whose they are. ConfigurationError: they make no sense."""
    said: dict[str, Any] = {}
    if requires is not None:
        said["requires"] = {label: _required(label, one, what) for label, one in _items(requires, "requires", what)}
    if prefers is not None:
        said["prefers"] = {label: _preferred(label, one, what) for label, one in _items(prefers, "prefers", what)}
    if prefer_for is not None:
        said["prefer_for"] = _patience_s(prefer_for, what)
    if sticky is not None:
        check_choice("sticky", sticky, get_args(Sticky))
        said["sticky"] = sticky
    return said


def check_meant(said: Mapping[str, Any], what: str) -> None:
    """ConfigurationError: the words of a task wait for something that nobody prefers."""
    if "prefer_for" in said and "prefers" not in said and said.get("sticky") != "soft":
        raise ConfigurationError(
            f"prefer_for= of {what} says how long to wait for a better node, and nothing is preferred: say prefers= as well, or"
            ' sticky="soft"'
        )


def checked_slots(slots: object, what: str) -> int:
    """How many slots a run takes. ConfigurationError: that is no number of them."""
    if not isinstance(slots, int) or isinstance(slots, bool) or slots < 1:
        raise ConfigurationError(f"slots={slots!r} of {what} must be a whole number, at least 1: what a run takes on its node")
    return slots


def _items(labels: object, word: str, what: str) -> list[tuple[str, Any]]:
    if not isinstance(labels, Mapping):
        raise ConfigurationError(f"{word}={labels!r} of {what} is no mapping: pass labels and values, as in {word}={{'zone': 'eu'}}")
    if len(labels) > LABELS_MAX:  # pyright: ignore[reportUnknownArgumentType] - whatever it holds
        raise ConfigurationError(f"{word}= of {what} names {len(labels)} labels, and at most {LABELS_MAX} are compared")  # pyright: ignore[reportUnknownArgumentType] - the same
    return list(labels.items())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - each is checked


def _required(label: object, said: object, what: str) -> Any:
    where = f"requires= of {what}"
    if isinstance(said, Weight):
        raise ConfigurationError(f"{where} gives label {label!r} a weight, and what is required has none: use weight() in prefers=")
    return _said(label, said, where)


def _preferred(label: object, said: object, what: str) -> Any:
    where = f"prefers= of {what}"
    if isinstance(said, str) or not isinstance(said, Sequence):
        return _weighed(label, said, where)
    several: list[object] = list(said)  # pyright: ignore[reportUnknownArgumentType] - whatever it holds
    if not 0 < len(several) <= LABELS_MAX:
        raise ConfigurationError(f"{where} lists {len(several)} values for label {label!r}: one to {LABELS_MAX} of them")
    return [_weighed(label, one, where) for one in several]


def _weighed(label: object, said: object, where: str) -> Any:
    if not isinstance(said, Weight):
        return _said(label, said, where)
    if not is_positive(said.weight) or said.weight > WEIGHT_MAX:
        raise ConfigurationError(
            f"{where} gives label {label!r} the weight {said.weight!r}: a weight is a number above 0, at most {WEIGHT_MAX:,}"
        )
    inner = _said(label, said.said, where)
    return {**(inner if isinstance(inner, dict) else {"equal": inner}), "weight": said.weight}


def _said(label: object, said: object, where: str) -> Any:
    """A value, or a comparison, as it is stored."""
    if callable(said):
        raise ConfigurationError(
            f"{where} gives label {label!r} a function, and Postgres decides: pass a value or a comparison, as at_least(16)"
        )
    if not isinstance(said, Comparison):
        check_label(label, said, where)
        return said
    check_label(label, said.than, where)
    if said.how != "not_equal" and (isinstance(said.than, bool) or not isinstance(said.than, int | float)):
        raise ConfigurationError(f"{where} says {said.how}({said.than!r}) of label {label!r}, which compares numbers")
    return {said.how: said.than}


def _patience_s(prefer_for: Duration, what: str) -> float:
    try:
        value = seconds(prefer_for)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"prefer_for= of {what} takes a duration, as in prefer_for='5s': {error}") from error
    if value > PREFER_FOR_MAX_S:
        raise ConfigurationError(f"prefer_for={prefer_for!r} of {what} is more than a day: what is worth such a wait is required")
    return value
