"""A run in the caller's hand: its result, its state, its cancellation. Any process may hold one, by task.attach(id)."""

import asyncio
from typing import Generic, Literal, Protocol, TypeVar

import msgspec

from .client import Client
from .core.states import Kind, State
from .definitions import Definition
from .duration import Duration, seconds
from .errors import HowdahError, RunCancelled, RunExpired, RunFailed, RunRejected, RunSkipped
from .messages import Ended
from .portal import Portal

R_co = TypeVar("R_co", covariant=True)

_FAILURES = {Kind.FAILED: State.FAILED, Kind.QUARANTINED: State.QUARANTINED, Kind.LOST: State.LOST}

Cancellation = Literal["cancelled", "requested", "ended", "unknown"]


class Host(Protocol):
    """What tasks and runs need of the app that they belong to. ConfigurationError: they belong to none yet."""

    @property
    def client(self) -> Client:
        """What it does with its database."""
        ...

    @property
    def portal(self) -> Portal:
        """How threads reach it."""
        ...


class Run(Generic[R_co]):
    """One request to execute a task. `id` is a positive integer below 2**53; runs sort by it. `created`: whether the call
    that this comes from made the run; False where it found the one that holds the unique key, and where it was attached."""

    def __init__(self, run_id: int, definition: Definition, host: Host, *, created: bool = False) -> None:
        self.id = run_id
        self.created = created
        self.task = definition.name
        self._definition = definition
        self._host = host

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.task}>"

    async def result(self, timeout: Duration | None = None) -> R_co:  # noqa: ASYNC109 - the caller's own limit, as asyncio.timeout
        """What the function returned, as soon as it is durable; at once if the run has ended already.

        Raises RunFailed (whose `state` is failed, quarantined or lost), RunCancelled or RunExpired; after the caller's own
        timeout TimeoutError.
        """
        client = self._host.client
        await client.ready()
        async with asyncio.timeout(None if timeout is None else seconds(timeout)):
            ended = await client.results.wait(self.id)
        return self._read(ended)

    def result_sync(self, timeout: Duration | None = None) -> R_co:
        """The same for code that cannot await, in a thread or a script: it blocks. HowdahError on a running event loop."""
        limit_s = None if timeout is None else seconds(timeout)

        async def wait(client: Client) -> Ended:
            await client.ready()
            async with asyncio.timeout(limit_s):
                return await client.results.wait(self.id)

        return self._read(self._host.portal.call("run.result_sync", "await run.result(...) instead", wait))

    async def status(self) -> State:
        """Where the run is now. HowdahError: there is no such run, or its history has been dropped."""
        state = await self._host.client.state(self.id)
        if state is None:
            raise HowdahError(_no_run(self.id))
        return state

    async def cancel(self, reason: str | None = None) -> Cancellation:
        """Cancels the run. cancelled: it had not started and never will. requested: it runs, and was asked to stop.
        ended: it had ended before. unknown: there is no such run."""
        answers = await self._host.client.cancel([self.id], reason)
        return answers.get(self.id, "unknown")  # type: ignore[return-value] # the words of functions/cancel.sql

    def _read(self, ended: Ended) -> R_co:
        if not ended.known:
            raise HowdahError(_no_run(self.id))
        name = self.task
        match ended.kind:
            case Kind.SUCCEEDED:
                data = "null" if ended.data is None else ended.data
                try:
                    return self._definition.result_decoder.decode(data)
                except (msgspec.MsgspecError, TypeError) as error:
                    raise HowdahError(
                        f"the result of run {self.id} is not what {name!r} says it returns: {error}. The run has succeeded; mend the"
                        " annotation, or what the function returns (json has no NaN and no infinity: they are stored as null)."
                    ) from error
            case Kind.CANCELLED | Kind.STOPPED:
                reason = ended.reason()
                raise RunCancelled(
                    f"run {self.id} of {name} was cancelled" + (f": {reason}" if reason else ""),
                    run_id=self.id, task=name, state=State.CANCELLED, reason=reason,
                )  # fmt: skip
            case Kind.EXPIRED:
                raise RunExpired(
                    f"run {self.id} of {name} expired: nobody started it in time", run_id=self.id, task=name, state=State.EXPIRED
                )
            case Kind.REJECTED:
                raise RunRejected(
                    f"run {self.id} of {name} was rejected: {ended.reason()}", run_id=self.id, task=name, state=State.REJECTED
                )
            case Kind.SKIPPED:
                raise RunSkipped(f"run {self.id} of {name} was skipped: {ended.reason()}", run_id=self.id, task=name, state=State.SKIPPED)
            case _:
                assert ended.kind is not None
                said = ended.failure()
                raise RunFailed(
                    run_id=self.id, task=name, state=_FAILURES[Kind(ended.kind)], attempt=ended.attempt or 0, error_type=said.type,
                    message=said.message, traceback=said.traceback, bases=said.bases,
                )  # fmt: skip


def _no_run(run_id: int) -> str:
    return f"there is no run {run_id}: its transaction has not committed or was rolled back, or its history has been dropped"
