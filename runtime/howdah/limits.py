"""Limits as they are said on a task: how many of its runs go at once, and how often. A name is shared by every task that uses it."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from enum import Enum
from typing import ClassVar, Literal, TypeAlias, get_args
from uuid import UUID

from .duration import Duration, seconds
from .errors import ConfigurationError
from .policy import check_choice, check_name, is_positive

KEY_MAX = 200
"""Characters of the key of a limit, and of a group: the schema indexes what is waiting by them."""

NUMBER_MAX = 2**31 - 1
"""What an integer of Postgres holds."""

GROUP, COST = "/group", "/cost"
"""What stands behind the name of a limit where a producer gives the group or the cost of a run beside its key."""

ENDS_MAX = 1000
"""Of a breaker: a row for each key holds so many letters at most."""

KeyText: TypeAlias = str | int | UUID | Enum
"""What the function of a key may return: its text is the key."""

Key: TypeAlias = str | Callable[..., KeyText]
"""A field path into the arguments, as "user.id", or a function of them, which is called as the task's own would be."""

Given: TypeAlias = KeyText | float | Callable[..., KeyText | float]
"""What whoever enqueues may say of a key, a group or a cost: it, or a function of the arguments."""

Hold = Literal["active", "run"]
"""How long a run holds what it was admitted to."""

WhenFull = Literal["wait", "cancel_oldest", "reject", "keep_latest"]
"""What becomes of a run that finds its key full: it waits; the run that has run longest is cancelled, and the newcomer starts when that
has ended; the newcomer ends as rejected; of those that wait the newest stays, and the others end as skipped."""

WhenEmpty = Literal["wait", "skip"]
"""What becomes of a run that finds no token: it waits, or ends as skipped."""

AfterFailure = Literal["block", "free"]
"""What the failure of a run in a sequence does to those behind it: they wait until it is retried or its key is resumed, or go on."""


@dataclass(frozen=True)
class Limit:
    """At most n runs at once for each key, over all nodes and all tasks that name this limit.

    name: what it is called everywhere. n: how many, at least 1. key: a field path into the arguments ("user_id", "user.id"),
    or a function that takes the task's arguments as its own function does and returns text, a number or a UUID; default one
    key for all runs. fair_by: the same, and runs are taken from the groups that it makes in turn, however long one of them is.
    weights: turns of a group in each round, default 1. hold: "active" (default) while an attempt runs, "run" until the run
    has ended, over retries and waits. when_full: "wait" (default), "cancel_oldest", "reject" or "keep_latest".
    """

    kind: ClassVar[str] = "limit"

    name: str
    n: int
    _: KW_ONLY
    key: Key | None = None
    fair_by: Key | None = None
    weights: Mapping[str, float] | None = None
    hold: Hold = "active"
    when_full: WhenFull = "wait"

    def __post_init__(self) -> None:
        _check_own_name(self.name)
        _check_number(self, "n", self.n)
        check_key(self, "key", self.key)
        check_key(self, "fair_by", self.fair_by)
        check_choice("hold", self.hold, get_args(Hold))
        check_choice("when_full", self.when_full, get_args(WhenFull))
        if self.weights is not None:
            self._check_weights(self.weights)

    def __str__(self) -> str:
        return f"Limit({self.name!r}, {self.n})"

    def terms(self) -> Mapping[str, float | str]:
        """What all who use the name must say alike."""
        return {"number": self.n} if self.when_full == "wait" else {"number": self.n, "when_full": self.when_full}

    def _check_weights(self, weights: object) -> None:
        if self.fair_by is None:
            raise ConfigurationError(f"weights= of {self} are about groups: say which, with fair_by=")
        if not isinstance(weights, Mapping):
            raise ConfigurationError(f"weights={weights!r} of {self} is no mapping: pass groups and numbers, as in weights={{'gold': 3}}")
        for group, weight in weights.items():  # pyright: ignore[reportUnknownVariableType] - whatever it holds
            if not isinstance(group, str):
                raise ConfigurationError(f"weights= of {self} names the group {group!r}, and groups are text: pass {str(group)!r}")  # pyright: ignore[reportUnknownArgumentType] - the same
            if not is_positive(weight):  # pyright: ignore[reportUnknownArgumentType] - the same
                raise ConfigurationError(f"the weight of group {group!r} of {self} is {weight!r}: it is a positive number")


