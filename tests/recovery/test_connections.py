"""Connections end at any time: everything ends all the same, and nothing is stuck with a living node."""

from collections import Counter

import howdah
import pytest
from howdah import App

from .nodes import END, Session, drained, enqueue, forgiven, happens, until
from .proxy import Proxy

pytestmark = pytest.mark.anyio

OURS = ("howdah claim%", "howdah write%", "howdah keep%", "howdah heart%", "howdah listen%", "howdah pool%")
HELD = "select count(*) from howdah.job where node is not null"
OPEN = "select exists (select from pg_stat_activity where datname = current_database() and application_name like $1)"


async def test_each_connection_may_be_killed_in_turn_and_all_at_once_under_load(dsn: str, effects: Session) -> None:
    jobs = App(dsn, backoff_s=0.02, backoff_max_s=0.1, lease_s=60, heartbeat_s=0.05, keep_longest_s=0.05)
    executed: Counter[int] = Counter()

    @jobs.task
    async def work() -> None:
        executed[howdah.current_run().id] += 1

    killed: Counter[str] = Counter()
    total = 0
    async with forgiven(), jobs.work():
        for _ in range(5):
            for pattern in (*OURS, "howdah %"):
                total += len(await enqueue(effects, "work", 300))
                await happens(lambda: sum(executed.values()) >= total - 250)
                await until(effects, OPEN, pattern)
                killed[pattern] += await effects.fetchval(END, pattern)
        await drained(effects)
        assert await effects.fetchval("select count(*) from howdah.node") == 1
        await enqueue(effects, "work", 3000)
        await drained(effects)
        total += 3000
    assert all(killed[pattern] >= 5 for pattern in OURS), killed
    assert len(executed) == total
    assert set(executed.values()) == {1}, "a lost connection ran something twice"
    assert await effects.fetchval("select count(*) from howdah.event where kind = 1") == total


async def test_a_claim_whose_answer_was_lost_is_taken_back(proxy: Proxy, effects: Session) -> None:
    jobs = App(proxy.dsn, lease_s=60, heartbeat_s=20)
    executed: Counter[int] = Counter()

    @jobs.task
    async def work() -> None:
        executed[howdah.current_run().id] += 1

    async with jobs.work():
        proxy.lose_answer("SELECT 5\0", "claim")
        runs = await enqueue(effects, "work", 5)
        await drained(effects)
        assert proxy.losses_ahead == 0
        assert executed == Counter(runs)
        assert await effects.fetchval("select count(*) from howdah.event where kind = 20") == 5, "they had not been claimed before"
        assert await effects.fetchval("select count(*) from howdah.node") == 1
    assert await effects.fetchval(HELD) == 0


async def test_a_listener_that_was_cut_off_hears_again_and_looks_at_what_it_missed(dsn: str, effects: Session) -> None:
    jobs = App(dsn, backoff_s=0.02, backoff_max_s=0.1, idle_look_s=60, busy_look_s=60, second_look_s=60)

    @jobs.task
    async def work() -> None: ...

    async with jobs.work():
        for _ in range(20):
            await effects.fetchval(END, "howdah listen%")
            await enqueue(effects, "work", 1)
            await drained(effects)  # Its looks come later than the patience ends.
        await until(effects, "select true from pg_stat_activity where application_name like 'howdah listen%'")
