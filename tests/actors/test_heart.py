"""The heart: a lease in a thread, a new identity when it was lost, and a line in the log for a blocked loop."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import monotonic, sleep

import anyio
import msgspec
import pytest
from howdah.actors.heart import Heart, Watch
from howdah.config import Config

from .stage import CONFIG

pytestmark = pytest.mark.anyio

LONG = msgspec.structs.replace(CONFIG, lease_s=120.0)
"""No machine is so busy that this lease runs out."""


class Leases:
    """answers: what each renewal says: True held, False reaped, None no answer."""

    def __init__(self, answers: list[bool | None] | None = None) -> None:
        self.answers = answers or []
        self.entered: list[int] = []
        self.gave_way = 0
        self.renewed: list[int] = []
        self.left: list[int] = []
        self.dropped = 0
        self.closed = False
        self.order: str | None = None
        self.late = 0
        """The identity, counted from 1, whose renewals are answered too late."""

    async def enter(self, node: int, lease_s: float) -> datetime:
        self.entered.append(node)
        return datetime.now(UTC)

    async def renew(self, node: int, lease_s: float, within_s: float) -> tuple[datetime, bool, str | None] | None:
        self.renewed.append(node)
        answer = self.answers.pop(0) if self.answers else True
        if self.late == len(self.entered):
            sleep(within_s + 0.01)  # As a thread that gets no turn: the answer is there, and the time is over.
        if answer is None:
            raise TimeoutError
        return (datetime.now(UTC), True, self.order) if answer else None

    async def give_way(self, within_s: float) -> None:
        self.gave_way += 1

    async def leave(self, node: int, within_s: float) -> None:
        self.left.append(node)

    async def drop(self) -> None:
        self.dropped += 1

    async def close(self) -> None:
        self.closed = True


class Body:
    """A heart with its thread, and what it told the node."""

    def __init__(self, leases: Leases, config: Config = LONG) -> None:
        self.fenced: list[int] = []
        self.joined = 0
        self.twice = anyio.Event()
        self.once = anyio.Event()
        self.unsettled = anyio.Event()
        self.orders: list[str | None] = []
        self.obeyed = anyio.Event()
        self.heart = Heart(config, leases, joined=self.join, fenced=self.fenced.append, unsettled=self.unsettled.set, ordered=self.obey)

    def join(self) -> None:
        self.joined += 1
        (self.once if self.joined == 1 else self.twice).set()

    def obey(self, order: str | None) -> None:
        self.orders.append(order)
        self.obeyed.set()

    @asynccontextmanager
    async def beating(self) -> AsyncGenerator[None]:
        """Its thread, from when it has joined. It ends with the block, whatever ends that; one that does not end is an error, and
        nobody waits for it: it is a daemon."""
        here, ended, raised = asyncio.get_running_loop(), anyio.Event(), list[BaseException]()

        def beat() -> None:
            try:
                self.heart.beat(here, Watch((beat.__code__,), 60))
            except BaseException as error:
                raised.append(error)
            here.call_soon_threadsafe(ended.set)

        threading.Thread(target=beat, daemon=True).start()
        try:
            with anyio.fail_after(30):
                await self.once.wait()
            yield
        finally:
            self.heart.stop(leave=False)
            with anyio.fail_after(30):
                await ended.wait()
            for error in raised:
                raise error


async def test_it_renews_says_what_waits_unsettled_and_leaves_in_good_order() -> None:
    leases = Leases()
    body = Body(leases)
    async with body.beating():
        standing = body.heart.standing
        assert standing is not None
        assert monotonic() < standing.until <= monotonic() + LONG.lease_s
        with anyio.fail_after(30):
            await body.unsettled.wait()
        body.heart.stop(leave=True)
    assert leases.left == leases.entered
    assert leases.closed
    assert body.heart.standing is None
    assert body.fenced == []


@pytest.mark.parametrize("lost", [False, None], ids=["reaped", "no answer"])
async def test_a_lease_that_is_lost_fences_the_old_identity_and_takes_a_new_one(lost: bool | None) -> None:
    leases = Leases([True, lost])
    body = Body(leases)
    async with body.beating():
        with anyio.fail_after(30):
            await body.twice.wait()
        body.heart.stop(leave=True)
    first, second = leases.entered
    assert first != second
    assert body.fenced == [first]
    assert leases.left == [second]
    assert leases.dropped == (1 if lost is None else 0)


async def test_an_answer_that_comes_when_the_lease_has_run_out_here_costs_the_identity() -> None:
    """Slots may have dropped what was held under it, and nobody takes that back from a node that lives on."""
    leases = Leases()
    leases.late = 1
    body = Body(leases, msgspec.structs.replace(CONFIG, lease_s=1.0))
    async with body.beating():
        with anyio.fail_after(30):
            await body.twice.wait()
        body.heart.stop(leave=True)
    first, second = leases.entered
    assert body.fenced == [first]
    assert leases.left == [second]
    assert leases.dropped == 1
    assert leases.renewed.count(first) <= 1, "an answer that came too late was believed"


async def test_the_line_that_blocks_the_loop_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    looking, seen = threading.Event(), threading.Event()

    def blocks() -> None:
        run = "run 5"
        looking.set()
        assert seen.wait(30)  # What is looked at is a loop that does nothing else.
        del run

    watch = Watch((blocks.__code__,), 0.02)
    loop = asyncio.get_running_loop()

    def look() -> None:
        looking.wait(30)
        while "blocked for" not in caplog.text:
            watch.look(loop)
            sleep(0.01)
        seen.set()

    observer = threading.Thread(target=look)
    with caplog.at_level(logging.WARNING, "howdah.heart"):
        observer.start()
        blocks()
        observer.join()
    assert "blocked for" in caplog.text
    assert "'run 5'" in caplog.text
    assert f"line {blocks.__code__.co_firstlineno + 3}, in blocks" in caplog.text


async def test_a_node_that_is_taken_down_keeps_its_lease_until_it_runs_out() -> None:
    """Plain functions may still run in their threads: what the node holds is nobody else's yet."""
    leases = Leases()
    body = Body(leases)
    async with body.beating():
        body.heart.stop(leave=False)
    assert leases.left == []
    assert leases.closed


async def test_what_the_node_was_told_is_heard_at_once_when_somebody_says_that_there_is_something_and_once_only() -> None:
    leases = Leases()
    body = Body(leases, msgspec.structs.replace(CONFIG, heartbeat_s=60, lease_s=200))
    async with body.beating():
        leases.order = "pause"
        body.heart.ask()
        with anyio.fail_after(30):
            await body.obeyed.wait()  # The next beat comes later.
        body.obeyed = anyio.Event()
        leases.order = None
        body.heart.ask()
        with anyio.fail_after(30):
            await body.obeyed.wait()
        body.heart.stop(leave=True)
    assert body.orders == ["pause", None]


async def test_a_node_that_comes_back_hears_at_once_what_it_was_told_meanwhile() -> None:
    leases = Leases([True, False])
    body = Body(leases)
    async with body.beating():
        with anyio.fail_after(30):
            leases.order = "pause"
            await body.twice.wait()
            await body.obeyed.wait()
        body.heart.stop(leave=True)
    assert body.orders == ["pause"]
