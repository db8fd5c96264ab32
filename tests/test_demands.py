"""What the limits of a task ask of its arguments: what is refused at the definition, what the catalogue holds, what functions answer."""

from collections.abc import Callable
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import UUID

import msgspec
import pytest
from howdah import ArgumentsInvalid, ConfigurationError, Limit, Rate
from howdah.definitions import Definition
from howdah.limits import KEY_MAX, Key


class User(msgspec.Struct):
    id: int
    plan: str = "free"


async def send(user: User, pages: int = 1, *, tenant: str = "t") -> None: ...
async def nothing() -> None: ...
async def awaited(user: User, pages: int, *, tenant: str) -> str:
    return tenant


AWAITED: Any = awaited


def first(user: User, pages: int, *, tenant: str) -> str:
    return f"{user.id} {pages} {tenant}"


def weighed(user: User, pages: int, *, tenant: str) -> float:
    return pages / 2


def stated(*limits: Limit | Rate) -> Any:
    return Definition(send, limits=limits).catalogue()["limits"]


def keys(key: Key, *args: Any, function: Callable[..., Any] = send, **kwargs: Any) -> Any:
    definition = Definition(function, limits=[Limit("x", 1, key=key)])
    said = definition.keys_of(definition.encode(args, kwargs, 10_000))
    return said and msgspec.json.decode(said)


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (Limit("x", 1), r"limits=Limit\('x', 1\) of task 'send' \(.*\) is one limit: pass a list, as in limits=\[Limit\('x', 1\)\]"),
        (None, "is no list of limits"),
        (["x"], "'x' among the limits of task 'send' .* is no limit: pass a Limit"),
        ("x", "'x' among the limits"),
        ([Limit("x", 1, key="user.id"), Rate("x", 1, per=1)], "has two limits called 'x': give one of them a name of its own"),
        ([Limit("x", 1, key="usr.id")], r"key= of Limit\('x', 1\) in task 'send' .* no parameter 'usr'; it has user, pages, tenant"),
        ([Limit("x", 1, fair_by="plan")], "fair_by= of .* no parameter 'plan'"),
        ([Rate("x", 1, per=1, cost="page")], "cost= of .* no parameter 'page'"),
        ([Limit("x", 1, key="user..id")], "'user..id' is no field path: that is names with dots between them"),
        ([Limit("x", 1, key=AWAITED)], "is an async function, and an enqueue does not wait for it: make it plain"),
        ([Limit("x", 1, key=lambda user: "")], r"is called with the arguments of the task \(user, pages, tenant\), and cannot take them"),
        ([Limit("x", 1, fair_by=lambda user, pages: "")], "fair_by= of .* cannot take them: .*'tenant'"),
    ],
)
def test_limits_that_do_not_fit_the_task_are_refused_at_its_definition(limits: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        Definition(send, limits=limits)


def test_a_task_without_parameters_says_so() -> None:
    with pytest.raises(ConfigurationError, match="has no parameter 'user'; it has none"):
        Definition(nothing, limits=[Limit("x", 1, key="user")])


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (
            Limit("x", 1, key="user"),
            r"key= of Limit\('x', 1\) does not fit the types of task 'send' .*: 'user' leads to User, and one text or number",
        ),
        (Limit("x", 1, fair_by="user.name"), "fair_by= of .*'user' has no 'name', and is User with id, plan"),
        (Rate("x", 1, per=1, cost="tenant"), "cost= of .*'tenant' leads to str, and a number is wanted there"),
    ],
)
def test_a_path_that_does_not_fit_the_types_is_refused_when_they_are_known(limit: Limit | Rate, text: str) -> None:
    definition = Definition(send, limits=[limit])
    with pytest.raises(ConfigurationError, match=text):
        definition.catalogue()


def test_the_catalogue_holds_the_limits_in_their_order_without_what_is_default() -> None:
    assert stated(
        Limit("all", 7),
        Limit("per-user", 2, key="user.id", fair_by="user.plan", weights={"gold": 3}, hold="run"),
        Limit("per-tenant", 2, key="tenant"),
        Limit("asked", 1, key=first, fair_by=first),
        Rate("smtp", 60, per="1m", burst=5, cost=2),
        Rate("pages", 60, per="1m", key=first, cost="pages"),
        Rate("plain", 30, per="1m", cost=1),
        Rate("weighed", 30, per="1m", cost=weighed),
    ) == [
        {"limit": "all", "kind": "limit", "terms": {"number": 7}},
        {
            "limit": "per-user", "kind": "limit", "terms": {"number": 2}, "path": ["user", "id"], "group": ["user", "plan"],
            "weights": {"gold": 3.0}, "hold": "run",
        },
        {"limit": "per-tenant", "kind": "limit", "terms": {"number": 2}, "path": ["tenant"], "default": "t"},
        {"limit": "asked", "kind": "limit", "terms": {"number": 1}, "asked": True, "group_asked": True},
        {"limit": "smtp", "kind": "rate", "terms": {"per_s": 1.0, "burst": 5}, "cost": 2.0},
        {"limit": "pages", "kind": "rate", "terms": {"per_s": 1.0, "burst": 60}, "asked": True, "cost_path": ["pages"]},
        {"limit": "plain", "kind": "rate", "terms": {"per_s": 0.5, "burst": 30}},
        {"limit": "weighed", "kind": "rate", "terms": {"per_s": 0.5, "burst": 30}, "cost_asked": True},
    ]  # fmt: skip


