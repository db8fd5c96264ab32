"""Making tasks of functions: what an App and a Tasks() have in common, and the words of the decorators."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypedDict, TypeVar, Unpack, overload

from .batch_tasks import AsyncBatchTask, SyncBatchTask, batch_task_of
from .batches import Batch, BatchDefinition, batch_of
from .client import Client
from .core.retry import Retry
from .debounce import Debounce
from .definitions import Definition, Isolation
from .duration import Duration
from .errors import ConfigurationError
from .facts import FACTS, Alert, Fact, FailedRun
from .limits import AnyLimit, Given, Key
from .placement import Preferred, Required, Sticky
from .policy import SILENT, Defaults, Delivery, check_choice
from .portal import Portal
from .registry import Registry
from .size import Size
from .tasks import AsyncTask, Call, SyncTask, Task, task_of

P = ParamSpec("P")
R = TypeVar("R")
I = TypeVar("I")  # noqa: E741 - the item of a batch


class FailureHandler(Protocol):
    """A task whose one argument is a FailedRun."""

    @property
    def definition(self) -> Definition:
        """What the handler is."""
        ...

    def call(self, failed: FailedRun, /) -> Call:
        """How it is called."""
        ...


class StubWords(TypedDict, total=False):
    """What @jobs.stub(...) takes. What is said here counts for the runs that are enqueued through the stub."""

    name: str
    """What the task is called where it lives; default the function's name."""
    queue: str
    """Default: what the task says where it lives; so for the others."""
    priority: int
    """Higher first."""
    retry: Retry | int
    """Attempts in all, the first included, or a Retry."""
    timeout: Duration
    """Of each attempt."""
    debounce: Debounce | Duration
    """They start so long after the last enqueue of their kind."""
    keys: Mapping[str, Given]
    """By the names of limits whose keys are functions where the task lives: such a function, or one key for all."""


class BatchWords(TypedDict, total=False):
    """What @jobs.batch_task(...) takes beside how items are gathered."""

    name: str
    """Default the function's name."""
    aliases: Sequence[str]
    """Names that the task had before: their stored runs come here."""
    queue: str
    """Default "default"."""
    priority: int
    """From -32767 to 32767, higher first; default 0."""
    retry: Retry | int
    """Attempts in all, the first included, or a Retry; default Retry(3), with full jitter."""
    timeout: Duration
    """Of each attempt; default 15 minutes."""
    delivery: Delivery
    """at_least_once (default): a run whose node died is run again. at_most_once: it ends as lost."""
    on_failure: FailureHandler | None
    """A task of one FailedRun, enqueued when a run has failed for the last time."""
    limits: Sequence[AnyLimit]
    """How many of its runs go at once, and how often: Limit(...) and Rate(...)."""
    debounce: Debounce | Duration | None
    """A run starts so long after the last enqueue of its kind, with what that one gave: a duration, or a Debounce(...)."""
    requires: Mapping[str, Required] | None
    """What the labels of a node must be for its runs to go there, as in {"gpu": True, "mem_gb": at_least(16)}."""
    prefers: Mapping[str, Preferred] | None
    """What they had better be, as in {"zone": weight("eu", 10)}."""
    prefer_for: Duration
    """How long a run waits for the best node while that is full; default 5 s."""
    sticky: Sticky | None
    """Enqueued inside of a run, it goes to that run's node: soft prefers it, hard requires it while the node lives."""


class TaskWords(BatchWords, total=False):
    """What @jobs.task(...) takes."""

    isolation: Isolation | None
    """"process": the function runs in a process of its own, which a timeout kills and whose crash hurts nobody else."""
    memory: Size | None
    """Of that process, as in "512MB": over it the process is killed and the attempt fails."""
    max_runs: int | None
    """That process is replaced after so many runs."""
    slots: int
    """How many slots of its node each run takes; default 1."""


class _Making:
    """A decorator that was given its words and waits for its function."""

    def __init__(self, make: Callable[[Callable[..., Any]], Task[..., Any]]) -> None:
        self._make = make


class Decorator(_Making):
    """@jobs.task(...): keeps the function's signature."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload] - the first that fits wins
        self, function: Callable[P, Coroutine[Any, Any, R]]
    ) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R]) -> SyncTask[P, R]: ...
    def __call__(self, function: Callable[..., Any]) -> Task[..., Any]:
        """The function as a task."""
        return self._make(function)


class BatchDecorator(_Making):
    """@jobs.batch_task(...): of a function of a list the task of one of its items."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[list[I], P], Coroutine[Any, Any, Sequence[R | Exception]]]
    ) -> AsyncBatchTask[I, P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[list[I], P], Sequence[R | Exception]]) -> SyncBatchTask[I, P, R]: ...
    def __call__(self, function: Callable[..., Any]) -> Task[..., Any]:
        """The function as a task."""
        return self._make(function)


