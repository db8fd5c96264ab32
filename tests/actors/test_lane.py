"""One attempt: arguments in, result or verdict out."""

import asyncio
import math
import re

import pytest
from howdah import GiveUp, Limit, Rate, RateLimited, Snooze
from howdah.actors.lane import describe
from howdah.codec import decode
from howdah.context import CurrentRun
from howdah.core.states import Kind
from howdah.core.verdict import Cause, Misfit

from .stage import HOME, claimed, lane

pytestmark = pytest.mark.anyio


async def double(number: int, *, plus: int = 0) -> int | None:
    return 2 * number + plus or None


def current(args: str = "{}", attempt: int = 1) -> CurrentRun:
    return CurrentRun(claimed(1, args=args, attempt=attempt), "double", 0.0, HOME)


async def test_a_result_is_json_and_no_result_is_nothing() -> None:
    assert await lane(double).attempt(current('{"number": 2, "plus": 1}')) == (Kind.SUCCEEDED, "5")
    assert await lane(double).attempt(current('{"number": 0}')) == (Kind.SUCCEEDED, None)


async def test_arguments_that_do_not_fit_are_for_another_definition_and_options_that_make_no_sense_for_none() -> None:
    with pytest.raises(Misfit, match="do not fit the signature of 'double'"):
        await lane(double).attempt(current('{"number": "x"}'))
    with pytest.raises(GiveUp, match="make no sense"):
        lane(double).policy_of('{"retry": {"attempts": 0}}')


async def test_the_verdict_of_each_way_to_raise() -> None:
    task = lane(double, attempts=2)
    for error, cause, attempt, kind in (
        (ValueError(), None, 1, Kind.RETRIED),
        (ValueError(), None, 2, Kind.FAILED),
        (GiveUp(), None, 1, Kind.FAILED),
        (Snooze(3), None, 9, Kind.SNOOZED),
        (asyncio.CancelledError(), None, 2, Kind.FAILED),
        (asyncio.CancelledError(), Cause.TIMEOUT, 2, Kind.FAILED),
        (asyncio.CancelledError(), Cause.TIMEOUT, 1, Kind.RETRIED),
        (asyncio.CancelledError(), Cause.CANCEL, 1, Kind.STOPPED),
        (asyncio.CancelledError(), Cause.SHUTDOWN, 1, Kind.RELEASED),
        (ValueError(), Cause.SHUTDOWN, 2, Kind.FAILED),
    ):
        run = current(attempt=attempt)
        run.cause = cause
        got, data, delay_s = task.judge(run, task.policy, error)
        assert got == kind
        assert (data is None) == (kind in (Kind.STOPPED, Kind.RELEASED))
        assert (delay_s is not None) == (kind in (Kind.RETRIED, Kind.SNOOZED))
        if kind is Kind.RETRIED:
            assert delay_s is not None
            assert 0 <= delay_s <= 10


def test_what_runs_at_most_once_fails_when_its_node_is_stopped_and_may_snooze() -> None:
    task = lane(double, delivery="at_most_once")
    run = current()
    run.cause = Cause.SHUTDOWN
    kind, data, delay_s = task.judge(run, task.policy, asyncio.CancelledError())
    assert (kind, delay_s) == (Kind.FAILED, None)
    assert data is not None
    assert "the node was stopped during the attempt" in data
    assert task.judge(current(), task.policy, Snooze(3))[0] == Kind.SNOOZED
    assert task.judge(current(), task.policy, ValueError())[0] == Kind.FAILED


CRM, SMTP = Rate("crm", 10, per="1s"), Rate("smtp", 10, per="1s")


@pytest.mark.parametrize(
    ("limits", "said", "rate"), [([CRM], None, "crm"), ([Limit("x", 1), CRM], "crm", "crm"), ([CRM, SMTP], "smtp", "smtp")]
)
def test_a_pause_that_the_other_side_asks_for_is_that_of_a_rate(limits: list[Limit | Rate], said: str | None, rate: str) -> None:
    run = current()
    task = lane(double, limits=limits)
    assert task.judge(run, task.policy, RateLimited(said, retry_after=30))[::2] == (Kind.SNOOZED, 30)
    assert run.limited == rate


@pytest.mark.parametrize(
    ("limits", "said", "text"),
    [
        ([], None, "without a name, and it has no rate among its limits"),
        ([Limit("crm", 1)], "crm", r"RateLimited\('crm', ...\), and it has no rate among its limits"),
        ([CRM], "cmr", r"RateLimited\('cmr', ...\), and its rates are 'crm': name one of its rates"),
        ([CRM, SMTP], None, "without a name, and its rates are 'crm', 'smtp': name one of its rates, or raise Snooze"),
    ],
)
def test_a_pause_of_no_rate_or_of_any_gives_up_and_names_those_that_there_are(
    limits: list[Limit | Rate], said: str | None, text: str
) -> None:
    run = current()
    task = lane(double, attempts=9, limits=limits)
    kind, data, _ = task.judge(run, task.policy, RateLimited(said, retry_after=30))
    assert (kind, run.limited) == (Kind.FAILED, None)
    assert data is not None
    assert re.search(text, decode(data)["message"])
    assert decode(data)["type"] == "howdah.errors.GiveUp"


def test_a_pause_closes_nothing_where_the_run_was_to_be_cancelled() -> None:
    run = current()
    run.cause = Cause.CANCEL
    task = lane(double, limits=[CRM])
    assert task.judge(run, task.policy, asyncio.CancelledError())[0] == Kind.STOPPED
    assert run.limited is None


def test_the_jitter_is_full() -> None:
    task = lane(double, attempts=2)
    delays = [task.judge(current(), task.policy, ValueError())[2] or 0.0 for _ in range(400)]
    assert min(delays) < 1
    assert max(delays) > 9
    assert math.isclose(sum(delays) / len(delays), 5, rel_tol=0.2)


def test_a_described_error_is_bounded_and_can_be_stored() -> None:
    data = describe(ValueError("\0\ud800" + "x" * 100_000), 2000)
    said = decode(data)
    assert len(said["message"]) == 2000
    assert len(said["traceback"]) < 2100
    assert "\0" not in said["message"]
    assert said["type"] == "ValueError"
    assert said["bases"][-1] == "builtins.object"
