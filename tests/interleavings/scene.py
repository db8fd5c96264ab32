"""What sessions meet: runs in every state that a verb may find, set once by product code and put back before each schedule."""

import json
from dataclasses import dataclass, field
from typing import Any

from howdah.core.states import Kind
from howdah.db.files import query

from ..db import world
from ..db.world import Claimed, Session

TABLES = [
    "run",
    "job",
    "timer",
    "misfit",
    "event",
    "stale_event",
    "inbox",
    "held_key",
    "progress",
    "tally",
    "total",
    "rate",
    "trim",
    "node",
    "node_order",
    "paused",
    "task",
    "queue",
    "gate",
    "limit_terms",
]

WRITTEN = """
select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = ''
"""
"""The columns of a table that are not worked out from others."""

KEEP = """
create table public.effect (run bigint not null);
create function public.put_back() returns void language plpgsql as $$
begin
  set local session_replication_role = replica;  -- Events were applied when they were written.
  set local synchronous_commit = off;
  delete from public.effect;
  %s
end $$
"""


@dataclass
class Scene:
    """The ids of its runs, and who holds them."""

    here: int = 0
    """A living node."""
    dead: int = 0
    """A node whose lease is over, and which may not know it yet."""
    other: int = 0
    """A living node with another definition of the task."""

    run: dict[str, int] = field(default_factory=dict[str, int])
    held: dict[str, Claimed] = field(default_factory=dict[str, Claimed])
    known: list[int] = field(default_factory=list[int])
    """The leases that `here` knows of."""
    old: list[int] = field(default_factory=list[int])
    """Ended runs beyond the retention of their queue."""
    line: tuple[int, int] = (0, 0)
    """Queue and task."""
    alarm: int = 0
    """The task that starts for each fact."""
    events: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    """The kinds of what was written of each run before."""
    rare: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """The lines of suspects, and of runs that start at most once."""
    epoch: int = 0
    """Under which `here` is the gate, and knows what is held."""
    entered: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    """Who took the gate over, by the place among the sessions: the epoch, and how many were held then."""

    @property
    def runs(self) -> list[int]:
        """All of them."""
        return [*self.run.values(), *self.old]


WIDTH = 3
NARROW = '[{"limit": "narrow", "kind": "limit", "terms": {"number": 3}}]'
RARE = ("risky", "frail", "once")
QUARANTINE = 3
"""As the verbs have it: what has been reaped four times is quarantined by the next reaper."""
FACTS = ("run.failed", "run.quarantined", "run.stale", "node.lost")


def debounced(key: str) -> dict[str, object]:
    """How an enqueue is debounced here: for a minute, and as often as somebody likes."""
    return {"key": key, "wait": 60, "max": 86400}


