"""Scopes: entered by what a provider returned, left in reverse order."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from howdah.errors import ConfigurationError
from howdah.scopes import Scope, enter, unwind

pytestmark = pytest.mark.anyio


def plain() -> Generator[int, Any, None]:
    yield 1


async def asynchronous() -> AsyncGenerator[int, Any]:
    yield 1


async def coroutine() -> int:
    return 1


@pytest.mark.parametrize(
    ("make", "scopes"),
    [(lambda: 1, 0), (coroutine, 0), (plain, 1), (asynchronous, 1), (contextmanager(plain), 1), (asynccontextmanager(asynchronous), 1)],
)
async def test_what_a_provider_returned_decides_how_it_is_entered(make: Any, scopes: int) -> None:
    opened: list[Scope] = []
    assert await enter(make(), opened) == 1
    assert len(opened) == scopes
    assert await unwind(opened, None, None) is None
    assert opened == []


async def test_what_is_no_generator_is_a_value_even_where_it_could_be_iterated_or_entered(tmp_path: Path) -> None:
    opened: list[Scope] = []
    with (tmp_path / "log").open("w") as file:
        for value in (iter([1]), file, [1]):
            assert await enter(value, opened) is value
    assert opened == []


@pytest.mark.parametrize("error", [StopIteration(1), StopAsyncIteration(), RuntimeError("x"), KeyError("x"), GeneratorExit()])
@pytest.mark.parametrize("make", [plain, asynchronous])
async def test_an_error_passes_through_a_scope_as_it_is_with_its_own_traceback(make: Any, error: BaseException) -> None:
    opened: list[Scope] = []
    await enter(make(), opened)
    await enter(make(), opened)
    try:
        raise error
    except BaseException as raised:
        trace = raised.__traceback__
    assert await unwind(opened, None, error) is error
    assert error.__traceback__ is trace


async def test_a_scope_may_replace_the_error_and_one_that_swallows_it_does_not_undo_it() -> None:
    seen: list[BaseException] = []

    async def outer() -> AsyncGenerator[None, Any]:
        try:
            yield
        except BaseException as error:
            seen.append(error)

    def inner() -> Generator[None, Any, None]:
        try:
            yield
        except KeyError as error:
            raise LookupError("translated") from error

    opened: list[Scope] = []
    await enter(outer(), opened)
    await enter(inner(), opened)
    left = await unwind(opened, None, KeyError("x"))
    assert isinstance(left, LookupError)
    assert isinstance(left.__cause__, KeyError)
    assert seen == [left]


async def test_a_scope_yields_exactly_once() -> None:
    def never() -> Generator[None, Any, None]:
        yield from ()

    def twice() -> Generator[None, Any, None]:
        yield
        yield

    opened: list[Scope] = []
    with pytest.raises(ConfigurationError, match="never' ended without a yield"):
        await enter(never(), opened)
    await enter(twice(), opened)
    left = await unwind(opened, None, None)
    assert isinstance(left, ConfigurationError)
    assert "twice' yielded a second time" in str(left)


async def test_the_outcome_is_what_the_yield_gives() -> None:
    given: list[Any] = []

    async def scope() -> AsyncGenerator[None, Any]:
        given.append((yield))

    opened: list[Scope] = []
    await enter(scope(), opened)
    await unwind(opened, 7, None)
    assert given == [7]
