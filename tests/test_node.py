"""A node and the functions it runs: whatever they do, it is data for the node, and the next run sees nothing of it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import anyio
import asyncpg
import pytest
import uvloop
from howdah import App, GiveUp, Retry, RunFailed, Snooze, current_run
from howdah.embedded import Embedded
from howdah.errors import RunCancelled

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


class Odd(BaseException):
    """Neither an Exception nor one of Python's own ends."""


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Touchy:
    """A value that cannot be compared, as an array of numpy."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value is ambiguous")

    __hash__ = object.__hash__


async def _cancels_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def _leaves_a_cancellation_behind() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    raise ValueError("ended before it arrived")


async def _raises_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_raise(Odd("in a child")))


async def _raise(error: BaseException) -> None:
    raise error


ODD_ENDS = [
    pytest.param(lambda: _raise(Odd("odd")), "Odd", id="a BaseException"),
    pytest.param(lambda: _raise(SystemExit(3)), "SystemExit", id="SystemExit"),
    pytest.param(lambda: _raise(asyncio.CancelledError("mine")), "CancelledError", id="CancelledError of its own"),
    pytest.param(lambda: _raise(Mute()), "Mute", id="an exception without words"),
    pytest.param(lambda: _raise(ValueError("\0 \ud800 ü")), "ValueError", id="text that Postgres cannot hold"),
    pytest.param(_raises_a_group, "BaseExceptionGroup", id="a group of BaseExceptions"),
    pytest.param(_cancels_itself, "CancelledError", id="it cancels its own task"),
    pytest.param(_leaves_a_cancellation_behind, "ValueError", id="it leaves a cancellation behind"),
]


@pytest.mark.parametrize(("end", "kind"), ODD_ENDS)
async def test_however_a_function_ends_its_run_fails_and_its_slot_goes_on(dsn: str, end: Callable[[], Awaitable[None]], kind: str) -> None:
    jobs = App(dsn, concurrency=1, grace_s=2, hard_grace_s=2)

    @jobs.task(retry=1)
    async def odd() -> None:
        await end()

    @jobs.task
    async def plain() -> int:
        await anyio.sleep(0)
        return 7

    async with jobs.work():
        with pytest.raises(RunFailed) as caught:
            await (await odd.enqueue()).result("10s")
        assert kind in caught.value.error_type
        assert caught.value.attempt == 1
        assert await (await plain.enqueue()).result("10s") == 7


async def test_a_retry_that_grows_beyond_all_numbers_waits_for_its_cap() -> None:
    assert Retry(attempts=100, factor=1e10, cap="1h").delay_s(60, 1.0) == 3600


async def test_an_endless_snooze_is_refused_where_it_is_raised_and_fails_the_attempt(jobs: App) -> None:
    @jobs.task(retry=1)
    async def sleepy() -> None:
        raise Snooze(1e14)

    async with jobs.work():
        with pytest.raises(RunFailed, match="at most a hundred years"):
            await (await sleepy.enqueue()).result("10s")


async def test_a_snooze_burns_no_attempt_and_giving_up_makes_no_further_one(jobs: App) -> None:
    seen: list[int] = []

    @jobs.task(retry=1)
    async def later() -> int:
        seen.append(current_run().attempt)
        if len(seen) < 3:
            raise Snooze("1ms")
        return len(seen)

    @jobs.task(retry=5)
    async def never() -> None:
        raise GiveUp("no use")

    async with jobs.work():
        assert await (await later.enqueue()).result("10s") == 3
        assert seen == [1, 1, 1]
        with pytest.raises(RunFailed, match="no use") as caught:
            await (await never.enqueue()).result("10s")
        assert caught.value.attempt == 1
        assert caught.value.is_a(GiveUp)
        assert not caught.value.is_a(ValueError)


async def test_a_failing_run_is_tried_exactly_as_often_as_its_retry_says(jobs: App) -> None:
    tries: list[int] = []

    @jobs.task(retry=Retry(2, base="1ms"))
    async def failing() -> None:
        tries.append(current_run().attempt)
        raise KeyError("x")

    async with jobs.work():
        for asked, made in ((None, 2), (Retry(4, base=0.001), 4), (1, 1)):
            tries.clear()
            with pytest.raises(RunFailed) as caught:
                await (await failing.options(retry=asked).enqueue()).result("10s")
            assert tries == list(range(1, made + 1))
            assert caught.value.attempt == made
            assert caught.value.is_a(LookupError)


async def test_nothing_of_a_run_is_seen_by_the_next_one_in_its_slot(dsn: str) -> None:
    jobs = App(dsn, concurrency=1, grace_s=2, hard_grace_s=2)
    var: ContextVar[object] = ContextVar("var", default=None)
    var.set(Touchy())
    outside = var.get()

    @jobs.task
    async def paint() -> bool:
        was = var.get()
        var.set(Touchy())
        return was is outside

    async with jobs.work():
        runs = [await paint.enqueue() for _ in range(5)]
        assert [await run.result("10s") for run in runs] == [True] * 5


async def test_functions_may_have_children_and_cancel_scopes_of_their_own(jobs: App) -> None:
    @jobs.task(retry=1)
    async def parent() -> list[int]:
        seen: list[int] = []

        async def child(number: int) -> None:
            await anyio.sleep(0)
            assert current_run().task == "parent"
            seen.append(number)

        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(child, number)
        with anyio.move_on_after(0.01):
            await anyio.sleep_forever()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await anyio.sleep_forever()
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
        except TimeoutError:
            seen.append(99)
        return sorted(seen)

    async with jobs.work():
        assert await (await parent.enqueue()).result("10s") == [0, 1, 2, 99]


async def test_a_timeout_interrupts_an_async_function_once_and_its_cleanup_may_await(jobs: App) -> None:
    cleaned: list[str] = []

    @jobs.task(retry=1, timeout="50ms")
    async def slow() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            await asyncio.sleep(0.01)
            cleaned.append("done")

    async with jobs.work():
        with pytest.raises(RunFailed, match=r"longer than its timeout of 0\.05 s") as caught:
            await (await slow.enqueue()).result("10s")
        assert caught.value.is_a(TimeoutError)
        assert cleaned == ["done"]


async def test_a_thread_is_not_interrupted_and_its_late_end_counts_as_what_it_was_asked_for(jobs: App) -> None:
    begun, go = threading.Event(), threading.Event()

    @jobs.task(retry=1, timeout="50ms")
    def late() -> str:
        go.wait(10)
        return "too late"

    @jobs.task(retry=1)
    def asked() -> str:
        begun.set()
        while not current_run().cancelled:
            go.wait(0.01)
        return "stopped"

    async with jobs.work():
        run = await late.enqueue()
        cancelled = await asked.enqueue()
        await anyio.to_thread.run_sync(begun.wait, 10)
        assert await cancelled.cancel("enough") == "requested"
        with pytest.raises(RunCancelled):
            await cancelled.result("10s")
        with pytest.raises(TimeoutError):
            await run.result("200ms")
        go.set()
        with pytest.raises(RunFailed, match="longer than its timeout"):
            await run.result("10s")


async def test_blocked_threads_do_not_hold_up_async_functions_and_the_other_way(dsn: str) -> None:
    jobs = App(dsn, concurrency=4, threads=2, grace_s=2, hard_grace_s=2)
    go, leave = threading.Event(), anyio.Event()

    @jobs.task
    def blocked() -> str:
        go.wait(20)
        return current_run().task

    @jobs.task
    async def waits() -> None:
        await leave.wait()

    @jobs.task
    async def quick() -> int:
        return 1

    @jobs.task
    def quick_thread() -> int:
        return 2

    async with jobs.work():
        threads = [run.id for run in await blocked.enqueue_many(blocked.call() for _ in range(100))]
        assert await (await quick.enqueue()).result("10s") == 1
        go.set()
        assert await blocked.attach(threads[-1]).result("10s") == "blocked"
        held = await waits.enqueue_many(waits.call() for _ in range(100))
        assert await (await quick_thread.enqueue()).result("10s") == 2
        leave.set()
        for run in held:
            await run.result("10s")


async def test_priority_decides_who_starts_first(dsn: str) -> None:
    jobs = App(dsn, concurrency=1, grace_s=2, hard_grace_s=2)
    order: list[int] = []

    @jobs.task
    async def note(number: int) -> None:
        order.append(number)

    async with jobs:
        runs = [await note.options(priority=priority).enqueue(priority) for priority in (0, -3, 7, 32767, -32767, 7)]
        async with jobs.work():
            for run in runs:
                await run.result("10s")
    assert order == [32767, 7, 7, 0, -3, -32767]


async def test_a_node_serves_only_the_queues_it_was_given_whoever_is_told(jobs: App, db: Session) -> None:
    @jobs.task
    async def mine() -> int:
        return 1

    @jobs.task(queue="other")
    async def theirs() -> int:
        return 2

    async with jobs.work(queues=["other"]):
        near = await mine.enqueue()
        far = await db.fetchval("select howdah.enqueue('mine')")
        for _ in range(3):
            assert await (await theirs.enqueue()).result("10s") == 2
        assert [await near.status(), await mine.attach(far).status()] == ["queued", "queued"]
    async with jobs.work():
        assert await near.result("10s") == await mine.attach(far).result("10s") == 1


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_one_app_lives_in_one_event_loop_after_another(
    server: Embedded, template: str, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    name = f"loops_{loop.__module__.split('.')[0]}"

    async def admin(statement: str) -> None:
        conn = await asyncpg.connect(server.dsn("postgres"))
        await conn.execute(statement)
        await conn.close()

    asyncio.run(admin(f"create database {name} template {template}"))
    jobs = App(server.dsn(name), grace_s=2, hard_grace_s=2)

    @jobs.task
    async def one() -> int:
        await asyncio.sleep(0)
        return 1

    @jobs.task
    def two() -> int:
        return 2

    async def main() -> None:
        async with jobs.work():
            assert await (await one.enqueue()).result("10s") == 1
            assert await (await two.enqueue()).result("10s") == 2
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert left == []

    for _ in range(2):
        with asyncio.Runner(loop_factory=loop, debug=loop is asyncio.new_event_loop) as runner:
            runner.run(main())
    asyncio.run(admin(f"drop database {name} with (force)"))


async def test_queues_with_weights_start_in_that_proportion_and_by_priority_within(dsn: str) -> None:
    jobs, order = App(dsn, claim_max=100), list[tuple[str, int]]()

    @jobs.task(queue="mail")
    async def mail(priority: int) -> None:
        order.append(("mail", priority))

    @jobs.task(queue="other")
    async def other(priority: int) -> None:
        order.append(("other", priority))

    async with jobs:
        # What is in the heavier queue is of a lower priority: between queues that does not count.
        await mail.options(priority=-9).enqueue_many(mail.call(-9) for _ in range(1500))
        await mail.options(priority=-8).enqueue_many(mail.call(-8) for _ in range(1500))
        await other.options(priority=5).enqueue_many(other.call(5) for _ in range(3000))
        async with jobs.work(queues={"mail": 3, "other": 1}) as node:
            while node.ended < 6000:
                await anyio.sleep(0.01)
    # Both have runs while the first 4000 start: at any time the shares are right to within a claim.
    for start in range(0, 3600, 600):
        mails = sum(queue == "mail" for queue, _ in order[start : start + 600])
        assert abs(mails - 450) <= 100
    priorities = [priority for queue, priority in order if queue == "mail"]
    assert priorities == sorted(priorities, reverse=True)


async def test_runs_that_start_at_most_once_have_their_turns_in_each_queue_with_a_weight(dsn: str) -> None:
    jobs, order = App(dsn, concurrency=8), list[str]()

    @jobs.task
    async def often(queue: str) -> None:
        order.append(queue)

    @jobs.task(delivery="at_most_once")
    async def once(queue: str) -> None:
        order.append(f"{queue}, once")

    async with jobs:
        for task in (often, once):
            for queue in ("mail", "other"):
                await task.options(queue=queue).enqueue_many(task.call(queue) for _ in range(200))
        async with jobs.work(queues={"mail": 1, "other": 1}) as node:
            while node.ended < 800:
                await anyio.sleep(0.01)
    found = {kind: order[:400].count(kind) for kind in ("mail", "mail, once", "other", "other, once")}
    # They are claimed for free slots alone, the others in advance: so many by far are none of them.
    assert min(found.values()) >= 5, found
