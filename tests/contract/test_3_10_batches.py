"""CONTRACT 3.10: items in, answers out, in the same order; each item has its own run, retry, result and history."""

import json
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import anyio
import asyncpg
import pytest
from howdah import (
    App,
    ArgumentsInvalid,
    ConfigurationError,
    FailedRun,
    GiveUp,
    HowdahError,
    Limit,
    Retry,
    RunCancelled,
    RunFailed,
    Snooze,
    current_batch,
    current_run,
)

pytestmark = pytest.mark.anyio

Session = asyncpg.Connection


@dataclass
class Mail:
    to: str
    text: str = ""


async def kinds(db: Session, run: int) -> list[int]:
    return [row[0] for row in await db.fetch("select kind from howdah.event where run = $1 order by at", run)]


async def test_each_enqueue_is_one_item_with_its_own_run_and_its_own_result(jobs: App, db: Session) -> None:
    sizes: list[int] = []

    @jobs.batch_task(size=10, within="50ms")
    async def send(mails: list[Mail]) -> list[str | Exception]:
        sizes.append(len(mails))
        return [f"{mail.to}: {mail.text}" for mail in mails]

    async with jobs:
        runs = await send.enqueue_many(send.call(Mail(f"u{n}", "x")) for n in range(25))
        runs.append(await send.enqueue(Mail("v")))
    runs_in_sql = await db.fetchval("""select howdah.enqueue('send', '{"item": {"to": "psql"}}')""")
    async with jobs.work():
        assert [await run.result("10s") for run in runs] == [*(f"u{n}: x" for n in range(25)), "v: "]
        assert await send.attach(runs_in_sql).result("10s") == "psql: "
    assert sorted(sizes, reverse=True)[:2] == [10, 10]
    assert sum(sizes) == 27
    assert await send([Mail("me", "here")]) == ["me: here"]
    assert {tuple(await kinds(db, run.id)) for run in runs} == {(1,)}
    assert json.loads(await db.fetchval("select output::text from howdah.task where name = 'send'"))["type"] == "string"


async def test_items_end_apart(jobs: App, db: Session) -> None:
    seen: Counter[int] = Counter()
    attempts: list[list[int]] = []

    @jobs.batch_task(size=5, within="50ms", retry=Retry(2, base=0.001))
    async def some(items: list[int]) -> list[int | Exception]:
        attempts.append([run.attempt for run in current_batch().runs])
        answers: list[int | Exception] = []
        for item in items:
            seen[item] += 1
            bad: dict[int, Exception] = {1: ValueError("always"), 2: GiveUp("at once"), 3: Snooze(0.001)}
            answers.append(bad[item] if item in bad and not (item == 3 and seen[item] == 2) else item)
        return answers

    async with jobs.work():
        one, two, three, four, _ = [await some.enqueue(n) for n in range(1, 6)]
        assert (await three.result("10s"), await four.result("10s")) == (3, 4)
        with pytest.raises(RunFailed, match="always"):
            await one.result("10s")
        with pytest.raises(RunFailed, match="at once"):
            await two.result("10s")
    assert [await kinds(db, run.id) for run in (one, two, three, four)] == [[4, 2], [2], [5, 1], [1]]
    assert seen == {1: 2, 2: 1, 3: 2, 4: 1, 5: 1}
    assert sorted(n for some in attempts[1:] for n in some) == [1, 2], "a snooze burns no attempt"


async def test_what_it_raises_fails_all_and_a_handler_hears_of_each(jobs: App) -> None:
    heard: list[Any] = []
    told = anyio.Event()

    @jobs.batch_task(size=3, within="20ms")
    async def mend(failed: list[FailedRun]) -> list[None]:
        heard.extend(one.args["item"] for one in failed)
        if len(heard) == 3:
            told.set()
        return [None] * len(failed)

    @jobs.batch_task(size=3, within="1s", retry=1, on_failure=mend)
    def fail(items: list[int]) -> list[int]:
        raise ValueError("no")

    async with jobs.work():
        runs = await fail.enqueue_many(fail.call(n) for n in range(3))
        for run in runs:
            with pytest.raises(RunFailed, match="no"):
                await run.result("10s")
        with anyio.fail_after(10):
            await told.wait()
    assert sorted(heard) == [0, 1, 2]


async def test_one_slot_for_a_batch_and_the_others_of_the_room_go_on(jobs: App) -> None:
    jobs = App(jobs.config.dsn, concurrency=2, grace_s=2, hard_grace_s=2)
    go, began = anyio.Event(), anyio.Event()

    @jobs.batch_task(size=10, within="1h")
    async def hold(items: list[int]) -> list[int]:
        began.set()
        await go.wait()
        return items

    @jobs.task
    async def quick(n: int) -> int:
        return n

    async with jobs.work():
        held = await hold.enqueue_many(hold.call(n) for n in range(10))
        with anyio.fail_after(10):
            await began.wait()
        assert [await (await quick.enqueue(n)).result("10s") for n in range(20)] == [*range(20)]
        go.set()
        assert [await run.result("10s") for run in held] == [*range(10)]


async def test_a_batch_has_its_turn_beside_others_without_end(jobs: App) -> None:
    jobs = App(jobs.config.dsn, concurrency=2, grace_s=2, hard_grace_s=2)
    ended = False

    @jobs.task
    async def again() -> None:
        if not ended:
            await again.enqueue()

    @jobs.batch_task(size=4, within="10ms")
    async def gather(items: list[int]) -> list[int]:
        return items

    async with jobs.work():
        await again.enqueue_many(again.call() for _ in range(200))
        runs = await gather.enqueue_many(gather.call(n) for n in range(20))
        assert [await run.result("10s") for run in runs] == [*range(20)]
        ended = True


