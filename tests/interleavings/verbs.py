"""The verbs that change runs, each as the statements of one transaction, and who sends them."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import msgspec
from howdah.core.states import Kind
from howdah.db.files import query

from ..db import world
from ..db.world import Session
from .scene import WIDTH, Scene, debounced


class Made(msgspec.Struct):
    """Runs that an enqueue answered with."""

    runs: list[int]


class Put(msgspec.Struct):
    """Runs that a debounced enqueue was answered with, and the input that it gave."""

    runs: list[int]
    args: list[str]


class Taken(msgspec.Struct):
    """Runs that a node was given, and their input."""

    runs: list[int]
    args: list[str]


class Awaited(msgspec.Struct):
    """Runs that somebody waits for: they had not ended."""

    runs: list[int]


HELD = "select from howdah.gate_held() h join howdah.task t on t.id = h.task where t.name = 'narrow'"
WIDE = '[{"limit": "wide", "kind": "limit", "terms": {"number": 9}}]'

Statement = Callable[[Session, Scene, int], Awaitable[object]]
"""Of a session, in this scene, in this place among the sessions (0, 1, 2)."""


@dataclass(frozen=True)
class Verb:
    """One transaction."""

    name: str
    statements: tuple[Statement, ...]
    caller: bool = False
    """A user's session may send it, under an isolation level of its own."""
    alone: bool = False
    """It is not sent in two sessions at once."""
    looks: bool = False
    """Whoever sends it looks for runs right after it, so nobody is told of those that it makes ready."""

    def __str__(self) -> str:
        return self.name


async def _enqueue(db: Session, _scene: Scene, _place: int) -> Made:
    now = await db.fetchval("select howdah.enqueue('work')")
    later = await db.fetchval("select howdah.enqueue('work', delay => '1 hour')")
    named = await db.fetchval("select howdah.enqueue('never heard of', queue => 'neither')")
    return Made([now, later, named])


def _unique(*keys: str) -> Statement:
    async def enqueue(db: Session, _scene: Scene, _place: int) -> Made:
        return Made([await db.fetchval("select howdah.enqueue('work', unique_key => $1)", key) for key in keys])

    return enqueue


def _debounced(key: str) -> Statement:
    async def enqueue(db: Session, _scene: Scene, place: int) -> Put:
        args = json.dumps({"n": place})
        row = await db.fetchrow(query("submit"), "work", [args], json.dumps({"debounce": debounced(key)}), True, None)
        assert row is not None
        return Put(row["ids"], [args])

    return enqueue


async def _debounced_arguments(db: Session, _scene: Scene, place: int) -> Put:
    """Several in one statement: one is ready, one waits, one's key is free."""
    keys = ["d of ready", "e of put off", "f of nobody"][:: -1 if place else 1]
    args = [json.dumps({"key": key, "n": place}) for key in keys]
    options = {"debounce": {"path": ["key"], "wait": 60, "max": 86400}}
    row = await db.fetchrow(query("submit"), "work", args, json.dumps(options), True, None)
    assert row is not None
    return Put(row["ids"], args)


async def _unique_arguments(db: Session, _scene: Scene, place: int) -> Made:
    args = [json.dumps({"n": n}) for n in range(4)][:: -1 if place else 1]
    row = await db.fetchrow(query("submit"), "work", args, '{"unique_args": true}', True, None)
    assert row is not None
    return Made(row["ids"])


async def _claim(db: Session, scene: Scene, _place: int) -> Taken:
    return await _claim_for(scene.other, db, scene)


async def _claim_here(db: Session, scene: Scene, _place: int) -> Taken:
    return await _claim_for(scene.here, db, scene)


async def _claim_for(node: int, db: Session, scene: Scene) -> Taken:
    rows = await db.fetch(query("claim"), node, 100, [scene.line[0]], [scene.line[1]], [-32768], [0], True, False)
    return Taken([row["id"] for row in rows], [row["args"] for row in rows])


