"""Results: of many types, typed again where they arrive, pushed at once, to anybody who asks."""

import dataclasses
import enum
import math
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import anyio
import asyncpg
import msgspec
import pytest
from howdah import App, RunFailed, State, Task
from howdah.config import configure
from howdah.core.states import Kind
from howdah.messages import Ended
from howdah.results import Results

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Point(msgspec.Struct, frozen=True):
    x: int
    y: float = 0.5


@dataclasses.dataclass
class Order:
    id: uuid.UUID
    at: datetime
    price: Decimal
    points: list[Point]
    colour: Colour | None = None


ORDER = Order(uuid.UUID(int=7), datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC), Decimal("12.340"), [Point(1), Point(2, 2.5)], Colour.RED)

VALUES: list[tuple[Any, Any]] = [
    (type(None), None),
    (bool, False),
    (int, 2**60),
    (float, 0.1),
    (str, "ü \0 \N{PILE OF POO} \\ \" '"),
    (bytes, b"\0\xff\xfe"),
    (uuid.UUID, uuid.UUID(int=2**127)),
    (datetime, datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    (date, date(2024, 2, 29)),
    (timedelta, timedelta(days=3, microseconds=1)),
    (Decimal, Decimal("0.1000")),
    (Colour, Colour.RED),
    (Level, Level.HIGH),
    (Point, Point(3, -1.5)),
    (Order, ORDER),
    (dict[str, list[Order]], {"a": [ORDER], "": []}),
    (tuple[int, str], (1, "a")),
    (set[int], {1, 2, 3}),
    (Point | None, None),
    (list[Point | None], [None, Point(1)]),
    (str, "x" * 1_000_000),
]


async def test_results_of_many_types_arrive_as_what_they_were(jobs: App) -> None:
    tasks: list[Task[[], Any]] = []
    for number, (kind, value) in enumerate(VALUES):

        async def give(value: Any = None) -> Any:
            return value

        give.__annotations__ = {"value": kind, "return": kind}
        give.__defaults__ = (value,)
        tasks.append(jobs.task(name=f"give{number}", retry=1)(give))
    async with jobs.work():
        runs = [await task.enqueue() for task in tasks]
        for run, (_, value) in zip(runs, VALUES, strict=True):
            result = await run.result("10s")
            assert result == value
            assert type(result) is type(value)


async def test_what_json_cannot_carry_fails_the_run_without_a_retry(dsn: str) -> None:
    jobs = App(dsn, payload_max=2000, grace_s=2, hard_grace_s=2)

    @jobs.task
    async def give(what: str) -> Any:
        circle: list[Any] = []
        circle.append(circle)
        return {"object": object(), "surrogate": "\ud800", "circle": circle, "large": "ü" * 1001, "huge": 10**400}[what]

    async with jobs.work():
        for what in ("object", "surrogate", "circle", "large"):
            with pytest.raises(RunFailed, match=r"cannot be stored as json|2,004 bytes of json, over the limit of 2,000") as caught:
                await (await give.enqueue(what)).result("10s")
            assert caught.value.attempt == 1


async def test_nothing_and_infinity_are_null(jobs: App) -> None:
    @jobs.task
    async def odd() -> list[float | None]:
        return [math.nan, math.inf, 1.0]

    async with jobs.work():
        assert await (await odd.enqueue()).result("10s") == [None, None, 1.0]


async def test_a_result_is_pushed_and_not_asked_for(dsn: str) -> None:
    jobs = App(dsn, result_poll_s=600, grace_s=2, hard_grace_s=2)

    @jobs.task
    async def one() -> int:
        return 1

    async with jobs.work():
        for _ in range(60):
            await (await one.enqueue()).result("30s")


async def test_one_run_may_be_awaited_by_many_again_and_again_and_by_another_app(dsn: str) -> None:
    jobs, elsewhere = App(dsn, grace_s=2, hard_grace_s=2), App(dsn)
    leave = anyio.Event()

    async def slow() -> Point:
        await leave.wait()
        return Point(9)

    theirs = elsewhere.task(slow)
    mine = jobs.task(slow)
    got: list[Point] = []

    async def wait(task: Task[[], Point], run_id: int) -> None:
        got.append(await task.attach(run_id).result("10s"))

    async with jobs.work(), elsewhere:
        run = await mine.enqueue()
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(wait, mine, run.id)
                group.start_soon(wait, theirs, run.id)
            with anyio.move_on_after(0.02):
                await run.result()
            with pytest.raises(TimeoutError):
                await run.result("20ms")
            assert await run.status() is State.RUNNING
            leave.set()
        assert got == [Point(9)] * 10
        assert await run.result() == await run.result() == Point(9)
        assert not jobs.client.results._waiting
        assert await run.status() is State.SUCCEEDED
        assert await run.cancel() == "ended"


async def test_a_waiter_whose_listening_connection_is_killed_still_gets_the_result(jobs: App, db: Session) -> None:
    leave = anyio.Event()

    @jobs.task
    async def slow() -> int:
        await leave.wait()
        return 4

    async with jobs.work():
        run = await slow.enqueue()
        with pytest.raises(TimeoutError):
            await run.result("100ms")
        async with anyio.create_task_group() as group:

            async def wait() -> None:
                assert await run.result("10s") == 4

            group.start_soon(wait)
            assert await db.fetchval(
                """select count(pg_terminate_backend(pid)) from pg_stat_activity
                   where datname = current_database() and application_name = 'howdah listen results'"""
            )
            leave.set()


class EndsMeanwhile:
    """A run that ends after the question has looked and before its answer is read."""

    def __init__(self) -> None:
        self.config = configure({})
        self.results = Results(self)
        self.asked = 0

    async def watch(self, runs: Sequence[int]) -> list[Ended]:
        return []

    async def outcomes(self, runs: Sequence[int]) -> list[Ended]:
        self.asked += 1
        if self.asked == 1:
            self.results._heard("howdah_done", "7")
            return []
        return [Ended(7, Kind.SUCCEEDED, None, 1)]


async def test_an_end_announced_during_the_question_is_asked_for_again_at_once() -> None:
    ends = EndsMeanwhile()
    results = ends.results
    async with anyio.create_task_group() as group:

        async def wait() -> None:
            assert (await results.wait(7)).run == 7

        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        results._announced.add(7)
        await results._ask(results._announced, ends.outcomes)
        assert ends.asked == 2
        group.cancel_scope.deadline = anyio.current_time() + 5
