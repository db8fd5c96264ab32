"""Definitions: what a signature takes, what is refused, and what the catalogue says of it."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from howdah import App, FailedRun, Limit, Rate, Retry, Tasks
from howdah.definitions import Definition
from howdah.errors import ArgumentsInvalid, ConfigurationError
from howdah.policy import Defaults, Policy
from howdah.registry import Registry

MAX = 1000


class User(msgspec.Struct):
    id: int
    tags: list[str] = []


def define(function: Any, **said: Any) -> Definition:
    own = {word: said.pop(word) for word in Defaults.__struct_fields__ if word in said}
    return Definition(function, said=Defaults(**own), **said)


async def send(user: User, count: int = 2, *, loud: bool = False, note: str | None = None) -> str:
    return f"{user.id} {count} {loud} {note}"


def roundtrip(definition: Definition, *args: Any, **kwargs: Any) -> Any:
    positional, keywords = definition.decode(definition.encode(args, kwargs, MAX))
    return [*positional], keywords


def test_arguments_arrive_as_the_signature_takes_them_with_its_defaults() -> None:
    definition = define(send)
    quiet = {"loud": False, "note": None}
    assert roundtrip(definition, User(1)) == ([User(1), 2], quiet)
    assert roundtrip(definition, User(1, ["x"]), count=5) == ([User(1, ["x"]), 5], quiet)
    assert roundtrip(definition, user=User(1), note="n", loud=True) == ([User(1), 2], {"loud": True, "note": "n"})


def test_a_required_keyword_may_follow_a_default() -> None:
    def odd(a: int = 1, *, b: int, c: int = 3) -> None: ...

    assert roundtrip(define(odd), b=2) == ([1], {"b": 2, "c": 3})


def test_a_mutable_default_is_the_functions_own() -> None:
    def plain(a: list[int] = [], b: dict[str, int] = {"x": 1}) -> None: ...  # noqa: B006

    assert roundtrip(define(plain)) == ([[], {"x": 1}], {})


def test_a_payload_that_was_stored_before_a_parameter_was_added_takes_its_default() -> None:
    assert define(send).decode('{"user": {"id": 1}}') == ((User(1), 2), {"loud": False, "note": None})


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, "user"),
        ((1,), {}, "user"),
        ((User(1), "two"), {}, "count"),
        ((User(1), 2, True), {}, "3 positional arguments were given for 2"),
        ((User(1),), {"lod": True}, "lod"),
        ((User(1),), {"user": User(1)}, "user"),
        ((User(1),), {"note": object()}, "cannot take these arguments"),
        ((User(1),), {"note": "x" * MAX}, "over the limit of 1,000"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_sent(args: tuple[Any, ...], kwargs: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentsInvalid, match=text):
        define(send).encode(args, kwargs, MAX)


def starred(*args: int) -> None: ...
def keyworded(**kwargs: int) -> None: ...
def positional_only(a: int, /) -> None: ...
def generator() -> Any:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("function", "said", "text"),
    [
        (starred, {}, "needs a parameter of its own"),
        (keyworded, {}, "needs a parameter of its own"),
        (positional_only, {}, "positional-only"),
        (generator, {}, "is a generator"),
        (async_generator, {}, "is a generator"),
        (lambda: None, {}, "has no name"),
        (send, {"priority": 40000}, "out of range"),
    ],
)
def test_a_function_that_cannot_be_a_task_is_refused_at_its_definition(function: Any, said: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        define(function, **said)


def test_two_tasks_of_one_name_are_refused_with_both_places() -> None:
    registry = Registry()
    registry.add(define(send))
    with pytest.raises(ConfigurationError, match=r"test_definitions.py:\d+, one at .*test_definitions.py:\d+"):
        registry.add(define(starless, name="send"))
    assert [one.name for one in registry] == ["send"]
    assert registry.get("other") is None


def starless(a: int) -> None: ...


def shared(a: int) -> None: ...


@pytest.mark.parametrize("other", [Limit("x", 3, key="a"), Rate("x", 2, per=1)])
def test_two_limits_of_one_name_that_are_not_the_same_are_refused_with_both_places(other: Limit | Rate) -> None:
    registry = Registry()
    registry.add(define(starless, limits=[Limit("x", 2, key="a")]))
    places = r"Limit\('x', 2\) of task 'starless' at .*test_definitions.py:\d+, .* of task 'shared' at .*test_definitions.py:\d+"
    with pytest.raises(ConfigurationError, match=f"two limits are called 'x', and are not the same: {places}"):
        registry.add(define(shared, limits=[Limit("y", 1), other]))
    assert [one.name for one in registry] == ["starless"]
    registry.add(define(shared, limits=[Limit("y", 9)]))  # Nothing is left of what was refused.


def test_tasks_share_a_limit_when_they_say_the_same_of_it() -> None:
    registry = Registry()
    registry.add(define(starless, limits=[Limit("x", 2, key="a"), Rate("smtp", 60, per="1m")]))
    registry.add(define(shared, limits=[Limit("x", 2, fair_by="a"), Rate("smtp", 60, per=60, burst=60, cost="a")]))
    assert len(registry) == 2


def test_a_limit_of_an_included_task_must_be_the_apps() -> None:
    jobs, tasks = App(), Tasks()
    jobs.task(limits=[Limit("x", 2)])(starless)
    tasks.task(limits=[Limit("x", 3)])(shared)
    with pytest.raises(ConfigurationError, match="two limits are called 'x'"):
        jobs.include(tasks)


def test_a_handler_that_postgres_enqueues_has_no_limit_that_only_python_can_ask() -> None:
    async def report(failed: FailedRun) -> None: ...

    def key(failed: FailedRun) -> str:
        return failed.task

    asked = define(report, limits=[Limit("x", 1, key=key)])
    with pytest.raises(ConfigurationError, match=r"key= of Limit\('x', 1\) in the handler 'report' .* cannot call it: pass a field path"):
        define(starless, on_failure=asked)
    with pytest.raises(ConfigurationError, match="pass a field path"):
        define(report, facts=["run.failed"], limits=[Limit("x", 1, fair_by=key)])
    define(starless, on_failure=define(report, limits=[Limit("x", 1, key="failed.task")]))


def test_the_hash_changes_with_what_the_catalogue_says_and_with_nothing_else() -> None:
    same, known = define(send).catalogue()["hash"], define(send).catalogue()["hash"]
    assert same == known
    others = [
        define(send, queue="q"),
        define(send, priority=1),
        define(send, retry=9),
        define(starless, name="send"),
        define(send, limits=[Limit("x", 2, key="user.id")]),
        define(send, limits=[Limit("x", 3, key="user.id")]),
        define(send, limits=[Limit("x", 3, key="count")]),
        define(send, limits=[Rate("x", 3, per="1m", key="count")]),
    ]
    assert len({known, *(one.catalogue()["hash"] for one in others)}) == 9


def test_a_run_says_otherwise_than_its_task() -> None:
    definition = define(send, timeout=60)
    assert definition.policy_of(None) == Policy(Retry(3), 60.0)
    assert definition.policy_of('{"timeout": 5}') == Policy(Retry(3), 5.0)
    assert definition.policy_of('{"retry": {"attempts": 1}}') == Policy(Retry(1), 60.0)


def test_a_tasks_own_words_go_before_those_of_its_tasks_before_the_apps_before_the_librarys() -> None:
    app, tasks = Defaults(retry=Retry(7), timeout="1m", queue="app"), Defaults(timeout="5s", priority=3)

    assert define(starless).policy == Policy(Retry(3), 900.0)
    definition = define(starless, retry=2)
    definition.fill(tasks.over(app))
    assert (definition.policy, definition.queue, definition.priority) == (Policy(Retry(2), 5.0), "app", 3)
    definition = define(starless, timeout=1, queue="own", priority=0)
    definition.fill(tasks.over(app))
    assert (definition.policy, definition.queue, definition.priority) == (Policy(Retry(7), 1.0), "own", 0)
    with pytest.raises(ConfigurationError, match="a timeout is positive"):
        define(starless, timeout=0)


def test_at_most_once_is_one_attempt_unless_the_task_itself_says_more() -> None:
    definition = define(starless, delivery="at_most_once")
    definition.fill(Defaults(retry=9))
    assert definition.policy.retry.attempts == 1
    assert define(starless, delivery="at_most_once", retry=4).policy.retry.attempts == 4
    assert define(starless, delivery="at_most_once").catalogue()["defaults"]["delivery"] == "at_most_once"
    assert "delivery" not in define(starless).catalogue()["defaults"]
