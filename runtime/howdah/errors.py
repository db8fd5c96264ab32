"""What can go wrong, as the caller sees it. Each text says what happened and what to do now.

HowdahError
├── ConfigurationError      a setting or a definition is wrong: fix the code
├── ArgumentsInvalid        the arguments do not fit the task's signature: fix the call
├── AppNotOpen              there is no connection yet: enter `async with jobs:` first
├── DatabaseAway            Postgres did not answer in time: nothing was committed, or it is not known
├── SchemaMismatch          the database's schema is older or much newer than this code: migrate or deploy
├── EmbeddedError           the embedded Postgres could not be started or stopped
├── LeaseLost               this attempt is no longer the run's owner: stop, roll back
├── ProcessDied             the child process of an attempt ended in the middle of it
│   └── MemoryExceeded      it was killed, since it took more than its task allows
└── RunEnded                the awaited run did not succeed
    ├── RunFailed           it raised for the last time (also quarantined and lost: see `state`)
    ├── RunCancelled        somebody cancelled it
    ├── RunExpired          nobody started it in time
    ├── RunRejected         a limit refused it
    └── RunSkipped          it was not needed

Snooze, RateLimited and GiveUp are no errors: a task raises them to say how to go on.
"""

from collections.abc import Sequence

from .duration import Duration, seconds


class HowdahError(Exception):
    """Whatever Howdah raises on purpose. Catch one of its kinds instead of this."""


class ConfigurationError(HowdahError):
    """A setting or a task definition cannot work as it stands."""


class ArgumentsInvalid(HowdahError, TypeError):
    """The arguments of an enqueue do not fit the task's signature; nothing was enqueued."""


class AppNotOpen(HowdahError):
    """The app has no connection yet, or not any more."""


class DatabaseAway(HowdahError, ConnectionError):
    """Postgres did not answer in time. What was asked is not committed, or it is not known whether it is."""


class SchemaMismatch(HowdahError):
    """The schema in the database and this code do not fit together."""


class EmbeddedError(HowdahError):
    """The embedded Postgres could not do what was asked."""


class LeaseLost(HowdahError):
    """The attempt has lost its run: another attempt may be under way. What it has not committed must roll back."""


class ProcessDied(HowdahError):
    """The process of an attempt did not survive it, or could not be started. Recorded as the failure of that attempt."""


class MemoryExceeded(ProcessDied):
    """The process of an attempt took more memory than its task allows, and was killed."""


class RunEnded(HowdahError):
    """The awaited run ended without a result. Attributes: run_id, task, state."""

    def __init__(self, message: str, *, run_id: int, task: str, state: str) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.task = task
        self.state = state


class RunFailed(RunEnded):
    """The run's last attempt raised.

    Attributes: run_id, task, attempt (how many were made), error_type (dotted name of the exception's class),
    message, traceback (text), state. Nothing is unpickled: the exception itself stays where it was raised.
    """

    def __init__(
        self, *, run_id: int, task: str, state: str, attempt: int, error_type: str, message: str, traceback: str, bases: Sequence[str]
    ) -> None:
        super().__init__(
            f"run {run_id} of {task} {state} at attempt {attempt} with {error_type}: {message}", run_id=run_id, task=task, state=state
        )
        self.attempt = attempt
        self.error_type = error_type
        self.message = message
        self.traceback = traceback
        self._bases = tuple(bases)

    def is_a(self, kind: type[BaseException]) -> bool:
        """Whether the recorded exception was of this class or of one that derives from it, compared by name."""
        return f"{kind.__module__}.{kind.__qualname__}" in self._bases


class RunCancelled(RunEnded):
    """The run was cancelled. Attribute: reason (text or None)."""

    def __init__(self, message: str, *, run_id: int, task: str, state: str, reason: str | None) -> None:
        super().__init__(message, run_id=run_id, task=task, state=state)
        self.reason = reason


class RunExpired(RunEnded):
    """Nobody started the run before the time it was given."""


class RunRejected(RunEnded):
    """A limit of the task refused the run."""


class RunSkipped(RunEnded):
    """The run was skipped: its condition said so, or a newer one took its place."""


class Snooze(Exception):
    """Raised by a task: try again after this time; the attempt does not count."""

    def __init__(self, delay: Duration) -> None:
        self.delay_s = seconds(delay)
        super().__init__(f"snoozed for {self.delay_s:g} s")


class RateLimited(Snooze):
    """Raised by a task: the other side wants a pause, as in HTTP 429; try again after it. The attempt does not count, and nothing
    else starts under the same key of that Rate before then.

    limit: the Rate of the task that stands for the other side; default the only one that it has. retry_after: the pause.
    """

    def __init__(self, limit: str | None = None, *, retry_after: Duration) -> None:
        super().__init__(retry_after)
        self.limit = limit
        self.args = (f"{limit or 'the other side'} asks for a pause of {self.delay_s:g} s",)


class GiveUp(Exception):
    """Raised by a task: this will not succeed; make no further attempts."""
