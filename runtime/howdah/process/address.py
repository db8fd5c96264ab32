"""What a child process is told of its task: where to import it from, and what counts for it."""

import logging
import sys
from collections.abc import Sequence
from multiprocessing import spawn

from ..config import Config
from ..definitions import Definition, Middleware
from ..errors import ConfigurationError
from ..importable import why_hidden
from . import place
from .pool import Terms
from .wire import Address, Hello

_MAIN = ("init_main_from_name", "init_main_from_path")


def terms(definition: Definition, middlewares: Sequence[Middleware], app: str | None, config: Config) -> Terms:
    """What a task with isolation="process" wants of its children. app: the module that the app stands in.
    ConfigurationError: they would not find what stands around its attempts."""
    for middleware in middlewares:
        if why := why_hidden(middleware):
            raise ConfigurationError(
                f"the processes of task {definition.name!r} cannot import the middleware {_named(middleware)}: {why}. Define it with"
                " `async def` at the top level of a module"
            )
    functions = [_named(function) for function in (definition.function, *middlewares)]
    in_main = app == "__main__" or any(function.startswith("__main__:") for function in functions)
    main = spawn.get_preparation_data(definition.name) if in_main else {}
    main = {name: main[name] for name in _MAIN if name in main}
    address = Address(definition.name, functions[0], functions[1:], app, main, sys.argv)
    policy, level = definition.policy, logging.getLogger().getEffectiveLevel()
    rates = list(definition.demands.rates)
    hello = Hello(address, policy.retry.stored(), policy.timeout_s, definition.hash, config, level, place.to_hand_on(), rates)
    return Terms(hello, definition.memory, definition.max_runs)


def _named(function: Middleware) -> str:
    return f"{function.__module__}:{function.__qualname__}"
