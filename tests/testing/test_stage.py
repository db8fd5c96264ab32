"""The stage: work runs when the test says so, and time passes when the test moves it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import anyio
import pytest
from howdah import App, ConfigurationError, HowdahError, Retry, RunFailed, current_run, use
from howdah.testing import Stage

pytestmark = pytest.mark.anyio


@pytest.fixture
def elsewhere() -> App:
    """An app as a program has it: made at import, for a database that is not there."""
    return App("postgresql://nobody@127.0.0.1:1/nothing", grace_s=2, hard_grace_s=2)


async def test_nothing_runs_until_the_test_says_so(elsewhere: App, dsn: str) -> None:
    done: list[str] = []

    @elsewhere.task
    async def welcome(email: str) -> None:
        done.append(email)

    async with Stage(elsewhere, dsn) as stage:
        await welcome.options(tags=["new"], metadata={"tenant": "7"}, priority=2).enqueue("a@b.c")
        await welcome.options(delay="1h").enqueue("later@b.c")
        first, second = await stage.enqueued(welcome)
        assert (first.task, first.arguments, first.state) == ("welcome", {"email": "a@b.c"}, "queued")
        assert (first.tags, first.metadata, first.priority, first.due) == (["new"], {"tenant": "7"}, 2, None)
        assert second.due is not None
        assert timedelta(minutes=59) < second.due - await stage.now() < timedelta(minutes=61)
        assert done == []
        await stage.run_until_idle()
        assert done == ["a@b.c"]
        assert [run.state for run in await stage.enqueued()] == ["succeeded", "scheduled"]
    assert elsewhere.config.dsn == "postgresql://nobody@127.0.0.1:1/nothing"


async def test_what_a_run_enqueues_runs_too_and_run_gives_the_result(elsewhere: App, dsn: str) -> None:
    @elsewhere.task
    async def leaf(number: int) -> int:
        return number

    @elsewhere.task
    async def branch(number: int) -> int:
        await leaf.enqueue(number + 1)
        return number

    async with Stage(elsewhere, dsn) as stage:
        assert await stage.run(branch, 1) == 1
        (run,) = await stage.enqueued(leaf)
        assert (run.arguments, run.state) == ({"number": 2}, "succeeded")


async def test_a_run_that_fails_raises(elsewhere: App, dsn: str) -> None:
    @elsewhere.task(retry=1)
    async def breaks() -> None:
        raise ValueError("so it is")

    async with Stage(elsewhere, dsn) as stage:
        with pytest.raises(RunFailed, match="so it is"):
            await stage.run(breaks)


async def test_advance_runs_what_is_due_at_its_time_and_in_order(elsewhere: App, dsn: str) -> None:
    times: list[tuple[str, timedelta]] = []

    async with Stage(elsewhere, dsn) as stage:
        began = await stage.now()

        @elsewhere.task
        async def note(name: str) -> None:
            times.append((name, await stage.now() - began))

        @elsewhere.task(retry=Retry(3, base="2h", factor=1))
        async def stubborn() -> None:
            await note.enqueue(f"try {current_run().attempt}")
            if current_run().attempt < 3:
                raise ValueError

        await note.options(delay="7d").enqueue("week")
        await note.options(delay="1d").enqueue("day")
        await note.options(delay="30d").enqueue("month")
        await stubborn.enqueue()
        await stage.advance(days=7, minutes=1)
        assert [name for name, _ in times] == ["try 1", "try 2", "try 3", "day", "week"]
        at = [passed / timedelta(hours=1) for _, passed in times]
        assert 0 <= at[0] < at[1] < at[2] < 4.01, "each retry waits for two hours at most"
        assert [round(hours, 2) for hours in at[3:]] == [24, 168]
        assert timedelta(days=7, minutes=1) <= await stage.now() - began < timedelta(days=7, minutes=2)
        assert [run.state for run in await stage.enqueued(stubborn)] == ["succeeded"]


async def test_a_run_that_nobody_may_start_any_more_expires_on_the_way(elsewhere: App, dsn: str) -> None:
    @elsewhere.task
    async def perishable() -> None: ...

    stub = elsewhere.stub(name="elsewhere")

    @stub
    async def foreign() -> None: ...

    async with Stage(elsewhere, dsn) as stage:
        await foreign.options(expires="1h").enqueue()
        await stage.advance("2h")
        assert [run.state for run in await stage.enqueued()] == ["expired"]


async def test_other_providers_stand_in_for_those_of_the_program(elsewhere: App, dsn: str) -> None:
    async def mailer() -> AsyncIterator[list[str]]:
        raise AssertionError("no mail leaves a test")
        yield []

    sent: list[str] = []

    @elsewhere.task
    async def mail(to: str, through: list[str] = use(mailer)) -> None:
        through.append(to)

    async with Stage(elsewhere, dsn, instead={mailer: lambda: sent}) as stage:
        await stage.run(mail, "a@b.c")
        assert sent == ["a@b.c"]
    with pytest.raises(ConfigurationError, match="no task of this app uses 'len'"):
        async with Stage(elsewhere, dsn, instead={len: lambda: sent}):
            pass


async def test_work_without_end_is_told_by_its_name(elsewhere: App, dsn: str) -> None:
    @elsewhere.task
    async def again() -> None:
        await anyio.sleep(0.01)
        await again.enqueue()

    async with Stage(elsewhere, dsn) as stage:
        await again.enqueue()
        with pytest.raises(TimeoutError, match=r"after 0\.5 s there is still work: again"):
            await stage.run_until_idle("500ms")


async def test_an_app_that_is_open_is_not_moved(jobs: App, dsn: str) -> None:
    async with jobs:
        with pytest.raises(HowdahError, match="point it to another database before"):
            async with Stage(jobs, dsn):
                pass
