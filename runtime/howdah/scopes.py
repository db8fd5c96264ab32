"""Scopes: generators that yield once, between the before and the after of something. Middleware and dependencies are scopes.

They end in reverse order. The error of what a scope surrounds is raised at its yield and passes through: a scope may
raise another one instead, but not raising it again does not undo it.
"""

from contextlib import _AsyncGeneratorContextManager, _GeneratorContextManager  # pyright: ignore[reportPrivateUsage] - known by type alone
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Final, TypeAlias

from .errors import ConfigurationError

Scope: TypeAlias = "AsyncGeneratorType[Any, Any] | GeneratorType[Any, Any, Any]"

_MANAGERS = (_AsyncGeneratorContextManager, _GeneratorContextManager)
_ENDED: Final = object()
_SPECIAL = frozenset({CoroutineType, AsyncGeneratorType, GeneratorType, *_MANAGERS})


async def enter(made: object, opened: list[Scope]) -> Any:
    """What a provider supplies, given what calling it returned: a value, a coroutine of one, or a scope around one, which is
    noted in `opened`. What it is decides, as it does for type checkers, not how the provider was written."""
    kind = type(made)
    if kind not in _SPECIAL:
        return made
    special: Any = made
    if kind is CoroutineType:
        return await special
    scope: Scope = special.gen if kind in _MANAGERS else special
    value = next(scope, _ENDED) if isinstance(scope, GeneratorType) else await anext(scope, _ENDED)
    if value is _ENDED:
        raise ConfigurationError(f"{name_of(scope)} ended without a yield: what surrounds something yields exactly once")
    opened.append(scope)
    return value


async def unwind(opened: list[Scope], outcome: object, error: BaseException | None) -> BaseException | None:
    """Ends the scopes, the last one first. Each is given the outcome, or the error; the error that is left, if any."""
    while opened:
        scope = opened.pop()
        if error is not None:
            error = await _pass_through(scope, error)
            continue
        try:
            if isinstance(scope, GeneratorType):
                scope.send(outcome)
            elif outcome is not None:
                await scope.asend(outcome)
            elif await anext(scope, _ENDED) is _ENDED:  # As asend(None), without an exception for each end.
                continue
        except (StopIteration, StopAsyncIteration):
            continue  # What a generator raises of these becomes a RuntimeError.
        except BaseException as raised:  # noqa: BLE001 - user code
            error = raised
        else:
            error = _second_yield(scope)
    return error


async def _pass_through(scope: Scope, seen: BaseException) -> BaseException:
    trace = seen.__traceback__
    try:
        if isinstance(scope, GeneratorType):
            scope.throw(seen)
        else:
            await scope.athrow(seen)
    except (StopIteration, StopAsyncIteration):
        return seen
    except BaseException as raised:  # noqa: BLE001 - user code: its error takes the place of the one that it saw
        same = raised is seen or (isinstance(raised, RuntimeError) and raised.__cause__ is seen)
        return seen if same else raised
    finally:
        # Its way through the scopes says nothing about where it was raised.
        seen.__traceback__ = trace
    second = _second_yield(scope)
    second.__cause__ = seen
    return second


def _second_yield(scope: Scope) -> ConfigurationError:
    return ConfigurationError(f"{name_of(scope)} yielded a second time: what surrounds something yields exactly once")


def name_of(what: Any) -> str:
    """A function, or the generator that it made, as errors name it."""
    return repr(getattr(what, "__qualname__", None) or what)
