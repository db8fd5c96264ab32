"""What log records say of the run that made them."""

import logging

from .context import CURRENT, BatchAttempt
from .telemetry import current_ids, traced_ids

FIELDS = ("run", "task", "attempt", "trace_id", "span_id")
"""What run_fields() may hold."""


def run_fields() -> dict[str, str | int]:
    """The run that is executing this code, for whatever writes logs: run, task, attempt; trace_id and span_id (hexadecimal) where
    it belongs to a trace. Empty outside of a run."""
    run = CURRENT.get(None)
    if run is None or run.ended:
        return {}
    fields: dict[str, str | int] = {"task": run.task}
    if not isinstance(run, BatchAttempt):  # A batch is of many runs.
        fields |= {"run": run.id, "attempt": run.attempt}
    ids = current_ids() or (None if run.claimed.trace is None else traced_ids(run.claimed.trace))
    if ids is not None:
        fields["trace_id"], fields["span_id"] = ids
    return fields


class RunFilter(logging.Filter):
    """Gives each record that is made within a run the attributes of run_fields(), for formatters, and lets all of them pass. It
    belongs on a handler, as handler.addFilter(RunFilter()). A format that names them needs defaults for all other records:
    logging.Formatter("%(message)s %(run)s", defaults={"run": "-"}). What a record says already (extra=) stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        """As logging calls it, in the context that logs."""
        said = record.__dict__
        for name, value in run_fields().items():
            said.setdefault(name, value)
        return True