async def test_the_cancel_of_one_item_leaves_the_others(jobs: App, db: Session) -> None:
    go, began = anyio.Event(), anyio.Event()

    @jobs.batch_task(size=3, within="1h")
    async def hold(items: list[int]) -> list[int]:
        began.set()
        await go.wait()
        return items

    async with jobs.work() as node:
        one, two, three = await hold.enqueue_many(hold.call(n) for n in range(3))
        with anyio.fail_after(10):
            await began.wait()
        assert len(node.running) == 3
        assert await two.cancel("changed my mind") == "requested"
        with anyio.fail_after(10):
            while not any(run.cause for run in node.running):
                await anyio.sleep(0.005)
        go.set()
        assert (await one.result("10s"), await three.result("10s")) == (0, 2)
        with pytest.raises(RunCancelled, match="changed my mind"):
            await two.result("10s")
    assert await kinds(db, two.id) == [16, 3]


async def test_a_node_that_ends_hands_back_what_it_gathered_without_an_attempt(jobs: App, db: Session) -> None:
    @jobs.batch_task(size=100, within="1h")
    async def never(items: list[int]) -> list[int]:
        return items

    async with jobs.work():
        runs = await never.enqueue_many(never.call(n) for n in range(5))
        with anyio.fail_after(10):
            while await db.fetchval("select count(*) from howdah.job where lease is not null") < 5:
                await anyio.sleep(0.005)
    assert [tuple(row) for row in await db.fetch("select distinct attempt, lease, node from howdah.job")] == [(0, None, None)]
    assert {tuple(await kinds(db, run.id)) for run in runs} == {(6,)}


async def test_each_item_holds_its_permits(jobs: App, db: Session) -> None:
    most: list[Counter[int]] = []

    @jobs.batch_task(size=10, within="30ms", limits=[Limit("per-user", 2, key="item.user")])
    async def save(items: list[dict[str, int]]) -> list[int]:
        most.append(Counter(item["user"] for item in items))
        return [item["n"] for item in items]

    async with jobs.work():
        runs = await save.enqueue_many(save.call({"user": n % 2, "n": n}) for n in range(10))
        assert [await run.result("20s") for run in runs] == [*range(10)]
    assert max(max(one.values()) for one in most) == 2
    assert await db.fetchval("select count(*) from howdah.event where kind = 6") == 0, "what is gathered is not handed back"


async def test_runs_of_a_batch_are_nobodys_parents_and_each_may_end_in_a_transaction(jobs: App, db: Session) -> None:
    @jobs.task
    async def child() -> None: ...

    @jobs.batch_task(size=2, within="1h")
    async def save(items: list[int]) -> list[int]:
        await child.enqueue()
        first = min(current_batch().runs, key=lambda run: run.id)  # In which order they are gathered is not promised.
        async with first.transaction() as conn:
            await conn.execute("create table kept (n int)")
            first.set_result(7)
        raise ValueError("behind the first")

    async with jobs.work():
        one, two = await save.options(retry=1).enqueue_many(save.call(n) for n in range(2))
        assert await one.result("10s") == 7
        with pytest.raises(RunFailed, match="behind the first"):
            await two.result("10s")
    assert await db.fetchval("select parent from howdah.run r join howdah.task t on t.id = r.task where t.name = 'child'") is None
    assert await db.fetchval("select count(*) from kept") == 0


async def test_in_a_task_of_single_runs_the_batch_is_of_one_so_that_middleware_may_ask(jobs: App) -> None:
    seen: list[tuple[str, int]] = []

    @jobs.middleware
    async def around() -> AsyncGenerator[None, Any]:
        seen.append((current_batch().task, len(current_batch().runs)))
        yield

    @jobs.task
    async def single() -> int:
        assert current_batch().runs == (current_run(),)
        return current_batch().runs[0].id

    @jobs.batch_task(size=2, within="1h")
    async def double(items: list[int]) -> list[int]:
        with pytest.raises(HowdahError, match=r"current_batch\(\).runs has them"):
            current_run()
        return items

    async with jobs.work():
        run = await single.enqueue()
        assert await run.result("10s") == run.id
        for one in await double.enqueue_many(double.call(n) for n in range(2)):
            await one.result("10s")
    assert seen == [("single", 1), ("double", 2)]


def test_a_function_that_takes_or_answers_no_list_is_refused() -> None:
    jobs = App()

    async def one(item: int) -> list[int]: ...
    async def two(items: list[int], more: int) -> list[int]: ...
    async def none() -> list[int]: ...
    async def untold(items: list[int]): ...  # type: ignore[no-untyped-def]
    async def fine(items: list[int]) -> list[int]: ...

    task: Any = jobs.batch_task(size=2, within=1)
    for wrong in (two, none):
        with pytest.raises(ConfigurationError, match="must take one list of items, as its first parameter"):
            task(wrong)
    for wrong in (one, untold):
        with pytest.raises(ConfigurationError, match="must say what its items are and what it answers for each"):
            task(wrong).definition.catalogue()
    with pytest.raises(ArgumentsInvalid, match="Expected `int`, got `array`"):
        task(fine).call([1])
