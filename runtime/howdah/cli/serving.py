"""One node as this process: what it says of itself, how it drains, and when it makes way for another one."""

import importlib.metadata
import os
import platform
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import anyio

from ..app import App
from ..db.files import query
from ..db.pool import Pool
from ..node import Node
from ..process.memory import resident
from ..size import said
from .health import Address, answering, pages_of
from .lifeline import Lifeline, News
from .loop import signals
from .sdk import Exposition
from .voice import Voice

_SHOWN_MAX = 8
"""Tasks named in the banner, and in a countdown; the others are counted."""
_LOOK_S = 0.25
"""How often --max-runs and --max-memory are looked at."""
COUNTDOWN_S = 1.0
"""How often a drain says what it waits for."""


class Limits(NamedTuple):
    """When a worker is to be started anew: after so many runs, at so many bytes."""

    runs: int | None
    memory: int | None


class Duty(NamedTuple):
    """What a worker was asked to do."""

    target: str
    queues: Sequence[str] | Mapping[str, float]
    limits: Limits
    health: Address | None = None
    exposition: Exposition | None = None
    """What /metrics shows there; None: the extra is not installed."""


async def serve(jobs: App, duty: Duty, voice: Voice, lifeline: Lifeline | None) -> None:
    """Works until it is told to stop: by a signal, by an order in the database, by a limit, or by the end of its supervisor."""
    stopping = anyio.Event()
    nodes: list[Node] = []

    def drain(_number: signal.Signals) -> None:
        if any(node.stopping.is_set() for node in nodes):
            hurry()  # It drains already, by an order or a limit.
        stopping.set()
        for node in nodes:
            node.stop()

    def hurry() -> None:
        for node in nodes:
            count = counted(len(node.running), "run")
            voice.say("hurrying", f"Hurrying: {count} cancelled and handed back; once more exits at once.", runs=_listed(node))
            node.hurry()

    pages = pages_of(nodes, duty.exposition)
    # From before the node starts: its first run may be under way before it says that it has started.
    with signals(drain, hurry):
        async with (
            nullcontext() if duty.health is None else answering(duty.health, pages),
            jobs.work(queues=duty.queues or None, stop=stopping) as node,
        ):
            if not node.started:
                voice.say("stopped", "Stopped before it had started: Postgres did not let it in.", ended=0)
                return
            nodes.append(node)
            if lifeline is not None:  # Before anybody else reads that it is ready: should it die then, another one takes its place.
                lifeline.tell(News(ready=node.name))
            await _greet(jobs, duty, node, voice)
            async with anyio.create_task_group() as group:
                group.start_soon(_tell, node, voice, lifeline, jobs.config.grace_s)
                group.start_soon(_recycle, node, voice, duty.limits)
                if lifeline is not None:
                    group.start_soon(_outlive, lifeline, node, voice)
                await node.stopped.wait()
                group.cancel_scope.cancel()
    voice.say("stopped", "Stopped; every outcome is durable.", ended=node.ended)


def worded(queues: Sequence[str] | Mapping[str, float]) -> list[str]:
    """Queues as -q takes them: mail, or mail=10."""
    return [f"{name}={weight!r}".removesuffix(".0") for name, weight in queues.items()] if isinstance(queues, Mapping) else list(queues)


def countdown(running: Mapping[str, int], left_s: float) -> str:
    """What a drain waits for, in a line."""
    names = [name if number == 1 else f"{name} x{number}" for name, number in sorted(running.items(), key=lambda one: (-one[1], one[0]))]
    more = f" and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else ""
    listed = f" ({', '.join(names[:_SHOWN_MAX])}{more})" if names else ""
    return f"  {counted(sum(running.values()), 'run')} to end{listed}, {max(0.0, left_s):.0f} s left"


def counted(number: int, noun: str) -> str:
    """1 run, 2 runs."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


async def _greet(jobs: App, duty: Duty, node: Node, voice: Voice) -> None:
    config = jobs.config
    names = [definition.name for definition in jobs.registry]
    more = f" and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else ""
    version, place = importlib.metadata.version("howdah"), await _place(jobs.client.pool)
    isolated = f", {config.processes} in processes" if any(definition.isolation for definition in jobs.registry) else ""
    lines = [
        f"howdah {version}, Python {platform.python_version()}, {place}",
        f"  {duty.target}: {', '.join(names[:_SHOWN_MAX])}{more}",
        f"  queues: {', '.join(worded(duty.queues)) or 'all'}; at once: {config.concurrency} async, {config.threads} in threads{isolated}",
    ]
    if not jobs.client.config.hears:
        lines.append(f"  behind a pooler and without HOWDAH_DIRECT_DSN: it asks each {jobs.client.config.poll_s:g} s instead of listening")
    facts = {
        "target": duty.target,
        "tasks": names,
        "queues": worded(duty.queues) or None,
        "postgres": place,
        "concurrency": config.concurrency,
    }
    voice.say("started", "\n".join(lines), version=version, **facts)
    text = f"Ready: {node.name}" if voice.aside else f"Ready as {node.name}. Ctrl-C drains."
    voice.say("ready", text, node=node.name)


async def _place(pool: Pool) -> str:
    """Which Postgres it is, without its password."""
    async with pool.ours() as connection:
        version = connection.get_server_version()
        database = await connection.fetchval(query("database"))
    return f"Postgres {version.major}.{version.minor}, database {database}"


async def _tell(node: Node, voice: Voice, lifeline: Lifeline | None, grace_s: float) -> None:
    """Says what the drain waits for: once, and to who watches again each second."""
    await node.stopping.wait()
    ends = anyio.current_time() + grace_s
    if lifeline is not None and node.order == "drain":
        lifeline.tell(News(leaving=True))
    if node.running:
        text = f"Draining: {counted(len(node.running), 'run')} may end within {grace_s:g} s; Ctrl-C again cancels and hands back."
        voice.say("draining", text, runs=_listed(node), left_s=grace_s)
    while True:
        running, left_s = Counter(run.task for run in node.running), ends - anyio.current_time()
        if lifeline is not None:
            lifeline.tell(News(running=running, left_s=left_s))
        if running:
            voice.count_down(countdown(running, left_s), runs=_listed(node), left_s=round(left_s, 1))
        await anyio.sleep(COUNTDOWN_S)


def _listed(node: Node) -> list[dict[str, object]]:
    return [{"run": run.id, "task": run.task, "attempt": run.attempt} for run in node.running]


async def _outlive(lifeline: Lifeline, node: Node, voice: Voice) -> None:
    """Drains when the supervisor is gone: nobody would tell this process anything any more."""
    while await lifeline.hear() is not None:
        pass
    voice.say("orphaned", "The process that supervised this one is gone: it drains.")
    node.stop()


async def _recycle(node: Node, voice: Voice, limits: Limits) -> None:
    """Drains when a limit is reached. Runs that end while it drains are more than the limit."""
    while not node.stopping.is_set() and limits != (None, None):
        await anyio.sleep(_LOOK_S)
        why = None
        if limits.runs is not None and node.ended >= limits.runs:
            why = f"{counted(node.ended, 'run')} ended here (--max-runs {limits.runs})"
        elif limits.memory is not None and (held := (await resident([os.getpid()])).get(os.getpid(), 0)) > limits.memory:
            why = f"this process holds {said(held)} (--max-memory {said(limits.memory)})"
        if why is not None and not node.stopping.is_set():
            voice.say("recycling", f"To be started anew: {why}.")
            node.stop()
