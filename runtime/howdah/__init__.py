"""Howdah runs your Python functions durably on the Postgres you already have."""

from .app import App
from .context import CurrentRun, current_run, transaction
from .core.retry import Retry
from .core.states import State
from .definitions import Defaults
from .dependencies import use
from .duration import Duration
from .errors import (
    AppNotOpen,
    ArgumentsInvalid,
    ConfigurationError,
    DatabaseAway,
    EmbeddedError,
    GiveUp,
    HowdahError,
    LeaseLost,
    RunCancelled,
    RunEnded,
    RunExpired,
    RunFailed,
    RunRejected,
    RunSkipped,
    SchemaMismatch,
    Snooze,
)
from .runs import Run
from .tasks import Call, Task

__all__ = [
    "App",
    "AppNotOpen",
    "ArgumentsInvalid",
    "Call",
    "ConfigurationError",
    "CurrentRun",
    "DatabaseAway",
    "Defaults",
    "Duration",
    "EmbeddedError",
    "GiveUp",
    "HowdahError",
    "LeaseLost",
    "Retry",
    "Run",
    "RunCancelled",
    "RunEnded",
    "RunExpired",
    "RunFailed",
    "RunRejected",
    "RunSkipped",
    "SchemaMismatch",
    "Snooze",
    "State",
    "Task",
    "current_run",
    "transaction",
    "use",
]