async def make(db: Session) -> Scene:
    """Sets the scene and keeps a copy of every table."""
    scene = Scene()
    await _crashed(db, scene)
    scene.here = await world.join(db, 3600, work="first")
    await db.execute("update howdah.node set name = 'here' where id = $1", scene.here)
    scene.other = await world.join(db, 3600, work="second")
    await _past(db, scene)

    await _enqueue(db, scene, "parent", delay=3600)
    for name in ("held", "asked", "released"):
        await _enqueue(db, scene, name)
    await _enqueue(db, scene, "keyed", unique_key="b of keyed")
    await _enqueue(db, scene, "running child", parent=scene.run["parent"])
    await _claim(db, scene, scene.here)
    scene.known = [run.lease for run in scene.held.values()]
    await world.watch(db, scene.run["held"])
    await world.cancel(db, scene.run["asked"])
    await _enqueue(db, scene, "failed", unique_key="a of failed")
    await _enqueue(db, scene, "unfit")
    await _enqueue(db, scene, "forgotten")
    await _claim(db, scene, scene.here)
    await world.send(
        db,
        world.outcome(scene.held["failed"], Kind.FAILED),
        world.outcome(scene.held["unfit"], Kind.MISFIT, data='{"hash": "first"}'),
    )
    await _enqueue(db, scene, "orphan")
    await _enqueue(db, scene, "once", task="once")
    scene.dead = await world.join(db, 0.001, work="first")
    for task in ("work", "once", "killer"):
        await _claim(db, scene, scene.dead, task)
    await _limited(db, scene)
    await _enqueue(db, scene, "once waiting", task="once")

    await _enqueue(db, scene, "child", parent=scene.run["parent"])
    await world.cancel(db, scene.run["parent"])
    await _enqueue(db, scene, "waiting", unique_key="c of waiting")
    await world.shift(db, "-2 hours")
    await _enqueue(db, scene, "ready", debounce=debounced("d of ready"))
    await world.shift(db, "-110 minutes")
    await db.fetchval("select howdah.fire(100)")
    await world.shift(db, "-1 hour")
    await _enqueue(db, scene, "late", expires=60)
    await _enqueue(db, scene, "due", delay=60)
    await _enqueue(db, scene, "put off", debounce=debounced("e of put off"))
    await world.shift(db, "")
    row = await db.fetchrow("select queue, task from howdah.job where id = $1", scene.run["waiting"])
    assert row is not None
    scene.line = (row[0], row[1])
    scene.rare = [
        (row[0], row[1]) for row in await db.fetch("select queue, id from howdah.task where name = any($1) order by id", list(RARE))
    ]
    alerts = json.dumps({"alerts": {"facts": FACTS, "parameter": "alert"}})
    scene.alarm = await db.fetchval(query("register"), "alarm", "default", 0, alerts, None, None, "h", None)
    for row in await db.fetch("select run, kind from howdah.event order by run, at, kind"):
        scene.events.setdefault(row[0], []).append(row[1])
    tomorrow = await db.fetchval("select (howdah.day_base() >> 40) + 1")
    await db.execute(f"drop table if exists howdah.event_d{tomorrow}, howdah.run_d{tomorrow}")  # Each look would read them, too.
    await db.execute("create schema kept")
    kept: list[str] = []
    for name in TABLES:
        await db.execute(f"create table kept.{name} as table howdah.{name}")
        columns = await db.fetchval(WRITTEN, f"howdah.{name}")
        kept.append(
            f"delete from howdah.{name}; insert into howdah.{name} ({columns}) overriding system value select {columns} from kept.{name};"
        )
    await db.execute(KEEP % "\n".join(kept))
    return scene


async def _enqueue(db: Session, scene: Scene, name: str, **options: Any) -> None:
    (scene.run[name],) = await world.enqueue(db, **options)


async def _claim(db: Session, scene: Scene, node: int, task: str = "work") -> None:
    names = {run: name for name, run in scene.run.items()}
    scene.held |= {names[run.id]: run for run in await world.claim(db, node, tasks=[task])}


async def _limited(db: Session, scene: Scene) -> None:
    """Two runs under a limit are held, by a living node and by a dead one, and three wait, of which there is room for one."""
    await db.fetchval(query("register"), "narrow", "default", 0, "{}", None, None, "n", NARROW)
    names = ("narrow held", "narrow lost", "narrow waiting", "narrow next", "narrow last")
    for name in names:
        await _enqueue(db, scene, name, task="narrow")
    scene.epoch = await db.fetchval(query("gate_enter"), scene.here)
    runs, nodes = [scene.run[name] for name in names[:2]], [scene.here, scene.dead]
    for row in await db.fetch(query("gate_admit"), scene.epoch, scene.here, runs, nodes, None, None, None, None):
        held = Claimed(*row)
        scene.held[next(name for name in names if scene.run[name] == held.id)] = held


async def _crashed(db: Session, scene: Scene) -> None:
    """Suspects: two that wait, and one whose next crash is its last. And a task whose runs start at most once."""
    await db.fetchval(query("introduce"), "once", "default", 0, json.dumps({"delivery": "at_most_once"}), None)
    for name, task, crashes in (("suspect", "risky", 2), ("other suspect", "frail", 2), ("killer", "killer", QUARANTINE + 1)):
        await _enqueue(db, scene, name, task=task)
        for _ in range(crashes):
            await world.claim(db, await world.join(db, 0), tasks=[task])
            await db.fetchval("select howdah.reap($1)", QUARANTINE)


async def _past(db: Session, scene: Scene) -> None:
    """Two runs that failed ten days ago, in a queue that keeps its runs for a week."""
    await db.execute(query("set_retention"), "mail", 7)
    queue = await db.fetchval(query("queue_id"), "mail")
    task = await db.fetchval("select howdah.introduce('old')")
    day = await db.fetchval("select howdah.day_base() >> 40") - 10
    await db.fetchval("select howdah.add_day($1, 1)", day)
    scene.old = [(day << 40) + number for number in (1, 2)]
    for run in scene.old:
        await db.execute("insert into howdah.run (id, task, queue, priority, args) values ($1, $2, $3, 0, '{}')", run, task, queue)
        await db.execute(f"insert into howdah.event_d{day} (run, task, kind) values ($1, $2, 2)", run, task)
