"""CONTRACT 3.6: what is set of a limit holds at once for what starts next, stops nothing, and outlives every process until it is reset."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

import anyio
import asyncpg
import pytest
from howdah import App, Limit, Rate

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

RARELY: dict[str, Any] = {"busy_look_s": 600.0, "idle_look_s": 600.0, "grace_s": 2, "hard_grace_s": 2}
"""A node that finds nothing that it is not told of."""

AT_ONCE_S = 1.0


class Shop:
    """A task under a limit of one for each user, and one under a rate. Runs hold on until they are let go."""

    def __init__(self, dsn: str, **settings: Any) -> None:
        jobs = self.jobs = App(dsn, **settings)
        self.running: list[int] = []
        self.started: list[int] = []
        self.go_on: dict[int, asyncio.Event] = {}

        @jobs.task(limits=[Limit("per-user", 1, key="user_id")])
        async def hold(user_id: int, number: int) -> None:
            self.started.append(number)
            self.running.append(number)
            await self.go_on.setdefault(number, asyncio.Event()).wait()
            self.running.remove(number)

        @jobs.task(limits=[Rate("smtp", 1, per="1h")])
        async def send(number: int) -> None:
            self.started.append(number)

        self.hold, self.send = hold, send

    def let_go(self, *numbers: int) -> None:
        for number in numbers:
            self.go_on.setdefault(number, asyncio.Event()).set()


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not condition():
            await anyio.sleep(0.005)


async def test_a_limit_that_is_raised_starts_at_once_what_waits(dsn: str) -> None:
    shop = Shop(dsn, **RARELY)
    async with shop.jobs, shop.jobs.work():
        for number in range(4):
            await shop.hold.enqueue(7, number)
        await until(lambda: shop.running == [0])
        began = monotonic()
        await shop.jobs.limits.set("per-user", 3)
        await until(lambda: shop.running == [0, 1, 2])
        assert monotonic() - began < AT_ONCE_S
        shop.let_go(*range(4))


async def test_a_lowered_limit_stops_nothing_that_runs_and_binds_what_starts_next(dsn: str) -> None:
    shop = Shop(dsn, **RARELY)
    async with shop.jobs, shop.jobs.work():
        await shop.hold.enqueue(7, 0)
        await until(lambda: shop.running == [0])
        await shop.jobs.limits.set("per-user", 3)
        for number in range(1, 5):
            await shop.hold.enqueue(7, number)
        await until(lambda: shop.running == [0, 1, 2])
        await shop.jobs.limits.set("per-user", 2)
        other = await shop.hold.enqueue(8, 9)
        shop.let_go(9)
        await other.result("10s")  # The gate has heard of both by now.
        shop.let_go(0)
        again = await shop.hold.enqueue(8, 10)
        shop.let_go(10)
        await again.result("10s")
        assert shop.running == [1, 2], "two still run, and nothing took the place of the third"
        shop.let_go(1)
        await until(lambda: shop.running == [2, 3])
        shop.let_go(*range(5))


async def test_a_pause_of_one_key_stops_it_alone_and_its_resume_starts_at_once(dsn: str) -> None:
    shop = Shop(dsn, **RARELY)
    async with shop.jobs, shop.jobs.work():
        first = await shop.hold.enqueue(7, 0)
        await until(lambda: shop.running == [0])
        await shop.jobs.limits.pause("per-user", 7)
        paused = await shop.hold.enqueue(7, 1)
        shop.let_go(*range(4))
        await first.result("10s")
        await (await shop.hold.enqueue(8, 2)).result("10s")
        assert (shop.started, await paused.status()) == ([0, 2], "gated")
        began = monotonic()
        await shop.jobs.limits.resume("per-user", 7)
        await paused.result("10s")
        assert monotonic() - began < AT_ONCE_S


async def test_a_pause_of_a_limit_stops_all_of_its_keys(dsn: str) -> None:
    shop = Shop(dsn, **RARELY)
    shop.let_go(*range(4))
    async with shop.jobs, shop.jobs.work():
        await (await shop.hold.enqueue(6, 0)).result("10s")
        await shop.jobs.limits.override("per-user", 7, 5)
        await shop.jobs.limits.pause("per-user")
        waiting = [await shop.hold.enqueue(user, number) for user, number in ((7, 1), (8, 2))]
        await (await shop.send.enqueue(3)).result("10s")
        assert shop.started == [0, 3]
        await shop.jobs.limits.resume("per-user")
        for run in waiting:
            await run.result("10s")


async def test_one_key_may_have_more_than_the_others(dsn: str) -> None:
    shop = Shop(dsn, **RARELY)
    async with shop.jobs, shop.jobs.work():
        for user, number in ((7, 0), (7, 1), (8, 2), (8, 3)):
            await shop.hold.enqueue(user, number)
        await until(lambda: sorted(shop.running) == [0, 2])
        began = monotonic()
        await shop.jobs.limits.override("per-user", 7, 2)
        await until(lambda: sorted(shop.running) == [0, 1, 2])
        assert monotonic() - began < AT_ONCE_S
        await shop.jobs.limits.override("per-user", 7, None)
        shop.let_go(*range(4))


async def test_a_rate_that_is_raised_starts_at_once_what_it_has_tokens_for(dsn: str) -> None:
    shop = Shop(dsn, **RARELY)
    async with shop.jobs, shop.jobs.work():
        runs = [await shop.send.enqueue(number) for number in range(3)]
        await runs[0].result("10s")
        assert await runs[1].status() == "gated"
        await shop.jobs.limits.set("smtp", 100, per="1s")
        for run in runs:
            await run.result("10s")


async def test_what_was_set_wins_over_the_code_of_a_node_that_starts_later(dsn: str, db: Db) -> None:
    shop = Shop(dsn)
    async with shop.jobs, shop.jobs.work():
        await shop.jobs.limits.set("per-user", 2)
    shop = Shop(dsn)
    async with shop.jobs, shop.jobs.work():
        for number in range(3):
            await shop.hold.enqueue(7, number)
        await until(lambda: shop.running == [0, 1])
        await shop.jobs.limits.reset("per-user")
        shop.let_go(9, 10)
        await (await shop.hold.enqueue(8, 9)).result("10s")  # The gate has heard of both by now.
        shop.let_go(0)
        await until(lambda: shop.running == [1])
        await (await shop.hold.enqueue(8, 10)).result("10s")
        assert shop.running == [1]
        shop.let_go(*range(3))


async def test_a_change_of_which_nobody_was_told_holds_from_the_next_look_on(dsn: str, db: Db) -> None:
    shop = Shop(dsn, **RARELY | {"idle_look_s": 0.2})
    async with shop.jobs, shop.jobs.work():
        for number in range(2):
            await shop.hold.enqueue(7, number)
        await until(lambda: shop.running == [0])
        await db.execute("""update howdah.limit_terms set terms = '{"number": 2}' where name = 'per-user'""")
        await until(lambda: shop.running == [0, 1])
        shop.let_go(0, 1)


async def test_what_the_gate_knows_to_wait_comes_under_a_second_limit_once_a_node_starts_with_it(dsn: str) -> None:
    old, new = App(dsn, **RARELY), App(dsn, **RARELY)
    running, most, done = 0, 0, 0

    async def step(number: int) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await anyio.sleep(0.01)
        running -= 1
        done += 1

    before = old.task(name="step", limits=[Limit("wide", 50)])(step)
    new.task(name="step", limits=[Limit("wide", 50), Limit("narrow", 1)])(step)
    async with old, old.work():
        await (await before.enqueue(0)).result("10s")
        await old.limits.pause("wide")
        await before.enqueue_many(before.call(number) for number in range(1, 11))
        async with new, new.work():
            await new.limits.resume("wide")
            await until(lambda: done == 11)
    assert most == 1
