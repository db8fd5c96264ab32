"""CONTRACT 1.27: words for exceptions that a task raises."""

from collections.abc import Callable

import pytest
from howdah import App, GiveUp, Rate, RateLimited, Retry, RunFailed, Snooze, current_run

pytestmark = pytest.mark.anyio


async def test_raise_snooze_burns_no_attempt(jobs: App) -> None:
    seen: list[int] = []

    @jobs.task(retry=1)
    async def later() -> int:
        seen.append(current_run().attempt)
        if len(seen) < 3:
            raise Snooze("1ms")
        return current_run().attempt

    @jobs.task(retry=1)
    def in_a_thread() -> int:
        seen.append(current_run().attempt)
        if len(seen) < 5:
            raise Snooze(0.001)
        return current_run().attempt

    async with jobs.work():
        assert await (await later.enqueue()).result("10s") == 1
        assert await (await in_a_thread.enqueue()).result("10s") == 1
    assert seen == [1] * 5


async def test_raise_rate_limited_burns_no_attempt_and_says_whose_limit_it_was(jobs: App) -> None:
    seen: list[str] = []

    @jobs.task(retry=1, limits=[Rate("smtp", 9, per="1s")])
    async def later() -> int:
        if not seen:
            error = RateLimited("smtp", retry_after=0.001)
            seen.append(f"{error.limit}: {error}")
            raise error
        return current_run().attempt

    async with jobs.work():
        assert await (await later.enqueue()).result("10s") == 1
    assert seen == ["smtp: smtp asks for a pause of 0.001 s"]


async def test_raise_give_up_makes_no_further_attempts(jobs: App) -> None:
    def plain() -> None:
        raise GiveUp("the card was withdrawn")

    async def coroutine() -> None:
        raise GiveUp("the card was withdrawn") from ValueError("declined")

    functions: tuple[Callable[[], object], ...] = (plain, coroutine)
    tasks = [jobs.task(retry=Retry(5, base="1ms"))(function) for function in functions]
    async with jobs.work():
        for task in tasks:
            with pytest.raises(RunFailed, match="the card was withdrawn") as caught:
                await (await task.enqueue()).result("10s")
            assert caught.value.attempt == 1
            assert caught.value.is_a(GiveUp)


async def test_the_words_work_where_an_attempt_is_surrounded_too(jobs: App) -> None:
    seen: list[int] = []

    @jobs.middleware
    async def around():  # pyright: ignore[reportUnknownParameterType]
        seen.append(current_run().attempt)
        yield

    @jobs.task(retry=1)
    async def later() -> None:
        if len(seen) < 2:
            raise Snooze("1ms")
        raise GiveUp("enough")

    async with jobs.work():
        with pytest.raises(RunFailed, match="enough"):
            await (await later.enqueue()).result("10s")
    assert seen == [1, 1]
