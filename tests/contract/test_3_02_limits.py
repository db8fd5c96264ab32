"""CONTRACT 3, limits: at most n at once for each key, several at a time, exact; what becomes of runs that find one full (3.2b);
permits that are kept (3.3); turns (3.4); and sequences."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import asyncpg
import pytest
from howdah import (
    App,
    ArgumentsInvalid,
    Limit,
    Rate,
    Retry,
    Run,
    RunCancelled,
    RunRejected,
    RunSkipped,
    Sequence,
    Snooze,
    Task,
    current_run,
)

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


class Stage:
    """A task whose runs wait inside until they are told to go on, by their number."""

    def __init__(self) -> None:
        self.began: list[int] = []
        self.ended: list[int] = []
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self._go: dict[int, anyio.Event] = {}
        self._moved = anyio.Event()

    def go(self, *numbers: int) -> None:
        for number in numbers:
            self._go.setdefault(number, anyio.Event()).set()

    async def play(self, key: str, number: int) -> None:
        self.began.append(number)
        self.now[key] += 1
        self.most[key] = max(self.most[key], self.now[key])
        self._move()
        try:
            await self._go.setdefault(number, anyio.Event()).wait()
        finally:
            self.now[key] -= 1
            self.ended.append(number)
            self._move()

    async def until(self, holds: Callable[[], bool]) -> None:
        with anyio.fail_after(20):
            while not holds():
                self._moved = anyio.Event()
                await self._moved.wait()

    def _move(self) -> None:
        self._moved.set()


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def working() -> AsyncIterator[None]:
    yield


async def state_is(run: Run[object], state: str) -> None:
    with anyio.fail_after(20):
        while str(await run.status()) != state:
            await anyio.sleep(0.01)


async def test_no_more_than_n_run_under_a_key_and_the_next_starts_when_one_has_ended(jobs: App, stage: Stage) -> None:
    @jobs.task(limits=[Limit("per-user", 2, key="user")])
    async def work(user: str, number: int) -> None:
        await stage.play(user, number)

    async with jobs.work():
        runs = await work.enqueue_many(work.call(user, 10 * place + number) for place, user in enumerate("ab") for number in range(4))
        await stage.until(lambda: len(stage.began) == 4)
        assert sorted(stage.began) == [0, 1, 10, 11]
        assert str(await runs[2].status()) == "gated"
        stage.go(0)
        await stage.until(lambda: 2 in stage.began)
        stage.go(*range(20))
        for run in runs:
            await run.result(timeout="20s")
    assert stage.most == {"a": 2, "b": 2}


async def test_a_run_with_several_limits_starts_when_all_have_room_and_a_full_one_hides_nothing(jobs: App, stage: Stage) -> None:
    @jobs.task(limits=[Limit("by-user", 1, key="user"), Limit("by-host", 1, key="host")])
    async def fetch(user: str, host: str, number: int) -> None:
        await stage.play(user, number)

    async with jobs.work():
        await fetch.enqueue("a", "x", 0)
        await stage.until(lambda: stage.began == [0])
        await fetch.enqueue("a", "y", 1)  # by-user is full
        await fetch.enqueue("b", "x", 2)  # by-host is full
        last = await fetch.enqueue("b", "y", 3)
        await stage.until(lambda: 3 in stage.began)
        assert stage.began == [0, 3], "what was refused one of two took neither"
        stage.go(0, 1, 2, 3)
        await last.result(timeout="20s")
        await stage.until(lambda: len(stage.ended) == 4)


async def test_tasks_that_name_the_same_limit_share_it(jobs: App, stage: Stage) -> None:
    @jobs.task(limits=[Limit("license", 1)])
    async def one(number: int) -> None:
        await stage.play("license", number)

    @jobs.task(limits=[Limit("license", 1)])
    async def other(number: int) -> None:
        await stage.play("license", number)

    stage.go(1, 2, 3, 4)
    async with jobs.work():
        for run in [await one.enqueue(1), await other.enqueue(2), await one.enqueue(3), await other.enqueue(4)]:
            await run.result(timeout="20s")
    assert stage.most == {"license": 1}


async def test_a_rate_starts_its_burst_at_once_and_then_one_for_each_token(jobs: App, stage: Stage, db: Session) -> None:
    @jobs.task(limits=[Rate("smtp", 20, per="1s", burst=3)])
    async def send(number: int) -> None: ...

    async with jobs.work():
        runs = await send.enqueue_many(send.call(number) for number in range(9))
        for run in runs:
            await run.result(timeout="20s")
    starts = [row[0] for row in await db.fetch("select started from howdah.event where kind = 1 order by started")]
    for first in range(9):
        for last in range(first, 9):
            allowed = 3 + 20 * (starts[last] - starts[first]).total_seconds()
            # A run starts some milliseconds after it was admitted, the first of two perhaps later than the second.
            assert last - first + 1 <= allowed + 20 * 0.05 + 1
    assert (starts[-1] - starts[0]).total_seconds() > 6 / 20 - 0.1


async def test_a_retry_gives_its_permit_back_meanwhile_and_needs_another(jobs: App, stage: Stage) -> None:
    @jobs.task(limits=[Limit("one", 1)], retry=Retry(2, base=0.2))
    async def work(number: int) -> None:
        if number == 0 and current_run().attempt == 1:
            raise KeyError("once")
        await stage.play("one", number)

    async with jobs.work():
        first = await work.enqueue(0)
        await state_is(first, "retrying")
        second = await work.enqueue(1)
        await stage.until(lambda: stage.began == [1])
        await state_is(first, "gated")
        stage.go(0, 1)
        await first.result(timeout="20s")
        await second.result(timeout="20s")
    assert stage.most == {"one": 1}


async def test_a_permit_with_hold_run_is_kept_over_retries_and_waits(jobs: App, stage: Stage) -> None:
    @jobs.task(limits=[Limit("account", 1, key="account", hold="run")], retry=Retry(3, base=0.1))
    async def work(account: str, number: int) -> None:
        if number == 0 and current_run().attempt < 3:
            if current_run().attempt == 1:
                raise KeyError("once")
            raise RuntimeError("twice")
        await stage.play(account, number)

    stage.go(0, 1, 2)
    async with jobs.work():
        runs = await work.enqueue_many([work.call("a", 0), work.call("a", 1), work.call("b", 2)])
        for run in runs:
            await run.result(timeout="20s")
    assert [number for number in stage.began if number < 2] == [0, 1], "nobody else was let in between the attempts"
    assert stage.most == {"a": 1, "b": 1}


async def test_a_child_that_would_wait_for_its_parents_permit_is_refused(jobs: App) -> None:
    refused: list[str] = []

    @jobs.task(limits=[Limit("account", 1, key="account", hold="run")])
    async def work(account: str, depth: int) -> None:
        if depth == 0:
            try:
                await work.enqueue(account, 1)
            except ArgumentsInvalid as error:
                refused.append(str(error))
            await work.enqueue("other", 1)

    async with jobs.work():
        await (await work.enqueue("a", 0)).result(timeout="20s")
    assert len(refused) == 1
    assert 'keeps the only permit of limit account under the key "a"' in refused[0]


async def test_a_child_that_gives_its_permit_back_is_refused_the_same_and_so_is_one_below_two_that_keep_all(jobs: App) -> None:
    refused: list[str] = []

    @jobs.task(limits=[Limit("one", 1)])
    async def child() -> None: ...

    @jobs.task(limits=[Limit("one", 1, hold="run"), Limit("two", 2, hold="run")])
    async def parent() -> None:
        await attempt(child)
        await (await between.enqueue()).result(timeout="20s")

    @jobs.task(limits=[Limit("two", 2, hold="run")])
    async def between() -> None:
        await attempt(last)

    @jobs.task(limits=[Limit("two", 2)])
    async def last() -> None: ...

    async def attempt(task: Task[[], None]) -> None:
        try:
            await task.enqueue()
        except ArgumentsInvalid as error:
            refused.append(str(error))

    async with jobs.work():
        await (await parent.enqueue()).result(timeout="20s")
    assert ["keeps the only permit of limit one" in said for said in refused] == [True, False]
    assert "keep all 2 permits of limit two" in refused[1]


async def test_groups_take_turns_whatever_one_of_them_has_waiting(jobs: App, stage: Stage) -> None:
    @jobs.task(limits=[Limit("crawl", 1, fair_by="tenant", weights={"gold": 2})])
    async def fetch(tenant: str, number: int) -> None:
        await stage.play("crawl", number)

    async with jobs.work():
        await fetch.enqueue("big", 0)
        await stage.until(lambda: stage.began == [0])
        calls = [("big", number) for number in range(1, 40)] + [("small", 100), ("gold", 200), ("gold", 201), ("gold", 202)]
        runs = await fetch.enqueue_many(fetch.call(tenant, number) for tenant, number in calls)
        stage.go(*range(300))
        for run in runs:
            await run.result(timeout="20s")
    assert stage.began.index(100) <= 4, "one run of a group that is new starts within one round"
    assert [number for number in stage.began[:12] if number >= 200] == [200, 201, 202]


async def test_a_sequence_goes_one_at_a_time_in_order_over_retries_and_a_failure_frees_its_key(jobs: App, stage: Stage) -> None:
    @jobs.task(limits=[Sequence(key="order", on_failure="free")], retry=Retry(2, base=0.05))
    async def step(order: int, number: int) -> None:
        stage.began.append(number)
        if number == 1 and stage.began.count(1) == 1:
            raise Snooze("50ms")
        if number in (2, 3):
            raise KeyError(number)

    async with jobs.work():
        runs = await step.enqueue_many(step.call(1, number) for number in range(5))
        await runs[4].result(timeout="20s")
    assert stage.began == [0, 1, 1, 2, 2, 3, 3, 4]


async def test_a_failure_blocks_its_sequence_until_it_is_retried(jobs: App, stage: Stage) -> None:
    broken = True

    @jobs.task(limits=[Sequence(key="order")])
    async def step(order: int, number: int) -> None:
        if number == 1 and broken:
            raise KeyError(number)
        stage.began.append(number)

    async with jobs.work():
        runs = await step.enqueue_many([step.call(1, 0), step.call(1, 1), step.call(1, 2), step.call(2, 10)])
        await state_is(runs[1], "failed")
        await runs[3].result(timeout="20s")
        assert str(await runs[2].status()) == "gated"
        assert stage.began in ([0, 10], [10, 0])
        broken = False
        assert await jobs.runs.retry([runs[1].id])
        await runs[2].result(timeout="20s")
    assert stage.began[-2:] == [1, 2]


Check = Callable[[list[Run[None]], Stage], Awaitable[None]]


async def ends(run: Run[None], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await run.result(timeout="20s")


async def newcomers_wait(runs: list[Run[None]], stage: Stage) -> None:
    assert [str(await run.status()) for run in runs] == ["running", "gated", "gated"]
    stage.go(0, 1, 2)
    for run in runs:
        await run.result(timeout="20s")


async def newcomers_are_rejected(runs: list[Run[None]], stage: Stage) -> None:
    await ends(runs[1], RunRejected)
    await ends(runs[2], RunRejected)
    stage.go(0)
    await runs[0].result(timeout="20s")


async def the_newest_stays(runs: list[Run[None]], stage: Stage) -> None:
    await ends(runs[1], RunSkipped)
    stage.go(0, 2)
    await runs[2].result(timeout="20s")


async def the_oldest_makes_way(runs: list[Run[None]], stage: Stage) -> None:
    await ends(runs[0], RunCancelled)
    await ends(runs[1], RunCancelled)
    stage.go(2)
    await runs[2].result(timeout="20s")


@pytest.mark.parametrize(
    ("when_full", "check"),
    [
        ("wait", newcomers_wait),
        ("reject", newcomers_are_rejected),
        ("keep_latest", the_newest_stays),
        ("cancel_oldest", the_oldest_makes_way),
    ],
)
async def test_what_becomes_of_those_that_find_a_key_full(jobs: App, stage: Stage, when_full: str, check: Check) -> None:
    @jobs.task(limits=[Limit("one", 1, when_full=when_full)])  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    async def work(number: int) -> None:
        await stage.play("one", number)

    async with jobs.work():
        runs = [await work.enqueue(0)]
        await stage.until(lambda: stage.began == [0])
        runs += [await work.enqueue(1), await work.enqueue(2)]
        await check(runs, stage)
    assert stage.most == {"one": 1}


async def test_a_rate_that_skips_ends_what_finds_no_token(jobs: App, stage: Stage) -> None:
    @jobs.task(limits=[Rate("ping", 1, per="1h", when_full="skip")])
    async def ping(number: int) -> None: ...

    async with jobs.work():
        await (await ping.enqueue(0)).result(timeout="20s")
        with pytest.raises(RunSkipped, match="rate ping had no token left"):
            await (await ping.enqueue(1)).result(timeout="20s")