def test_a_task_without_limits_says_none_and_is_asked_nothing() -> None:
    definition = Definition(send)
    assert definition.catalogue()["limits"] is None
    assert definition.keys_of("no json at all") is None
    assert Definition(send, limits=[Limit("x", 1, key="user.id")]).keys_of("no json at all") is None


def test_a_function_is_called_as_the_task_is_with_what_it_is_given() -> None:
    assert keys(first, User(7)) == {"x": "7 1 t"}
    assert keys(first, {"id": 7}, 2, tenant="ü") == {"x": "7 2 ü"}
    assert keys(first, user=User(7), pages=3) == {"x": "7 3 t"}
    assert keys(lambda: "one", function=nothing) == {"x": "one"}
    assert keys(lambda *_args, **_kwargs: "", User(7)) == {"x": ""}


def test_each_function_answers_under_its_own_word() -> None:
    calls: list[int] = []

    def counted(user: User, pages: int, *, tenant: str) -> int:
        calls.append(pages)
        return len(calls)

    definition = Definition(
        send, limits=[Limit("a", 1, key=counted, fair_by=counted), Limit("b", 1, key="tenant"), Rate("c", 1, per=1, key=counted)]
    )
    assert definition.keys_of(definition.encode((User(1), 5), {}, 1000)) == '{"a":"1","a/group":"2","c":"3"}'
    assert calls == [5, 5, 5]


def test_a_cost_is_a_number_of_its_own_beside_the_key() -> None:
    definition = Definition(send, limits=[Rate("x", 1, per=1, key=first, cost=weighed)])
    assert definition.keys_of(definition.encode((User(1), 5), {}, 1000)) == '{"x":"1 5 t","x/cost":2.5}'


@pytest.mark.parametrize("answer", [0, -1, True, "1", None, float("nan"), float("inf")])
def test_a_cost_that_is_no_positive_number_is_refused(answer: Any) -> None:
    definition = Definition(send, limits=[Rate("x", 1, per=1, cost=lambda *_args, **_kwargs: answer)])
    with pytest.raises(ArgumentsInvalid, match=r"cost= of Rate.* in task 'send' .* returned .*: a cost is a positive number"):
        definition.keys_of(definition.encode((User(1),), {}, 1000))


class Text(StrEnum):
    A = "a"


class Number(IntEnum):
    ONE = 1


class Plain(Enum):
    YES = True


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("a", "a"), ("", ""), (7, "7"), (-7, "-7"), (True, "true"), (False, "false"), (UUID(int=1), str(UUID(int=1))), (Text.A, "a"),
        (Number.ONE, "1"), (Plain.YES, "true"), ("x" * KEY_MAX, "x" * KEY_MAX),
    ],
)  # fmt: skip
def test_a_key_is_the_text_that_the_same_value_has_in_stored_arguments(answer: Any, text: str) -> None:
    assert keys(lambda *_args, **_kwargs: answer, User(1)) == {"x": text}


@pytest.mark.parametrize("answer", [None, 1.5, b"a", ["a"], User(1), object()])
def test_an_answer_that_is_no_key_is_refused(answer: Any) -> None:
    with pytest.raises(ArgumentsInvalid, match=r"key= of Limit\('x', 1\) in task 'send' .* returned .*: a key is text, a whole number"):
        keys(lambda *_args, **_kwargs: answer, User(1))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("x" * (KEY_MAX + 1), "it has 201 characters of at most 200, and no NUL. Let it return a digest"),
        ("a\0", "no NUL"),
        ("\ud800", "no text"),
    ],
)
def test_an_answer_that_cannot_be_stored_is_refused(answer: str, text: str) -> None:
    with pytest.raises(ArgumentsInvalid, match=text):
        keys(lambda *_args, **_kwargs: answer, User(1))


def test_a_function_that_raises_is_named_with_its_task_and_its_error_is_the_cause() -> None:
    def broken(user: User, pages: int, *, tenant: str) -> str:
        raise KeyError(tenant)

    with pytest.raises(ArgumentsInvalid, match=r"key= of Limit\('x', 1\) in task 'send' \(.*\) raised KeyError: 't'") as refused:
        keys(broken, User(1))
    assert isinstance(refused.value.__cause__, KeyError)