async def _claim_rare(db: Session, scene: Scene, place: int) -> Taken:
    """What no ordinary claim sees or takes in advance: durable, a suspect beside it. Two sessions begin at different lines."""
    queues, tasks = zip(*scene.rare[:: -1 if place else 1], strict=True)
    firsts = ([-32768] * len(tasks), [0] * len(tasks))
    rows = await db.fetch(query("claim"), scene.other, 100, list(queues), list(tasks), *firsts, True, True)
    return Taken([row["id"] for row in rows], [row["args"] for row in rows])


async def _admit(db: Session, scene: Scene, _place: int) -> Taken:
    """The gate that `here` is: of what waits it admits as many as there is room for beside the two that it remembers."""
    return await _admit_under(db, scene, scene.epoch, scene.here, held=2)


async def _enter(db: Session, scene: Scene, place: int) -> object:
    return scene.entered.update({place: (await db.fetchval(query("gate_enter"), scene.other), 0)})


async def _commit(db: Session, _scene: Scene, _place: int) -> object:
    """From here on each statement is a transaction of its own."""
    return await db.execute("commit")


async def _rebuild(db: Session, scene: Scene, place: int) -> object:
    epoch, _ = scene.entered[place]
    return scene.entered.update({place: (epoch, len(await db.fetch(HELD)))})


async def _admit_anew(db: Session, scene: Scene, place: int) -> Taken:
    epoch, held = scene.entered[place]
    return await _admit_under(db, scene, epoch, scene.other, held)


async def _admit_under(db: Session, scene: Scene, epoch: int, node: int, held: int) -> Taken:
    lines = await db.fetch(query("gate_look"), None, 100, WIDTH)
    chosen = [run for line in lines if "narrow" in str(line["demands"]) for run in line["runs"]][: max(0, WIDTH - held)]
    rows = await db.fetch(query("gate_admit"), epoch, node, chosen, [node] * len(chosen), None, None, None, None)
    return Taken([row["id"] for row in rows], [row["args"] for row in rows])


async def _limit(db: Session, _scene: Scene, _place: int) -> object:
    """A new version of the task puts its runs under a limit."""
    return await db.fetchval(query("register"), "work", "default", 0, "{}", None, None, "third", WIDE)


async def _outcomes(db: Session, scene: Scene, place: int) -> object:
    held = scene.held
    batch = [
        world.outcome(held["held"], Kind.FAILED if place else Kind.SUCCEEDED),
        world.outcome(held["asked"], Kind.RETRIED, 60),
        world.outcome(held["released"], Kind.RELEASED),
        world.outcome(held["keyed"], Kind.FAILED),
        world.outcome(held["running child"], Kind.SNOOZED, 60),
        world.outcome(held["orphan"], Kind.SUCCEEDED),
        world.outcome(held["killer"], Kind.FAILED if place else Kind.RETRIED, None if place else 60),
        world.outcome(held["once"], Kind.SUCCEEDED if place else Kind.FAILED),
        world.outcome(held["narrow held"], Kind.RELEASED if place else Kind.SUCCEEDED),
    ]
    return await world.send(db, *batch[:: -1 if place else 1])


async def _complete(db: Session, scene: Scene, _place: int) -> object:
    run = scene.held["held"]
    await db.execute("insert into public.effect values ($1)", run.id)
    return await db.execute(query("complete"), run.id, run.lease, run.node, None, None, None)


async def _cancel(db: Session, scene: Scene, place: int) -> object:
    return await world.cancel(db, *scene.runs[:: -1 if place else 1])


async def _cancel_child(db: Session, scene: Scene, _place: int) -> object:
    return await world.cancel(db, scene.run["child"])


async def _cancel_put_off(db: Session, scene: Scene, _place: int) -> object:
    return await world.cancel(db, scene.run["put off"])


async def _watch(db: Session, scene: Scene, place: int) -> Awaited:
    runs = scene.runs[:: -1 if place else 1]
    ended = await world.watch(db, *runs)
    return Awaited([run for run in runs if run not in ended])


async def _retry(db: Session, scene: Scene, _place: int) -> object:
    return await db.fetch(query("retry"), [*scene.old, *scene.run.values()])


