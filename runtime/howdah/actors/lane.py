"""A lane makes the attempts of one task: it decodes, calls the function, and turns whatever happens into an Outcome.

A function's exception is data, never a crash. Functions are user code: we interrupt them once, by task.cancel(), not
again at every await as an anyio scope would do, because a rollback is an await too.
"""

import asyncio
import logging
import random
import traceback
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import anyio
import msgspec

from .. import codec
from ..context import CurrentRun, Home
from ..core.fingerprint import fingerprint
from ..core.states import Kind
from ..core.verdict import Cause, Misfit, verdict
from ..definitions import Definition, Middleware
from ..dependencies import Stock
from ..errors import GiveUp, HowdahError, RateLimited
from ..messages import Failure
from ..policy import Policy
from ..scopes import Scope, enter, unwind

log = logging.getLogger("howdah.run")

_OUR_FILES = (str(Path(__file__).parent), str(Path(anyio.__file__).parent))

DROPPED = 0
"""Not an event: the run was ours no more, or has been ended by its own transaction. Frees its room, writes nothing."""


class Sizes(msgspec.Struct, frozen=True):
    """How large a result (bytes) and a recorded error (characters) may be."""

    payload_max: int
    error_max: int


class Executor(Protocol):
    """Where functions are called that are not called in the node's loop. It hears of an interruption as run.cause, and as
    a CancelledError unless run.in_thread."""

    async def call(self, run: CurrentRun, definition: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Calls the function and returns its value, or msgspec.Raw where that is json already. Raises what it raises."""
        ...


class Surroundings(NamedTuple):
    """What stands around each attempt on a node: middleware, the outermost first, and what providers with per="node" made."""

    middlewares: Sequence[Middleware]
    stock: Stock


class Lane:
    """One task's way through this node: the default lane, with no key and no limit."""

    def __init__(self, definition: Definition, home: Home, limits: Sizes, around: Surroundings, executor: Executor | None = None) -> None:
        self.definition = definition
        self.name = definition.name
        self.policy = definition.policy
        self.home = home
        self._function = definition.function
        self._decode = definition.decode
        self._encode_result = definition.encode_result
        self._limits = limits
        self._around = around
        self._executor = executor
        self._plan = definition.plan
        self._middlewares = around.middlewares
        self._bare = not definition.plan and not around.middlewares
        self.rates: Sequence[str] = definition.demands.rates
        """Those that a function may ask a pause of."""

    def policy_of(self, options: str) -> Policy:
        """The policy of a run that says otherwise than its task."""
        try:
            return self.definition.policy_of(options)
        except (msgspec.MsgspecError, ValueError, TypeError) as error:
            raise GiveUp(f"the stored options of this run of {self.name!r} make no sense: {error}") from error

    async def attempt(self, run: CurrentRun) -> tuple[Kind, str | None]:
        """Calls the function; its result as json text. Raises what the function raises."""
        try:
            args, kwargs = self._decode(run.claimed.args)
        except msgspec.MsgspecError as error:
            raise Misfit(f"the stored arguments do not fit the signature of {self.name!r}: {error}") from error
        if self._bare:
            value = await self._call(run, args, kwargs)
            return Kind.SUCCEEDED, self._encode_for(run, value)
        return Kind.SUCCEEDED, await self._surrounded(run, args, kwargs)

    async def _surrounded(self, run: CurrentRun, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """The same within its middleware and its dependencies. A result that cannot be stored is an error for them too."""
        opened: list[Scope] = []
        value, data, error = None, None, None
        try:
            for middleware in self._middlewares:
                await enter(middleware(), opened)
            if self._plan:
                kwargs = kwargs.copy()  # Those of functions without keywords are one dict for all.
                await self._plan.open(self._around.stock, opened, kwargs)
            value = await self._call(run, args, kwargs)
            data = self._encode_for(run, value)
        except BaseException as raised:  # noqa: BLE001 - raised again below, unless a scope has put its own in its place
            error = raised
        error = await unwind(opened, value, error)
        if error is not None:
            try:
                raise error
            finally:
                del error  # It holds this frame by its traceback.
        return data

    def _call(self, run: CurrentRun, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Awaitable[Any]:
        if self._executor is None:
            return self._function(*args, **kwargs)
        return self._executor.call(run, self.definition, args, kwargs)

    def _encode_for(self, run: CurrentRun, value: object) -> str | None:
        """The result to store. One that ended in its transaction has stored it there."""
        if value is None:
            return None
        if not run.completed:
            data = self._encode(value)
            if run.in_transaction:  # A dependency's, which ends after this: it commits with the result.
                run.offer_result(data)
            return data
        # A typed function returns its result also where it has given it to set_result() for the commit.
        if self._encode(value) != run.encoded_result():
            log.warning("%r returned a value after transaction() had ended it; give results to current_run().set_result()", run)
        return None

    def judge(self, run: CurrentRun, policy: Policy, error: BaseException) -> tuple[Kind, str | None, float | None]:
        """What an attempt that raised means: kind, recorded error, delay in seconds."""
        cause = run.cause if isinstance(error, asyncio.CancelledError) else None
        if cause is Cause.TIMEOUT:
            timeout = TimeoutError(f"the attempt took longer than its timeout of {run.deadline - run.started:g} s")
            error = timeout.with_traceback(error.__traceback__)
        if isinstance(error, RateLimited):
            error = self._named(error)
        kind, delay_s = verdict(error, cause, run.attempt, policy.retry, random.random())  # noqa: S311 - jitter
        if kind is Kind.SNOOZED and isinstance(error, RateLimited):
            run.limited = error.limit
        if kind is Kind.RELEASED and self.definition.delivery == "at_most_once":
            stopped = HowdahError('the node was stopped during the attempt, and with delivery="at_most_once" there is no other one')
            kind, error = Kind.FAILED, stopped.with_traceback(error.__traceback__)
        if run.completed:
            log.warning("%r raised after transaction() had ended it", run, exc_info=error)
        if kind is Kind.MISFIT:
            said = f"{type(error).__module__}.{type(error).__qualname__}"
            return kind, codec.encode(Failure(said, str(error)[: self._limits.error_max], hash=self.definition.hash)), None
        data = None if kind in (Kind.STOPPED, Kind.RELEASED) else describe(error, self._limits.error_max)
        return kind, data, delay_s

    def _named(self, error: RateLimited) -> RateLimited | GiveUp:
        """The same with the name of a rate of this task. GiveUp where it stands for none of them, or for any: the run would pause
        alone, and others run into the same refusal."""
        rates = self.rates
        if error.limit in rates:
            return error
        if error.limit is None and len(rates) == 1:
            error.limit = rates[0]
            return error
        known = f"its rates are {', '.join(map(repr, rates))}" if rates else "it has no rate among its limits"
        if error.limit is not None:
            wrong = f"task {self.name!r} raised RateLimited({error.limit!r}, ...), and {known}: name one of its rates, or raise Snooze"
        else:
            wrong = f"task {self.name!r} raised RateLimited() without a name, and {known}: name one of its rates, or raise Snooze"
        return GiveUp(wrong).with_traceback(error.__traceback__)

    def _encode(self, value: object) -> str:
        try:
            data = self._encode_result(value)
        except (TypeError, ValueError, msgspec.MsgspecError, RecursionError) as error:
            raise GiveUp(f"the result of {self.name!r} cannot be stored as json: {error}") from error
        if codec.is_over(data, self._limits.payload_max):
            raise GiveUp(
                f"the result of {self.name!r} is {len(data.encode()):,} bytes of json, over the limit of"
                f" {self._limits.payload_max:,} (payload_max); return a reference to where it is stored"
            )
        return data


def describe(error: BaseException, error_max: int) -> str:
    """The exception as json: dotted type, message, traceback without our frames, and the names of its classes."""
    try:
        message = str(error)
    except Exception as broken:  # noqa: BLE001 - the exception's own __str__ is user code
        message = f"<{type(error).__name__} whose text cannot be made: {type(broken).__name__}>"
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(_OUR_FILES)]
    text = (
        "".join([*traceback.format_list(theirs), *traceback.format_exception_only(error)])
        if theirs
        else "".join(traceback.format_exception(error))
    )
    if len(text) > error_max:
        text = f"{text[: error_max // 2]}\n... {len(text) - error_max} characters left out ...\n{text[-error_max // 2 :]}"
    # In a child process the script that was started is called so.
    bases = [f"{base.__module__}.{base.__qualname__}".replace("__mp_main__", "__main__") for base in type(error).__mro__]
    same = fingerprint(bases[0], [frame.name for frame in theirs], message)
    return codec.encode(
        Failure(bases[0].removeprefix("builtins."), codec.printable(message)[:error_max], codec.printable(text), bases, fingerprint=same)
    )
