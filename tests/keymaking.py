"""Functions that are asked for keys and cannot give them, and tasks with limits: what some rows of test_errors.py are made of."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from howdah import App, FailedRun, Limit, Rate, Task

from .wrongdoing import Stage, ping


def no_key(number: int) -> Any:
    return None


def long_key(number: int) -> str:
    return "x" * 201


def lone_surrogate(number: int) -> str:
    return "\ud800"


def raising_key(number: int) -> str:
    raise KeyError(number)


def keyless() -> str:
    return "x"


def key_of_failed(failed: FailedRun) -> str:
    return failed.task


async def _awaited_key(number: int) -> int:
    return number


awaited_key: Any = _awaited_key


async def limited(number: int, text: str | None = None) -> None: ...


def by_text(stage: Stage) -> Task[[int, str | None], None]:
    return stage.jobs.task(name=f"limited{len(stage.jobs.registry)}", limits=[Limit("by-text", 1, key="text")])(limited)


def by_number(stage: Stage) -> Task[[int], int]:
    limits = [Rate("by-number", 1, per=1, cost="number")]
    return stage.jobs.task(name=f"costly{len(stage.jobs.registry)}", limits=limits)(ping)


async def of_both_kinds(stage: Stage, first: str, second: str) -> None:
    """A rate of another program, and a limit of this one."""
    theirs = App(stage.dsn).task(name="first", limits=[Rate(first, 1, per=1)])(ping)
    await theirs.options(conn=stage.conn).enqueue(1)
    await stage.jobs.task(name=f"second{len(stage.jobs.registry)}", limits=[Limit(second, 1)])(ping).enqueue(1)


async def without_keys(stage: Stage, keys: str) -> int:
    task = App(stage.dsn).task(name="asked", limits=[Limit("asked", 1, key=str)])(ping)
    await task.options(conn=stage.conn).enqueue(1)
    return await stage.conn.fetchval(f"""select howdah.enqueue('asked', '{{"number": 1}}'{keys})""")


def stub(stage: Stage) -> Task[[int], int]:
    return App(stage.dsn).stub(ping)


async def of_a_stub(stage: Stage, keys: dict[str, str | int] | None) -> None:
    """A run of a task whose key is a function in another program."""
    task = App(stage.dsn).task(name="asked", limits=[Limit("asked", 1, key=str)])(ping)
    await task.options(conn=stage.conn).enqueue(1)
    await App(stage.dsn).stub(name="asked")(ping).options(keys=keys, conn=stage.conn).enqueue(1)


async def nested(stage: Stage, number: int, keepers: int) -> int:
    """A run below so many that keep a permit each until they have ended, of so many that there are."""
    nest = stage.jobs.task(name=f"nest{number}", limits=[Limit(f"nests of {number}", number, hold="run")])(ping)
    run = (await nest.options(conn=stage.conn).enqueue(1)).id
    for _ in range(keepers):
        run = await stage.conn.fetchval("""select howdah.enqueue($1, '{"number": 1}', parent => $2)""", nest.name, run)
    return run


async def live(stage: Stage, call: Callable[[App], Awaitable[object]] | str) -> object:
    """Something that is done to limits that the code knows: per-user, a limit, smtp, a rate, and stripe, a breaker."""
    known = [
        {"limit": "per-user", "kind": "limit", "terms": {"number": 2}},
        {"limit": "smtp", "kind": "rate", "terms": {"per_s": 1, "burst": 60}},
        {"limit": "stripe", "kind": "breaker", "terms": {"failures": 0.5, "of": 20, "open_s": 60}},
    ]
    await stage.conn.execute("select howdah.note_limits($1)", json.dumps(known))
    return await stage.sql(f"select howdah.{call}") if isinstance(call, str) else await call(stage.jobs)