async def _recover(db: Session, scene: Scene, _place: int) -> object:
    return await db.fetchval(query("recover"), scene.here, scene.known, "nobody")


async def _leave(db: Session, scene: Scene, _place: int) -> object:
    return await db.fetchval(query("leave_node"), scene.here)


async def _renew(db: Session, scene: Scene, _place: int) -> object:
    return await db.fetch(query("renew"), scene.dead, 3600.0)


async def _order(db: Session, scene: Scene, place: int) -> object:
    await db.execute("savepoint before")
    try:
        return await db.fetchval(query("order_node"), str(scene.here), "resume" if place else "pause")
    except asyncpg.InvalidParameterValueError:  # It has left.
        return await db.execute("rollback to before")


async def _pause(db: Session, scene: Scene, place: int) -> object:
    """One pauses the queue, who comes beside it the task: whoever resumes takes back the first."""
    name = await db.fetchval("select name from howdah.queue where id = $1", scene.line[0])
    return await db.fetchval(query("pause"), None if place else name, "work" if place else None)


async def _resume(db: Session, scene: Scene, _place: int) -> object:
    name = await db.fetchval("select name from howdah.queue where id = $1", scene.line[0])
    return await db.fetchval(query("resume"), name, None)


async def _enqueue_better(db: Session, _scene: Scene, _place: int) -> Made:
    return Made([await db.fetchval("select howdah.enqueue('better', priority => 3)")])


def _call(text: str) -> Statement:
    async def call(db: Session, _scene: Scene, _place: int) -> object:
        return await db.fetch(text)

    return call


VERBS = (
    Verb("enqueue", (_enqueue,), caller=True),
    Verb("enqueue once by key", (_unique("a of failed", "b of keyed"),), caller=True),
    Verb("enqueue once by arguments", (_unique_arguments,), caller=True),
    Verb("debounce what waits", (_debounced("e of put off"),), caller=True),
    Verb("debounce what is ready", (_debounced("d of ready"),), caller=True),
    Verb("debounce several", (_debounced_arguments,), caller=True),
    Verb("claim", (_claim,)),
    Verb("claim suspects and runs that start at most once", (_claim_rare,)),
    Verb("send outcomes", (_outcomes,)),
    Verb("complete", (_complete,), caller=True),
    Verb("settle", (_call(query("settle")),)),
    Verb("cancel", (_cancel,), caller=True),
    Verb("cancel and enqueue once", (_cancel_child, _unique("a of failed")), caller=True),
    Verb("cancel and debounce", (_cancel_put_off, _debounced("e of put off")), caller=True),
    Verb("watch", (_watch,), caller=True),
    Verb("retry", (_retry,), caller=True),
    Verb("fire timers", (_call("select howdah.fire(100), howdah.expire(100)"),)),
    Verb("reap", (_call("select howdah.reap(3)"),)),
    Verb("keep", (_call("select * from howdah.keep(100, 30, 3)"),)),
    Verb("renew", (_renew,)),
    Verb("recover", (_recover,), looks=True),
    Verb("leave", (_leave,)),
    Verb("tell a node", (_order,)),
    Verb("enqueue a better one and age all others", (_enqueue_better, _call("select * from howdah.age(0.000001, 100, 0)"))),
    Verb("pause", (_pause,)),
    Verb("resume", (_resume,)),
    Verb("admit", (_admit,), alone=True),
    Verb("take the gate over", (_enter, _commit, _rebuild, _admit_anew)),
    Verb("put a task under a limit", (_limit,)),
    Verb("trim", (_call("select * from howdah.trim(30, 100)"),)),
)
DEBOUNCE_NEW = Verb("debounce a key that is free", (_debounced("f of nobody"),), caller=True)
ONE_KEY = Verb("enqueue once by the key of an ended run", (_unique("a of failed"),), caller=True)
LEAVER_CLAIMS = Verb("claim for the node that leaves", (_claim_here,))
BY_NAME = {verb.name: verb for verb in VERBS}
