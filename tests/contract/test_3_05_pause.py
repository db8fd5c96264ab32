"""CONTRACT 3.5: a pause of a queue or a task stops starts, not runs; enqueue goes on; it survives a restart."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import anyio
import asyncpg
import pytest
from howdah import App, Limit
from howdah.core.prefetch import Prefetch

from ..cli.programs import beside

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

RARELY: dict[str, Any] = {"busy_look_s": 600.0, "idle_look_s": 600.0, "grace_s": 2, "hard_grace_s": 2}
"""A node that finds nothing that it is not told of, save what somebody had locked when it claimed."""


class Shop:
    """Two tasks in two queues: one run holds on, and runs say that they have started."""

    def __init__(self, dsn: str, **settings: Any) -> None:
        jobs = self.jobs = App(dsn, **settings)
        self.started: list[str] = []
        self.goes_on = asyncio.Event()

        @jobs.task(queue="mail")
        async def mail() -> str:
            self.started.append("mail")
            return "mailed"

        @jobs.task
        async def other() -> str:
            self.started.append("other")
            return "done"

        @jobs.task(queue="mail")
        async def hold() -> str:
            self.started.append("hold")
            await self.goes_on.wait()
            return "held on"

        self.mail, self.other, self.hold = mail, other, hold

    async def pause(self, what: str, verb: str = "pause") -> None:
        """A queue or the task mail, and the same for resume."""
        of: Any = self.jobs.queues if what == "queue" else self.jobs.tasks
        await getattr(of, verb)("mail")


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not condition():
            await anyio.sleep(0.005)


@pytest.mark.parametrize("what", ["queue", "task"])
async def test_a_pause_stops_starts_and_not_runs_and_a_resume_wakes_nodes(dsn: str, what: str) -> None:
    shop = Shop(dsn, **RARELY)
    async with shop.jobs, shop.jobs.work() as node:
        held = await shop.hold.enqueue()
        await until(lambda: shop.started == ["hold"] and node._has_listened)
        await shop.pause(what)
        run = await shop.mail.enqueue()
        assert await (await shop.other.enqueue()).result("10s") == "done"
        shop.goes_on.set()
        assert await held.result("10s") == "held on"
        assert (await run.status(), shop.started) == ("queued", ["hold", "other"])
        await shop.pause(what, "resume")
        assert await run.result("10s") == "mailed"


@pytest.mark.parametrize("what", ["queue", "task"])
async def test_it_survives_a_restart_of_every_node(dsn: str, what: str) -> None:
    shop = Shop(dsn)
    async with shop.jobs:
        await shop.mail.enqueue()
        await shop.pause(what)
    for _ in range(2):
        async with shop.jobs.work():
            run = await shop.mail.enqueue()
            assert await (await shop.other.enqueue()).result("10s") == "done"
            assert await run.status() == "queued"
    assert shop.started == ["other", "other"]
    async with shop.jobs.work():
        await shop.pause(what, "resume")
        await until(lambda: shop.started.count("mail") == 3)


async def test_what_a_node_had_claimed_in_advance_goes_back_and_burns_no_attempt(dsn: str, db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    """It claims a hundred in advance, as after fast ones; and one holds the only slot."""
    monkeypatch.setattr(Prefetch, "extra", 100)
    shop = Shop(dsn, concurrency=1, **RARELY)
    async with shop.jobs, shop.jobs.work() as node:
        await until(lambda: node._has_listened)
        await shop.hold.enqueue()
        await until(lambda: "hold" in shop.started)
        runs = await shop.mail.enqueue_many(shop.mail.call() for _ in range(50))
        await until(lambda: sum(len(room.waiting) for room in node._rooms) > 0)
        await shop.jobs.queues.pause("mail")
        await until(lambda: sum(len(room.waiting) for room in node._rooms) == 0)
        shop.goes_on.set()
        with anyio.fail_after(30):
            while await db.fetchval("select count(*) from howdah.job where lease is null") < 50:
                await anyio.sleep(0.01)
        assert "mail" not in shop.started
        await shop.jobs.queues.resume("mail")
        assert await runs[-1].result("10s") == "mailed"
        await until(lambda: shop.started.count("mail") == 50)
    attempts = await db.fetch("select attempts from howdah.runs where task = 'mail'")
    assert {row[0] for row in attempts} == {1}


@pytest.mark.parametrize("what", ["queue", "task"])
async def test_runs_with_limits_pause_as_well_and_the_gate_hears_of_a_resume(dsn: str, what: str) -> None:
    jobs = App(dsn, **RARELY)

    @jobs.task(queue="mail", limits=[Limit("few", 5)])
    async def mail() -> str:
        return "mailed"

    of: Any = jobs.queues if what == "queue" else jobs.tasks
    async with jobs, jobs.work() as node:
        assert await (await mail.enqueue()).result("10s") == "mailed"
        await until(lambda: node._has_listened)
        await of.pause("mail")
        runs = await mail.enqueue_many(mail.call() for _ in range(20))
        await anyio.sleep(0.05)
        assert {await run.status() for run in runs} <= {"queued", "gated"}
        await of.resume("mail")
        for run in runs:
            assert await run.result("10s") == "mailed"


async def test_runs_of_a_paused_queue_hold_nobody_back_where_queues_have_weights(dsn: str) -> None:
    shop = Shop(dsn)
    async with shop.jobs:
        await shop.mail.enqueue_many(shop.mail.call() for _ in range(50))
        await shop.other.enqueue_many(shop.other.call() for _ in range(50))
        await shop.jobs.queues.pause("mail")
        async with shop.jobs.work(queues={"mail": 100, "default": 1}):
            await until(lambda: shop.started.count("other") == 50)
            assert "mail" not in shop.started
            await shop.jobs.queues.resume("mail")
            await until(lambda: shop.started.count("mail") == 50)


async def test_the_command_line_pauses_lists_and_resumes(dsn: str) -> None:
    shop = Shop(dsn)
    async with shop.jobs.work():
        pass
    for group in ("queues", "tasks"):
        assert "pauses: none of its runs starts" in (await beside(group, "pause", "mail", HOWDAH_DSN=dsn)).stdout
        ls = ["ls"] if group == "queues" else []
        listed = [json.loads(line) for line in (await beside(group, *ls, "--json", HOWDAH_DSN=dsn)).stdout.splitlines()]
        (mail,) = [one for one in listed if one[group.removesuffix("s")] == "mail"]
        assert datetime.fromisoformat(mail["paused_since"])
        assert "paused since" in (await beside(group, *ls, HOWDAH_DSN=dsn)).stdout
        assert "start again" in (await beside(group, "resume", "mail", HOWDAH_DSN=dsn)).stdout
        assert "paused since" not in (await beside(group, *ls, HOWDAH_DSN=dsn)).stdout
    refused = await beside("queues", "pause", "mial", HOWDAH_DSN=dsn)
    assert (refused.exit_code, "there is no queue mial" in refused.stderr) == (1, True)
