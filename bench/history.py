"""Ten million ended runs over thirty days: what every list and count takes, and what the history costs the drain.

HOWDAH_BENCH_HISTORY makes it another number of runs.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from howdah import App

from .drain import drain_once
from .measure import Figure, alone
from .server import SETTINGS, Bed
from .sql import sections

HISTORY = int(os.environ.get("HOWDAH_BENCH_HISTORY", "10000000"))
DAYS = 30
TASKS = 20
AT_ONCE = 2
"""Days that are filled at the same time."""
DRAINED = 200_000
"""Runs of each drain: what five per cent are is lost in the noise of shorter ones."""
ASKED = 30
"""How often each question is asked."""

SQL = sections("history")

Question = Callable[[], Awaitable[object]]


async def fill(connect: Callable[[], Awaitable[asyncpg.Connection]], runs: int, days: int = DAYS, tasks: int = TASKS) -> None:
    """So many ended runs, in equal parts over the days until today. Straight into the partitions, where no trigger is."""
    first = await connect()
    await first.fetch(SQL["tasks"], tasks)
    today = await first.fetchval(SQL["today"])
    count = runs // days
    left = list(range(days))

    async def some(connection: asyncpg.Connection) -> None:
        while left:
            ago = left.pop()
            said = {"day": today - ago, "first": (days - ago) * count, "count": count, "tasks": tasks}
            await connection.fetchval(SQL["add_day"], today - ago, 4)
            for name in ("runs", "events", "retried", "analyze", "counted"):
                await connection.execute(SQL[name].format(**said), timeout=600)

    others = [await connect() for _ in range(AT_ONCE - 1)]
    async with asyncio.TaskGroup() as group:
        for connection in (first, *others):
            group.create_task(some(connection))
    await first.execute(SQL["rates"])
    await first.fetchval(SQL["numbers"], (days + 2) * count)
    for connection in (first, *others):
        await connection.close()


async def questions(jobs: App, connection: asyncpg.Connection) -> dict[str, Question]:
    """Every list and count, by name."""
    today = await connection.fetchval(SQL["today"])
    middle = (today - DAYS // 2 << 40) + (1 << 39)
    root = await connection.fetchval(SQL["a_root"], middle)
    task = await connection.fetchval("select task from howdah.event where kind = 2 limit 1")
    failed = await connection.fetchval(SQL["a_failure"], task)
    error = (await jobs.runs.get(failed)).error
    assert error is not None
    name = (await jobs.runs.get(failed)).task
    listed: dict[str, dict[str, Any]] = {
        "newest": {},
        "older": {"before": middle},
        "failed": {"state": "failed"},
        "failed of a task": {"state": "failed", "task": name},
        "failed, older": {"state": "failed", "before": middle},
        "succeeded": {"state": "succeeded"},
        "succeeded of a task": {"state": "succeeded", "task": "task_7"},
        "of a task": {"task": "task_7"},
        "of a queue": {"queue": "default"},
        "quarantined": {"state": "quarantined"},
        "lost": {"state": "lost"},
        "queued": {"state": "queued"},
        "running": {"state": "running"},
        "retrying": {"state": ["scheduled", "retrying"]},
        "common tag": {"tags": ["nightly"]},
        "rare tag": {"tags": ["odd"]},
        "metadata": {"metadata": {"customer": "c77"}},
        "metadata that nobody has": {"metadata": {"customer": "nobody"}},
        "failed with a common tag": {"tags": ["nightly"], "state": "failed"},
        "an error": {"error": error.fingerprint, "task": name},
        "an error of any task": {"error": error.fingerprint},
        "an error that nobody had": {"error": "ffffffff"},
        "since yesterday": {"since": "1d"},
        "failed since last week": {"since": "7d", "state": "failed"},
        "a parent's": {"parent": root},
        "a tree": {"root": root},
    }

    def listing(which: dict[str, Any]) -> Question:
        return lambda: jobs.runs.list(**which)

    return {f"list: {said}": listing(which) for said, which in listed.items()} | {
        "one run": lambda: jobs.runs.get(failed),
        "tree of a run": lambda: jobs.runs.tree(root),
        "count: all": jobs.runs.count,
        "count: failed of a task": lambda: jobs.runs.count(state="failed", task=name),
        "count: since last week": lambda: jobs.runs.count(state="succeeded", since="7d"),
        "queues": jobs.queues.list,
        "tasks": jobs.tasks.list,
        "todo": jobs.tasks.todo,
    }


async def ask(question: Question, times: int) -> list[float]:
    """Milliseconds of each answer, after one that makes the plans."""
    await question()
    taken: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await question()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


async def measure(bed: Bed, runs: int) -> list[Figure]:
    with alone():
        old = await bed.fresh()
        began = time.perf_counter()
        await fill(lambda: bed.connect(old), HISTORY)
        made_s = time.perf_counter() - began
        watcher = await bed.connect(old)
        await watcher.execute("vacuum", timeout=1200)
        await watcher.execute("checkpoint", timeout=600)
        async with App(bed.dsn(old), pool_size=1) as jobs:
            answers = {name: await ask(question, ASKED) for name, question in (await questions(jobs, watcher)).items()}
    about = {"history": HISTORY, "days": DAYS, "server": SETTINGS}
    figures = [Figure("history.made", "s", [made_s], about)]
    figures += [Figure(f"history.{name}", "ms", taken, {**about, "limit": 50}) for name, taken in answers.items()]
    figures.append(
        Figure("history.slowest", "ms", [max(taken) for taken in answers.values()], {**about, "each": "the slowest answer to a question"})
    )
    with_history: list[float] = []
    without: list[float] = []
    for _ in range(runs):
        with alone():
            without.append((await drain_once(bed, DRAINED, await bed.fresh(beside=True))).sample.per_s)
            with_history.append((await drain_once(bed, DRAINED, old)).sample.per_s)
    await watcher.close()
    return [
        *figures,
        Figure("history.drain", "runs/s", with_history, about),
        Figure("history.drain.without", "runs/s", without, {**about, "history": 0}),
        Figure(
            "history.drain.ratio",
            "ratio",
            [one / other for one, other in zip(with_history, without, strict=True)],
            {"of": "with / without, pair by pair"},
        ),
    ]
