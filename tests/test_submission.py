"""What an enqueue hands to Postgres: the values of each statement, keys of limits among them."""

import json
from typing import Any

from howdah import Limit
from howdah.definitions import Definition
from howdah.submission import Request, introduction, one, one_new, one_telling, several


async def plain(number: int) -> None: ...
async def asked(number: int) -> None: ...


PLAIN = Definition(plain)
ASKED = Definition(asked, limits=[Limit("x", 1, key=lambda number: number)])
LIMITS = [{"limit": "x", "kind": "limit", "terms": {"number": 1}, "asked": True}]


def request(definition: Definition, *numbers: int) -> Request:
    payloads = [definition.encode((number,), {}, 1000) for number in numbers]
    keys = [key for payload in payloads if (key := definition.keys_of(payload)) is not None]
    return Request(definition, payloads, None, keys=keys or None)


def values(statement: tuple[str, tuple[object, ...]]) -> Any:
    return statement[1]


def test_each_statement_ends_with_the_keys_of_its_runs() -> None:
    keys = ['{"x":"1"}', '{"x":"2"}']
    assert values(one(request(ASKED, 1, 2), notify=True))[-1] == keys
    assert values(one_telling(request(ASKED, 1, 2)))[-1] == keys
    assert values(one_new(request(ASKED, 1, 2), notify=True))[-1] == keys
    assert values(several([request(ASKED, 1, 2)]))[-1] == keys


def test_where_no_limit_asks_there_are_no_keys() -> None:
    assert values(one(request(PLAIN, 1, 2), notify=True)) == ("plain", ['{"number":1}', '{"number":2}'], None, True, None)
    assert values(one_telling(request(PLAIN, 1)))[-1] is None
    assert values(one_new(request(PLAIN, 1), notify=True))[-2:] == (None, None)
    assert values(several([request(PLAIN, 1), request(PLAIN, 2)]))[-1] is None


def test_keys_stand_beside_the_arguments_of_their_runs_when_several_tasks_are_enqueued() -> None:
    names, _, counts, args, keys = values(several([request(PLAIN, 1, 2), request(ASKED, 3, 4), request(PLAIN, 5)]))
    assert (names, counts) == (["plain", "asked", "plain"], [2, 2, 1])
    assert [json.loads(one)["number"] for one in args] == [1, 2, 3, 4, 5]
    assert keys == [None, None, '{"x":"3"}', '{"x":"4"}', None]


def test_a_task_is_introduced_with_its_limits() -> None:
    assert introduction(PLAIN)[-1] is None
    name, queue, priority, _, limits = introduction(ASKED)
    assert (name, queue, priority, json.loads(limits or "")) == ("asked", "default", 0, LIMITS)
    assert values(one_new(request(ASKED, 1), notify=False))[-2] == limits
