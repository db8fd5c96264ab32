"""What is said of a history when it is over."""

from collections.abc import Iterator

from howdah.core.states import TRANSITIONS, Kind, State

from .model import ENDS, Model
from .network import TASKS
from .rows import Run
from .workload import Diary

LATENCY_S = 1.0
"""Where nothing breaks a free node starts what is ready by notification, and not by the next look."""


def judged(model: Model, diary: Diary, healed_at: float, notice_s: float, *, calm: bool) -> list[str]:
    """What is wrong with it. calm: nothing broke, and everything must have been quick. notice_s: how long it may take after the
    last fault until somebody notices what nobody told of."""
    found = [f"run {row.run.id} ({TASKS[row.run.task - 1]}) is still pending: {row}" for row in model.hot.rows()]
    if len(model.inbox):
        found.append(f"effects were not applied: {sorted({what for _, what in model.inbox.rows()})}")
    told: dict[int, list[Kind]] = {}
    for event in model.events.rows():
        told.setdefault(event.run, []).append(event.kind)
    for run in model.runs.rows():
        found += _of_run(model, diary, run, told.get(run.id, []))
        if run.parent is not None and not run.keeps and _replayed(told.get(run.parent, [])) is State.CANCELLED:
            # In a storm there may be nobody to settle it, until all is well again and somebody's lease is renewed.
            latest = _ended_at(model, run.parent) + LATENCY_S if calm else healed_at + notice_s
            if diary.first_start.get(run.id, 0.0) > latest:
                found.append(f"run {run.id} began after its parent {run.parent} was cancelled")
    return [*found, *_late_cancels(model)] if calm else found


def _of_run(model: Model, diary: Diary, run: Run, kinds: list[Kind]) -> Iterator[str]:
    task, end = TASKS[run.task - 1], _replayed(kinds)
    if end is None or sum(kind in ENDS for kind in kinds) != 1:
        yield f"run {run.id} does not follow from its events: {kinds}"
    if task == "once" and diary.started[run.id] > 1:
        yield f"run {run.id} starts at most once and started {diary.started[run.id]} times"
    if task == "charge" and (charged := model.effects.get(run.id) or 0) != (end is State.SUCCEEDED):
        yield f"run {run.id} is {end} and charged {charged} times"


def _late_cancels(model: Model) -> Iterator[str]:
    """What was flagged for cancellation ends soon."""
    asked = {event.run: event.at for event in model.events.rows() if event.kind is Kind.CANCEL_REQUESTED}
    for run, at in asked.items():
        if _ended_at(model, run) - at > LATENCY_S:
            yield f"run {run} ended {_ended_at(model, run) - at:.2f} s after its cancellation"


def _ended_at(model: Model, run: int) -> float:
    return max(event.at for event in model.events.rows() if event.run == run)


def _replayed(kinds: list[Kind]) -> State | None:
    """The state that follows from the events; None: they do not follow from one another."""
    state: State | None = State.QUEUED
    for kind in kinds:
        if state in _CLAIMABLE and (kind, State.RUNNING) in TRANSITIONS and (kind, state) not in TRANSITIONS:
            state = State.RUNNING  # A claim leaves no event.
        state = None if state is None else TRANSITIONS.get((kind, state))
    return state


_CLAIMABLE = (State.QUEUED, State.RETRYING, State.SCHEDULED)
