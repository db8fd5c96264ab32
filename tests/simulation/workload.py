"""What the simulated nodes run, and what is noticed while they do."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from howdah import App, Limit, Retry, current_run, transaction

from .gate import WIDTH
from .loop import PROCESS
from .model import Model

PATIENCE_S = 8.0


class Attempt:
    """One that has begun."""

    def __init__(self, run: int, lease: int, node: int, process: str) -> None:
        self.run, self.lease, self.node, self.process = run, lease, node, process
        self.hold = (run, lease, node)


class Diary:
    """What functions did, as an outside observer has it: nothing here is rolled back by anything."""

    def __init__(self, model: Model, is_alive: Callable[[str], bool]) -> None:
        self.started: Counter[int] = Counter()
        self.first_start: dict[int, float] = {}
        self.violations: list[str] = []
        self.ambush: Callable[[str], None] | None = None
        """Hears of the process in which an attempt begins."""
        self._model = model
        self._is_alive = is_alive
        self._running: dict[int, list[Attempt]] = {}

    def begin(self) -> Attempt:
        """An attempt begins. None may begin while another one of its run is under way by right."""
        run = current_run()
        claimed = run.claimed
        attempt = Attempt(run.id, claimed.lease, claimed.node, PROCESS.get())
        # A crash, or a standby, that forgets a claim may hand its run out again: whoever had it cannot know, and is not blamed.
        if attempt.hold not in self._model.forgotten:
            if not self._model.is_held(run.id, claimed.lease, claimed.node):
                self.violations.append(f"run {run.id} began under lease {claimed.lease}, which it was not held under any more")
            for other in self._running.get(run.id, []):
                valid = other.hold not in self._model.forgotten and self._model.is_held(run.id, other.lease, other.node)
                if valid and self._is_alive(other.process):
                    self.violations.append(f"run {run.id} began under lease {claimed.lease} while lease {other.lease} was valid")
        if attempt.hold not in self._model.parted:
            self.started[run.id] += 1
        self._running.setdefault(run.id, []).append(attempt)
        self.first_start.setdefault(run.id, self._model.now())
        if self.ambush is not None:
            self.ambush(attempt.process)
        return attempt

    def begin_limited(self) -> Attempt:
        """The same under the limit: no more than it allows are under way by right."""
        attempt = self.begin()
        under_way = [other for some in self._running.values() for other in some if self._model.runs[other.run].limited]
        by_right = [
            other for other in under_way if self._model.is_held(other.run, other.lease, other.node) and self._is_alive(other.process)
        ]
        if len(by_right) > WIDTH:
            self.violations.append(f"run {attempt.run} began as one of {len(by_right)} under a limit of {WIDTH}")
        return attempt

    def take_effect(self, run: int) -> None:
        """In the database, and so together with the end of the run, or not at all."""
        self._model.take_effect(run)

    def forget(self, runs: set[int]) -> None:
        """Something of these did not happen, in the world that the database has become: their starts are counted anew."""
        for run in runs:
            self.started.pop(run, None)
            self.first_start.pop(run, None)

    def under_way(self, process: str) -> int:
        """How many attempts a process is making."""
        return sum(attempt.process == process for attempts in self._running.values() for attempt in attempts)

    def end(self, attempt: Attempt) -> None:
        """However it ended."""
        self._running[attempt.run].remove(attempt)


def tasks(diary: Diary, *, limited: bool) -> App:
    """An app with the tasks that network.TASKS names. limited: that which is under a limit, too."""
    jobs = App("postgresql://simulated")
    soon = Retry(4, base=0.2, cap=1.0)

    @jobs.task(retry=soon)
    async def plain() -> None:
        attempt = diary.begin()
        try:
            await asyncio.sleep(current_run().id % 7 * 0.05)
        finally:
            diary.end(attempt)

    @jobs.task(delivery="at_most_once", retry=1)
    async def once() -> None:
        attempt = diary.begin()
        try:
            await asyncio.sleep(current_run().id % 3 * 0.1)
        finally:
            diary.end(attempt)

    @jobs.task(retry=Retry(50, base=0.1, cap=0.5))
    async def charge() -> None:
        attempt = diary.begin()
        try:
            run = current_run().id
            async with transaction() as connection:
                await asyncio.sleep(run % 3 * 0.05)
                cast("Any", connection).effects.append(lambda: diary.take_effect(run))
        finally:
            diary.end(attempt)

    @jobs.task(retry=soon)
    async def flaky() -> None:
        attempt = diary.begin()
        try:
            await asyncio.sleep(0)
            if current_run().attempt < 3:
                raise ValueError("not yet")
        finally:
            diary.end(attempt)

    @jobs.task(timeout="1h")
    async def patient() -> None:
        attempt = diary.begin()
        try:
            await asyncio.sleep(PATIENCE_S)
        finally:
            diary.end(attempt)

    @jobs.task
    async def quick() -> None:
        diary.end(diary.begin())

    async def narrow() -> None:
        attempt = diary.begin_limited()
        try:
            await asyncio.sleep(current_run().id % 5 * 0.1)
        finally:
            diary.end(attempt)

    if limited:
        jobs.task(retry=soon, limits=[Limit("narrow", WIDTH)])(narrow)

    return jobs
