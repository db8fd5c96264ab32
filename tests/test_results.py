"""Waiters: an end that is announced while its run is being asked about is not lost."""

from collections.abc import Sequence

import anyio
import pytest
from howdah.config import configure
from howdah.core.states import Kind
from howdah.messages import Ended
from howdah.results import Results

pytestmark = pytest.mark.anyio


class EndsMeanwhile:
    """A run that ends after the question has looked and before its answer is read."""

    def __init__(self) -> None:
        self.results = Results(configure({}), self)
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
