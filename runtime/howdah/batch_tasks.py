"""A task that takes many runs at once, in the caller's hand: it is enqueued item by item, and called with a list."""

from collections.abc import Coroutine, Sequence
from typing import Any, Generic, ParamSpec, TypeVar

from .batches import BatchDefinition
from .runs import Host
from .tasks import Task

I = TypeVar("I")  # noqa: E741 - the item
Q = ParamSpec("Q")
R = TypeVar("R")


class AsyncBatchTask(Task[[I], R], Generic[I, Q, R]):
    """A batch task of an async function."""

    def __call__(self, items: list[I], /, *args: Q.args, **kwargs: Q.kwargs) -> Coroutine[Any, Any, Sequence[R | Exception]]:
        """Runs the function here and now. ArgumentsInvalid: a dependency is missing, since no node is there to fill it."""
        if self.definition.plan:
            self.definition.check_call((items, *args), kwargs)
        return self.definition.function(items, *args, **kwargs)


class SyncBatchTask(Task[[I], R], Generic[I, Q, R]):
    """A batch task of a plain function, which runs in a thread."""

    def __call__(self, items: list[I], /, *args: Q.args, **kwargs: Q.kwargs) -> Sequence[R | Exception]:
        """Runs the function here and now. ArgumentsInvalid: a dependency is missing, since no node is there to fill it."""
        if self.definition.plan:
            self.definition.check_call((items, *args), kwargs)
        return self.definition.function(items, *args, **kwargs)


def batch_task_of(definition: BatchDefinition, host: Host) -> Task[Any, Any]:
    """The task that this definition makes."""
    if definition.is_async:
        return AsyncBatchTask[Any, ..., Any](definition, host, {})
    return SyncBatchTask[Any, ..., Any](definition, host, {})