@dataclass(frozen=True)
class Rate:
    """n starts in each period for each key, over all nodes and all tasks that name this limit: a bucket of tokens.

    name: what it is called everywhere. n: tokens that come back in each `per`, evenly. burst: what the bucket holds, so how many
    may start at once after a pause; default n. key: as that of a Limit. cost: tokens of one run, as a positive number, the field
    path of one, or a function as that of a key; default 1. A run that costs more than a full bucket goes when the bucket is full.
    when_full: what becomes of a run that finds no token, "wait" (default) or "skip".
    """

    kind: ClassVar[str] = "rate"

    name: str
    n: int
    _: KW_ONLY
    per: Duration
    burst: int | None = None
    key: Key | None = None
    cost: float | str | Callable[..., float] = 1.0
    when_full: WhenEmpty = "wait"

    def __post_init__(self) -> None:
        _check_own_name(self.name)
        _check_number(self, "n", self.n)
        if seconds(self.per) == 0:
            raise ConfigurationError(f"per=0 of {self} is no period: say how long it takes until {self.n} tokens are back")
        if self.burst is not None:
            _check_number(self, "burst", self.burst)
        check_choice("when_full", self.when_full, get_args(WhenEmpty))
        check_key(self, "key", self.key)
        if not (isinstance(self.cost, str) or callable(self.cost) or is_positive(self.cost)):
            raise ConfigurationError(f"cost={self.cost!r} of {self} is neither a positive number nor the field path of one nor a function")

    def __str__(self) -> str:
        burst = "" if self.burst is None else f", burst={self.burst!r}"
        return f"Rate({self.name!r}, {self.n}, per={self.per!r}{burst})"

    def terms(self) -> Mapping[str, float | str]:
        """What all who use the name must say alike."""
        flow = {"per_s": self.n / seconds(self.per), "burst": float(self.n if self.burst is None else self.burst)}
        return flow if self.when_full == "wait" else {**flow, "when_full": self.when_full}


@dataclass(frozen=True)
class Sequence:
    """Runs with the same key go one at a time, in the order in which they were enqueued, each until its end: over retries and waits.

    key: as that of a Limit; default one sequence for all runs. name: default that of the task, so that other tasks have sequences of
    their own; tasks that name the same one share it. on_failure: "block" (default), so that those behind a run that failed wait
    until it is retried (or its key is resumed), or "free". Priorities do not count within a sequence.
    """

    kind: ClassVar[str] = "limit"

    _: KW_ONLY
    key: Key | None = None
    name: str = ""
    on_failure: AfterFailure = "block"

    def __post_init__(self) -> None:
        if self.name:
            _check_own_name(self.name)
        check_key(self, "key", self.key)
        check_choice("on_failure", self.on_failure, get_args(AfterFailure))

    def __str__(self) -> str:
        return f"Sequence({self.name!r})" if self.name else "Sequence()"

    def terms(self) -> Mapping[str, float | str]:
        """What all who use the name must say alike."""
        return {"number": 1}

    def named(self, task: str) -> "Sequence":
        """The same with a name: that of its task, if it has none."""
        return self if self.name else replace(self, name=f"sequence of {task}"[:200])


@dataclass(frozen=True)
class Breaker:
    """Lets nothing start while what the runs need is broken, for each key, over all nodes and all tasks that name this breaker.

    name: what it is called everywhere. It opens when of the last `of` attempts that ended this share failed, which means that they
    raised, whether they are retried or not; attempts that were cancelled, handed back or snoozed say nothing. open_for: so long nothing
    starts; then one run goes as a probe, whose success closes it, and whose failure opens it again. key: as that of a Limit.
    """

    kind: ClassVar[str] = "breaker"

    name: str
    _: KW_ONLY
    failures: float = 0.5
    of: int = 20
    open_for: Duration = "1m"
    key: Key | None = None

    def __post_init__(self) -> None:
        _check_own_name(self.name)
        _check_number(self, "of", self.of)
        if self.of > ENDS_MAX:
            raise ConfigurationError(f"of={self.of} of {self} is more than {ENDS_MAX:,}: a breaker remembers no more ends")
        if not is_positive(self.failures) or self.failures > 1:
            raise ConfigurationError(f"failures={self.failures!r} of {self} is no share: it is above 0 and at most 1, as in failures=0.5")
        if seconds(self.open_for) == 0:
            raise ConfigurationError(f"open_for=0 of {self} is no time, and it would never be open: say how long nothing starts")
        check_key(self, "key", self.key)

    def __str__(self) -> str:
        return f"Breaker({self.name!r})"

    def terms(self) -> Mapping[str, float | str]:
        """What all who use the name must say alike."""
        return {"failures": float(self.failures), "of": self.of, "open_s": seconds(self.open_for)}


AnyLimit: TypeAlias = Limit | Rate | Sequence | Breaker


def _check_own_name(name: object) -> None:
    if not isinstance(name, str):
        raise ConfigurationError(f"{name!r} is no name of a limit: a limit starts with one, as in Limit('per-user', 2)")
    check_name("limit", name)
    if name.endswith((GROUP, COST)) or name in {"*", "/debounce"}:
        raise ConfigurationError(
            f"limit={name!r} cannot be a name: where keys are given, what ends in {GROUP!r} or {COST!r} belongs to another limit, and"
            " '*' to all, and '/debounce' to none"
        )


def check_word(word: object) -> None:
    """ConfigurationError: no limit has a key, a group or a cost that is given under it."""
    suffix = next((suffix for suffix in (GROUP, COST) if isinstance(word, str) and word.endswith(suffix)), "")
    _check_own_name(word.removesuffix(suffix) if isinstance(word, str) else word)


def _check_number(limit: AnyLimit, what: str, number: object) -> None:
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= NUMBER_MAX:
        raise ConfigurationError(f"{what}={number!r} of {limit} must be a whole number from 1 to {NUMBER_MAX:,}")


def check_key(whose: object, what: str, key: object) -> None:
    """ConfigurationError: it is neither a field path nor a function."""
    if key is None or callable(key):
        return
    if not isinstance(key, str):
        raise ConfigurationError(f"{what}={key!r} of {whose} is neither a field path, as in {what}='user.id', nor a function")
