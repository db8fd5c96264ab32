"""Howdah runs your Python functions durably on the Postgres you already have."""

from .app import App
from .context import CurrentBatch, CurrentNode, CurrentRun, current_batch, current_node, current_run, transaction
from .core.retry import Retry
from .core.states import State
from .debounce import Debounce
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
    MemoryExceeded,
    ProcessDied,
    RateLimited,
    RunCancelled,
    RunEnded,
    RunExpired,
    RunFailed,
    RunRejected,
    RunSkipped,
    SchemaMismatch,
    Snooze,
)
from .facts import Alert, FailedRun
from .limits import Breaker, Limit, Rate, Sequence
from .policy import Defaults
from .records import RunFilter, run_fields
from .registrar import Tasks
from .runs import Run
from .tasks import Call, Task

__all__ = [
    "Alert",
    "App",
    "AppNotOpen",
    "ArgumentsInvalid",
    "Breaker",
    "Call",
    "ConfigurationError",
    "CurrentBatch",
    "CurrentNode",
    "CurrentRun",
    "DatabaseAway",
    "Debounce",
    "Defaults",
    "Duration",
    "EmbeddedError",
    "FailedRun",
    "GiveUp",
    "HowdahError",
    "LeaseLost",
    "Limit",
    "MemoryExceeded",
    "ProcessDied",
    "Rate",
    "RateLimited",
    "Retry",
    "Run",
    "RunCancelled",
    "RunEnded",
    "RunExpired",
    "RunFailed",
    "RunFilter",
    "RunRejected",
    "RunSkipped",
    "SchemaMismatch",
    "Sequence",
    "Snooze",
    "State",
    "Task",
    "Tasks",
    "current_batch",
    "current_node",
    "current_run",
    "run_fields",
    "transaction",
    "use",
]
