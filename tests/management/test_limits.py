"""jobs.limits: what is listed, what is set, and what is refused before Postgres hears of it."""

from collections.abc import Awaitable, Callable
from enum import Enum
from uuid import UUID

import asyncpg
import pytest
from howdah import App, ArgumentsInvalid, Limit, Rate
from howdah.management.limits import LimitKey, LimitTerms

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


class Plan(Enum):
    GOLD = "gold"


@pytest.fixture
async def limited(jobs: App) -> App:
    """An app whose limits are known."""

    @jobs.task(limits=[Limit("per-user", 2, key="user_id"), Rate("smtp", 60, per="1m")])
    async def mail(user_id: int) -> None: ...

    async with jobs, jobs.work():
        pass
    return jobs


async def test_they_are_listed_with_what_the_code_says_and_what_was_set(limited: App) -> None:
    async with limited as jobs:
        user, smtp = await jobs.limits.list()
        assert (user.name, user.kind, user.terms, user.said, user.live, user.paused, user.keys) == (
            *("per-user", "limit", LimitTerms(number=2), LimitTerms(number=2), None, False, []),
        )
        assert (smtp.kind, smtp.terms) == ("rate", LimitTerms(per_s=1, burst=60))
        await jobs.limits.set("per-user", 5)
        await jobs.limits.set("smtp", 100, per="1m", burst=20)
        await jobs.limits.override("per-user", 7, 1)
        await jobs.limits.override("smtp", Plan.GOLD, 10, per="1s")
        await jobs.limits.pause("per-user", UUID(int=1))
        await jobs.limits.pause("smtp")
        user, smtp = await jobs.limits.list()
        assert (user.terms, user.said, user.live, user.paused) == (*(LimitTerms(5), LimitTerms(2), LimitTerms(5)), False)
        assert user.keys == [LimitKey(str(UUID(int=1)), None, True), LimitKey("7", LimitTerms(1), False)]
        assert (smtp.terms, smtp.paused) == (LimitTerms(None, 100 / 60, 20), True)
        assert smtp.keys == [LimitKey("gold", LimitTerms(None, 10, 10), False)]
        await jobs.limits.reset("per-user")
        await jobs.limits.reset("smtp")
        await jobs.limits.override("per-user", 7, None)
        await jobs.limits.override("smtp", "gold", None)
        await jobs.limits.resume("per-user", UUID(int=1))
        await jobs.limits.resume("smtp")
        user, smtp = await jobs.limits.list()
        assert (user.live, user.keys, smtp.live, smtp.keys, smtp.paused) == (None, [], None, [], False)


REFUSED: list[tuple[Callable[[App], Awaitable[object]], str]] = [
    (lambda jobs: jobs.limits.set("per-usr", 5), "there is no limit per-usr"),
    (
        lambda jobs: jobs.limits.set("per-user", 0),
        r"n=0 of .* from 1 to .*\. To let nothing start, pause it: jobs.limits.pause",
    ),
    (lambda jobs: jobs.limits.set("per-user", 5, per="1m"), "per-user is a limit and no rate"),
    (lambda jobs: jobs.limits.set("per-user", 5, burst=5), "burst=5 is said of rates, and a rate has a period: pass per="),
    (lambda jobs: jobs.limits.set("smtp", 5), "smtp is a rate and no limit"),
    (lambda jobs: jobs.limits.set("smtp", 5, per=0), "per=0 of .* is no period"),
    (lambda jobs: jobs.limits.set("smtp", 5, per="soon"), "'soon' is no duration"),
    (lambda jobs: jobs.limits.set("smtp", 5, per="1m", burst=0), "burst=0 of"),
    (lambda jobs: jobs.limits.override("smtp", "a", None, per="1m"), "pass n as well, or neither"),
    (lambda jobs: jobs.limits.override("smtp", 1.5, 1, per="1m"), "1.5 is no key of a limit"),  # pyright: ignore[reportArgumentType] - refused
    (lambda jobs: jobs.limits.override("smtp", "a\0", 1, per="1m"), "is no key of a limit"),
    (lambda jobs: jobs.limits.pause("smtp", "x" * 201), "has at most 200 characters"),
    (lambda jobs: jobs.limits.reset("nobody"), "there is no limit nobody"),
]


@pytest.mark.parametrize(("work", "said"), REFUSED, ids=[said for _, said in REFUSED])
async def test_what_makes_no_sense_is_refused(limited: App, work: Callable[[App], Awaitable[object]], said: str) -> None:
    async with limited as jobs:
        with pytest.raises(ArgumentsInvalid, match=said):
            await work(jobs)
