"""Processes: where tasks with isolation="process" run. Whole attempts are made there, with all that stands around them.

A child passes the verdict on what its function raised, by a lane of its own: the exception is there. The lane here
judges what it alone can see: that an attempt was interrupted, and that its process died.
"""

import math
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Protocol, assert_never

from ..context import CurrentRun, Home
from ..core.states import Kind
from ..definitions import Definition
from ..messages import Begun, Extended, Limited, Outcome, Reported, Sign
from ..policy import Policy
from ..progress import Reporter
from .lane import Lane, Sizes, Surroundings


class Attempts(Protocol):
    """What the lane needs of the children."""

    def __call__(self, run: CurrentRun, hear: Callable[[Sign], None], /) -> Awaitable[Outcome]:
        """Makes an attempt in a child; hear is told when it is about to start there, and what it says. ProcessDied: the child
        did not survive it. Whoever is cancelled here leaves no child behind that still works on it."""
        ...


class _Judged(Exception):
    """The verdict of a child on its way to the slot."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class ProcessLane(Lane):
    """The lane of a task with isolation="process"."""

    def __init__(self, definition: Definition, home: Home, limits: Sizes, around: Surroundings, attempts: Attempts) -> None:
        super().__init__(definition, home, limits, around)
        self._attempts = attempts

    async def attempt(self, run: CurrentRun) -> tuple[Kind, str | None]:
        """As of any lane, in a child. What it takes until that can start does not count for the timeout: it has one of its own."""
        timeout_s = run.deadline - run.started
        run.deadline = math.inf

        def hear(sign: Sign) -> None:
            match sign:
                case Begun():
                    run.started = monotonic()
                    run.deadline = run.started + timeout_s
                case Extended(deadline):
                    run.deadline = deadline
                case Limited(limit):
                    run.limited = limit
                case Reported(value):
                    run.home.board.post(Reporter(run.id, run.claimed.lease, run.claimed.node), value)
                case _:
                    assert_never(sign)

        outcome = await self._attempts(run, hear)
        run.take_logs(outcome.logs)
        if outcome.kind != Kind.SUCCEEDED:
            raise _Judged(outcome)
        return Kind.SUCCEEDED, outcome.data

    def judge(self, run: CurrentRun, policy: Policy, error: BaseException) -> tuple[Kind, str | None, float | None]:
        """As of any lane."""
        if not isinstance(error, _Judged):
            return super().judge(run, policy, error)
        outcome = error.outcome
        return Kind(outcome.kind), outcome.data, None if outcome.delay is None else outcome.delay.total_seconds()