class StubDecorator(_Making):
    """@jobs.stub(...): the same of a signature, which nobody calls here."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload] - the first that fits wins
        self, function: Callable[P, Coroutine[Any, Any, R]]
    ) -> Task[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R]) -> Task[P, R]: ...
    def __call__(self, function: Callable[..., Any]) -> Task[..., Any]:
        """The signature as a task."""
        return self._make(function)


class AlertDecorator(_Making):
    """@jobs.on(...): a task that is called with an Alert."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload] - the first that fits wins
        self, function: Callable[Concatenate[Alert, P], Coroutine[Any, Any, R]]
    ) -> AsyncTask[Concatenate[Alert, P], R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Alert, P], R]) -> SyncTask[Concatenate[Alert, P], R]: ...
    def __call__(self, function: Callable[..., Any]) -> Task[..., Any]:
        """The function as a task that hears of facts."""
        return self._make(function)


class Registrar(ABC):
    """What makes tasks: an App, or a Tasks() that an App includes."""

    def __init__(self, defaults: Defaults | None) -> None:
        self.registry = Registry()
        self._defaults = defaults or SILENT

    @property
    @abstractmethod
    def portal(self) -> Portal:
        """How threads reach what tasks are enqueued with."""

    @property
    @abstractmethod
    def client(self) -> Client:
        """What the tasks are enqueued through."""

    @abstractmethod
    def take(self, definition: Definition, nearer: Defaults = SILENT) -> None:
        """Takes a new task in. nearer: defaults that go before our own."""

    @overload
    def task(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload] - the first that fits wins
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> SyncTask[P, R]: ...
    @overload
    def task(self, /, **said: Unpack[TaskWords]) -> Decorator: ...
    def task(self, function: Callable[..., Any] | None = None, /, **said: Unpack[TaskWords]) -> Task[..., Any] | Decorator:
        """Makes a function a task. Async functions run in the event loop, plain ones in threads.

        name: default the function's. queue: default "default". priority: higher first. retry: attempts in all, or a Retry
        (default 3, with full jitter). timeout: of each attempt (default 15 minutes). aliases: names it had before.
        delivery: "at_most_once" never runs again what a dead node had begun. on_failure: a task of one FailedRun.
        isolation="process": a process of its own, with memory="512MB" and max_runs=100 as its limits. limits: Limit(...) says
        how many runs go at once, Rate(...) how often one starts, over all nodes. debounce: a run starts so long after the last
        enqueue of its kind. requires, prefers: of the labels of nodes, with
        at_least(16) and weight("eu", 10) of howdah.placement; prefer_for: how long to wait for the best node (default 5 s). sticky:
        "soft" or "hard", to the node of the run that enqueues it. slots: of its node, that each run takes (default 1).
        """

        def make(function: Callable[..., Any]) -> Task[..., Any]:
            return self._made(function, said, TaskWords)

        return Decorator(make) if function is None else make(function)

    def batch_task(self, *, size: int, within: Duration, key: Key | None = None, **said: Unpack[BatchWords]) -> BatchDecorator:
        """Makes a function of many items a task of one: each enqueue is one item with its own run, result, retries and history, and the
        function gets those that are at hand.

        async def f(items: list[Item]) -> list[Answer | Exception]: answers stand in the order of the items. What it raises fails all
        of them; an exception among the answers fails, retries or snoozes its item alone; another number of answers fails all.

        size: at most so many items. within: so long is waited for others since the first was at hand on the node. key: items of one
        key alone: a field path that begins at the item ("item.customer_id"), or a function of one item. The rest as in task().
        """
        batch = batch_of(size, within, key)

        def make(function: Callable[..., Any]) -> Task[..., Any]:
            return self._made(function, said, BatchWords, batch=batch)

        return BatchDecorator(make)

    @overload
    def stub(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload] - the first that fits wins
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Task[P, R]: ...
    @overload
    def stub(self, function: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def stub(self, /, **said: Unpack[StubWords]) -> StubDecorator: ...
    def stub(self, function: Callable[..., Any] | None = None, /, **said: Unpack[StubWords]) -> Task[..., Any] | StubDecorator:
        """Makes a signature the task of this name that lives in another program: to enqueue it and to read its results.

        name: default the function's. queue, priority, retry, timeout, debounce: of the runs that are enqueued here; default what the
        task says where it lives. keys: for its limits whose key is a function there, as {"per-host": host_of}.
        """

        def make(function: Callable[..., Any]) -> Task[..., Any]:
            _check_words("stub", said, StubWords)
            options = {word: value for word, value in said.items() if word != "name"}
            task = self._made(function, {"name": said["name"]} if "name" in said else {}, StubWords, stub=True)
            return task.options(**options) if options else task  # type: ignore[arg-type] # checked above

        return StubDecorator(make) if function is None else make(function)

    def on(self, *facts: Fact, **said: Unpack[TaskWords]) -> AlertDecorator:
        """Makes a function of one Alert a task that is run once for each of these facts, in the whole database.

        "run.failed", "run.stale", "run.quarantined", "node.lost". Each of them is logged as a warning, too.
        """
        if not facts:
            raise ConfigurationError(f"@jobs.on was given no fact: name some of {', '.join(map(repr, FACTS))}")
        for fact in facts:
            check_choice("fact", fact, FACTS)

        def make(function: Callable[..., Any]) -> Task[..., Any]:
            return self._made(function, said, TaskWords, facts=facts)

        return AlertDecorator(make)

    def _made(
        self,
        function: Callable[..., Any],
        said: Mapping[str, Any],
        words: type,
        *,
        stub: bool = False,
        facts: Sequence[Fact] = (),
        batch: Batch | None = None,
    ) -> Task[..., Any]:
        if not callable(function):
            raise ConfigurationError(f"a task was made of {function!r}, which is no function: words are given by name, as in name=...")
        _check_words("task" if batch is None else "batch_task", said, words)
        rest = dict(said)
        own = Defaults(**{word: rest.pop(word) for word in Defaults.__struct_fields__ if word in rest})
        handler: FailureHandler | None = rest.pop("on_failure", None)
        if handler is not None and not isinstance(handler, Task):
            raise ConfigurationError(f"on_failure= takes a task, and {handler!r} is none: decorate it with @jobs.task")
        on_failure = None if handler is None else handler.definition
        if batch is not None:
            gathered = BatchDefinition(function, batch, said=own, on_failure=on_failure, **rest)
            self.take(gathered)
            return batch_task_of(gathered, self)
        definition = Definition(function, said=own, on_failure=on_failure, stub=stub, facts=facts, **rest)
        self.take(definition)
        return task_of(definition, self)


class Tasks(Registrar):
    """Tasks of a module that does not know the app: jobs.include(tasks) adds them to one.

    defaults: for its tasks, before the app's.
    """

    def __init__(self, *, defaults: Defaults | None = None) -> None:
        super().__init__(defaults)
        self._app: Registrar | None = None

    def __repr__(self) -> str:
        return f"Tasks({', '.join(definition.name for definition in self.registry)})"

    @property
    def client(self) -> Client:
        """The app's. ConfigurationError: no app has included these tasks yet."""
        return self._joined().client

    @property
    def portal(self) -> Portal:
        """The same."""
        return self._joined().portal

    def _joined(self) -> Registrar:
        if self._app is None:
            raise ConfigurationError(
                f"{self!r} belongs to no app yet: call jobs.include(...) with it, in a module that is imported before its tasks are used"
            )
        return self._app

    @property
    def included(self) -> bool:
        """Whether an app has them."""
        return self._app is not None

    def join(self, app: Registrar) -> None:
        """What jobs.include() does. Tasks that are defined later are the app's at once."""
        if self._app is app:
            return
        if self._app is not None:
            raise ConfigurationError(f"{self!r} has been included by another app already; make a Tasks() of its own for each app")
        self._app = app
        for definition in self.registry.all():
            app.take(definition, self._defaults)

    def take(self, definition: Definition, nearer: Defaults = SILENT) -> None:
        """Takes a new task in, and hands it on if an app has included us."""
        defaults = nearer.over(self._defaults)
        definition.fill(defaults)
        self.registry.add(definition)
        if self._app is not None:
            self._app.take(definition, defaults)


_WHY_NOT = {
    "batch_task": " (a batch is one call in the event loop or in a thread and takes one slot: that is for tasks of single runs)",
    "stub": " (that is said where its function lives)",
}
"""Why another kind of task does not take what @jobs.task does."""


def _check_words(kind: str, said: Mapping[str, Any], words: type) -> None:
    unknown = sorted(set(said) - set(words.__annotations__))
    if unknown:
        why = _WHY_NOT.get(kind, "") if unknown[0] in TaskWords.__annotations__ else ""
        raise ConfigurationError(f"@jobs.{kind} does not know {unknown[0]}={why}; it takes {', '.join(words.__annotations__)}")
