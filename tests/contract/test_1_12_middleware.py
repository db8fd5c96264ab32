"""CONTRACT 1.12: middleware wraps each attempt in definition order, none costs nothing, and docs/ shows Sentry and structlog."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from howdah import App, ConfigurationError, Retry, RunFailed, Snooze, current_run, use
from howdah.actors.lane import Lane

pytestmark = pytest.mark.anyio


async def test_middleware_wraps_each_attempt_in_definition_order_and_is_given_the_outcome(jobs: App) -> None:
    told: list[Any] = []

    async def made() -> AsyncGenerator[int, None]:
        told.append("made")
        yield 1
        told.append("cleaned up")

    @jobs.middleware
    async def outer() -> AsyncGenerator[None, Any]:
        told.append(("outer", current_run().task, current_run().attempt))
        outcome = yield
        told.append(("outer", outcome))

    @jobs.middleware
    async def inner() -> AsyncGenerator[None, Any]:
        told.append("inner")
        outcome = yield
        told.append(("inner", outcome))

    @jobs.task
    async def work(number: int, made: int = use(made)) -> int:
        told.append("work")
        return number + made

    @jobs.task
    def plain() -> None:
        told.append("plain")

    async with jobs.work():
        assert await (await work.enqueue(1)).result("10s") == 2
        await (await plain.enqueue()).result("10s")
    first = [("outer", "work", 1), "inner", "made", "work", "cleaned up", ("inner", 2), ("outer", 2)]
    assert told == [*first, ("outer", "plain", 1), "inner", "plain", ("inner", None), ("outer", None)]


async def test_errors_pass_through_each_middleware_swallowed_or_not_and_may_be_replaced(jobs: App) -> None:
    told: list[str] = []

    @jobs.middleware
    async def outer() -> AsyncGenerator[None, Any]:
        try:
            yield
        except Exception as error:
            told.append(f"outer {error!r}")
            raise

    @jobs.middleware
    async def swallowing() -> AsyncGenerator[None, Any]:
        try:
            yield
        except ValueError as error:
            told.append(f"swallowing {error!r}")
        except KeyError as error:
            raise Snooze("1ms") from error

    @jobs.task(retry=1)
    async def fail() -> None:
        raise ValueError("mine")

    @jobs.task(retry=1)
    async def miss() -> int:
        if len(told) == 2:
            raise KeyError("later")
        return 7

    async with jobs.work():
        with pytest.raises(RunFailed, match="mine") as caught:
            await (await fail.enqueue()).result("10s")
        assert caught.value.is_a(ValueError)
        assert "outer" not in caught.value.traceback
        assert told == ["swallowing ValueError('mine')", "outer ValueError('mine')"]
        assert await (await miss.enqueue()).result("10s") == 7
    assert told[2].startswith("outer Snooze(")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_middleware_that_raises_fails_the_attempt(jobs: App, when: str) -> None:
    told: list[str] = []

    @jobs.middleware
    async def broken() -> AsyncGenerator[None, Any]:
        if when == "before":
            raise OSError(when)
        yield
        raise OSError(when)

    @jobs.task(retry=Retry(2, base="1ms"))
    async def work() -> None:
        told.append("work")

    async with jobs.work():
        with pytest.raises(RunFailed, match=when) as caught:
            await (await work.enqueue()).result("10s")
    assert caught.value.attempt == 2
    assert len(told) == (0 if when == "before" else 2)


@pytest.mark.parametrize("yields", [0, 2])
async def test_a_middleware_that_does_not_yield_exactly_once_fails_the_attempt_and_says_so(jobs: App, yields: int) -> None:
    @jobs.middleware
    async def miscounted() -> AsyncGenerator[None, Any]:
        for _ in range(yields):
            yield

    @jobs.task(retry=1)
    async def work() -> None: ...

    async with jobs.work():
        with pytest.raises(RunFailed, match=r"miscounted' .* yields exactly once"):
            await (await work.enqueue()).result("10s")


async def test_a_result_that_cannot_be_stored_is_an_error_for_the_middleware_too(jobs: App) -> None:
    seen: list[str] = []

    @jobs.middleware
    async def watching() -> AsyncGenerator[None, Any]:
        try:
            yield
        except Exception as error:
            seen.append(str(error))
            raise

    @jobs.task(retry=1)
    async def work() -> object:
        return object()

    async with jobs.work():
        with pytest.raises(RunFailed, match="cannot be stored as json"):
            await (await work.enqueue()).result("10s")
    assert len(seen) == 1


async def test_the_time_of_an_attempt_counts_its_middleware(jobs: App) -> None:
    @jobs.middleware
    async def slow() -> AsyncGenerator[None, Any]:
        await anyio.sleep_forever()
        yield

    @jobs.task(retry=1, timeout=0.1)
    async def work() -> None: ...

    async with jobs.work():
        with pytest.raises(RunFailed, match="longer than its timeout"):
            await (await work.enqueue()).result("10s")


def test_what_is_no_middleware_is_refused_where_it_is_defined() -> None:
    jobs = App()

    async def flat() -> None: ...
    async def contextual(run: object) -> AsyncGenerator[None, Any]:
        yield

    for function in (flat, contextual):
        with pytest.raises(ConfigurationError, match=r"must be an async generator function without parameters.*current_run\(\)"):
            jobs.middleware(function)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("with_middleware", [False, True])
async def test_without_middleware_and_dependencies_nothing_is_paid(
    jobs: App, monkeypatch: pytest.MonkeyPatch, *, with_middleware: bool
) -> None:
    entered: list[str] = []
    surrounded = Lane._surrounded

    async def counted(self: Lane, *args: Any) -> Any:
        entered.append(self.name)
        return await surrounded(self, *args)

    monkeypatch.setattr(Lane, "_surrounded", counted)
    if with_middleware:

        @jobs.middleware
        async def around() -> AsyncGenerator[None, Any]:
            yield

    @jobs.task
    async def work() -> int:
        return 7

    @jobs.task
    def plain() -> int:
        return 8

    async with jobs.work():
        assert await (await work.enqueue()).result("10s") == 7
        assert await (await plain.enqueue()).result("10s") == 8
    assert entered == (["work", "plain"] if with_middleware else [])


def test_the_docs_show_sentry_and_structlog() -> None:
    page = (Path(__file__).parents[2] / "docs/middleware.md").read_text()
    for word in ("sentry_sdk.init(", "sentry_sdk.capture_exception(", "structlog.get_logger(", "structlog.contextvars.bound_contextvars("):
        assert word in page
    assert page.count("@jobs.middleware") >= 3
