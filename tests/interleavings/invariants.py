"""What must hold after every schedule, whatever the order was. Each violation is a sentence."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from howdah.core.states import ENDS, TRANSITIONS, Kind, State
from howdah.db.files import query

from ..db.world import Session
from .scene import WIDTH, Scene
from .verbs import Awaited, Made, Put, Taken

_SILENT = {State.SCHEDULED: State.QUEUED, State.RETRYING: State.QUEUED, State.QUEUED: State.RUNNING}
"""Due timers and claims move hot rows and leave no event."""

HOT = """
select id, 'job' as at, flags, crashes, case when lease is null then 'queued' else 'running' end as state, node from howdah.job
union all select id, 'timer', flags, crashes, case when retrying then 'retrying' else 'scheduled' end, null from howdah.timer
union all select id, 'misfit', flags, crashes, 'queued', null from howdah.misfit
"""
ALARMS = """
select r.args -> 'alert' ->> 'fact', (r.args -> 'alert' ->> 'run_id')::bigint from howdah.run r
where r.task = $1 and r.args -> 'alert' ->> 'fact' <> 'node.lost'
"""
STALE = "select 'run.stale', run from howdah.stale_event where verdict = 'stale'"

RUNS = "select id from howdah.run"
EVENTS = "select run, kind from howdah.event order by run, at, kind"
FAILURES = (Kind.FAILED, Kind.EXPIRED, Kind.LOST, Kind.QUARANTINED)
GIVEN_BACK = (Kind.RETRIED, Kind.SNOOZED, Kind.RELEASED, Kind.MISFIT, Kind.REAPED, Kind.RETURNED, Kind.REOPENED)

_ENDING = {kind for kind, _ in TRANSITIONS if all(TRANSITIONS[cell] in ENDS for cell in TRANSITIONS if cell[0] == kind)} | {Kind.REOPENED}


class Hot(NamedTuple):
    """The row of a pending run."""

    run: int
    at: str
    flags: int
    crashes: int
    state: str
    node: int | None


def replay(kinds: Iterable[int], state: State) -> str | None:
    """What is wrong with a state, should these events not lead to it."""
    now = State.SCHEDULED
    for kind in map(Kind, kinds):
        if kind == Kind.CANCEL_REQUESTED and now == State.CANCELLED:
            continue  # Asked for while a reaper had begun: its end bears the time at which its statement began.
        before = next((one for one in _onwards(now) if (kind, one) in TRANSITIONS), None)
        if before is None:
            return f"{kind.name} was accepted of a run that was {now}"
        now = TRANSITIONS[kind, before]
    return None if state in _onwards(now) else f"it is {state}, and its events say {now}"


def _onwards(state: State) -> list[State]:
    states = [state]
    while states[-1] in _SILENT:
        states.append(_SILENT[states[-1]])
    return states


async def violations(db: Session, scene: Scene, answers: Sequence[object], heard: Sequence[tuple[str, str]]) -> list[str]:
    """Of the state after a schedule: `answers` of what was committed, `heard` the notifications since it began."""
    found: list[str] = []
    while await db.fetchval("select exists (select from howdah.inbox)"):
        await db.fetchval(query("settle"))
    kinds: defaultdict[int, list[int]] = defaultdict(list)
    for row in await db.fetch(EVENTS):
        kinds[row[0]].append(row[1])
    hot: defaultdict[int, list[Hot]] = defaultdict(list)
    for row in await db.fetch(HOT):
        hot[row[0]].append(Hot(*row))
    states = {row[0]: _state(kinds[row[0]], hot[row[0]]) for row in await db.fetch(RUNS)}
    names = {run: name for name, run in scene.run.items()}
    for run, state in states.items():
        name = names.get(run, run)
        if state is None:
            found.append(f"{name} is nowhere")
        elif wrong := replay(kinds[run], state):
            found.append(f"{name}: {wrong}")
        found += [f"{name} {wrong}" for wrong in _of_rows(state, kinds[run], hot[run])]
    found += [f"{names.get(run, run)} has a hot row and no row" for run in hot if run not in states and hot[run]]
    found += [f"{names.get(run, run)} has events and no row" for run in kinds if run not in states and kinds[run]]
    found += _of_answers(answers, states, kinds, heard)
    suspects = Counter(row.node for rows in hot.values() for row in rows if row.node is not None and row.crashes >= 2)
    found += [f"node {node} holds {count} suspects" for node, count in suspects.items() if count > 1]
    found += _of_facts(
        {run: some[len(scene.events.get(run, ())) :] for run, some in kinds.items()},
        Counter(tuple(row) for row in await db.fetch(STALE)),
        Counter(tuple(row) for row in await db.fetch(ALARMS, scene.alarm)),
    )
    found += _of_inputs(answers, {row[0]: row[1] for row in await db.fetch("select id, args from howdah.run")})
    found += await _of_tables(db, scene)
    return found


def _state(kinds: list[int], hot: list[Hot]) -> State | None:
    """As howdah.state() and howdah.outcomes() see it: the hot row, else the newest end, unless the run was reopened after it."""
    if hot:
        return State(hot[0].state)
    last = next((kind for kind in reversed(kinds) if kind in _ENDING), None)
    return None if last in (None, Kind.REOPENED) else next(state for (kind, _), state in TRANSITIONS.items() if kind == last)


def _of_rows(state: State | None, kinds: list[int], hot: list[Hot]) -> Iterable[str]:
    if len(hot) > 1:
        yield "has two hot rows"
    since = kinds[len(kinds) - kinds[::-1].index(Kind.REOPENED) :] if Kind.REOPENED in kinds else kinds
    for row in hot:
        if since and since[-1] in _ENDING - {Kind.REOPENED}:
            yield f"has ended and is in {row.at}"
        if row.crashes != since.count(Kind.REAPED):
            yield f"counts {row.crashes} crashes and was reaped {since.count(Kind.REAPED)} times"
        if row.flags & 4 and Kind.REAPED in since:
            yield "starts at most once, and a reaper gave it back"
        if Kind.CANCEL_REQUESTED in since and not row.flags & 1:
            yield "forgot that its cancel was asked for"


def _of_facts(kinds: dict[int, list[int]], stale: Counter[tuple[str, int]], told: Counter[tuple[str, int]]) -> Iterable[str]:
    """Subscribers hear of each fact once. A run that was reopened before anybody was told has not failed: who looks finds it pending."""
    most, least = Counter(stale), Counter(stale)
    for run, some in kinds.items():
        for place, kind in enumerate(some):
            if kind in FAILURES:
                most["run.failed", run] += 1
                least["run.failed", run] += Kind.REOPENED not in some[place:]
            if kind == Kind.QUARANTINED:
                most["run.quarantined", run] += 1
                least["run.quarantined", run] += 1
    for fact, run in {*most, *told}:
        if not least[fact, run] <= told[fact, run] <= most[fact, run]:
            yield f"{fact} of {run} happened {most[fact, run]} times and was told {told[fact, run]} times"


def _of_answers(
    answers: Sequence[object], states: dict[int, State | None], kinds: dict[int, list[int]], heard: Sequence[tuple[str, str]]
) -> Iterable[str]:
    done = {int(run) for channel, said in heard if channel == "howdah_done" for run in said.split()}
    taken = Counter(run for answer in answers if isinstance(answer, Taken) for run in answer.runs)
    for run, count in taken.items():
        back = sum(kind in GIVEN_BACK for kind in kinds[run])
        if count > 1 + back:
            yield f"{run} was given to {count} and came back {back} times"
    for answer in answers:
        if isinstance(answer, Made | Put):
            yield from (f"{run} was promised and is not there" for run in answer.runs if run not in states)
        if isinstance(answer, Awaited):
            for run in answer.runs:
                if states.get(run) in ENDS and run not in done:
                    yield f"nobody was told of the end of {run}"


def _of_inputs(answers: Sequence[object], args: dict[int, str]) -> Iterable[str]:
    """A run is given to a node with the latest input, and keeps it; the latest is one of those that were told of this run."""
    for answer in answers:
        if isinstance(answer, Taken):
            for run, given in zip(answer.runs, answer.args, strict=True):
                if given != args.get(run):
                    yield f"{run} was given with the input {given}, and was asked for with {args.get(run)}"
    put: defaultdict[int, set[str]] = defaultdict(set)
    for answer in answers:
        if isinstance(answer, Put):
            for run, given in zip(answer.runs, answer.args, strict=True):
                put[run].add(given)
    yield from (f"{run} lost its latest input, and has {args.get(run)}" for run, some in put.items() if args.get(run) not in some)


TABLES_WRONG = """
select 'a lease of run ' || j.id || ' belongs to no node' from howdah.job j
  where j.lease is not null and not exists (select from howdah.node n where n.id = j.node)
union all
select 'run ' || h.id || ' lives and its unique key is not held' from (HOT) h
  where h.flags & 264 = 8 and not exists (select from howdah.held_key k where k.run = h.id)
union all
select 'run ' || h.id || ' waits to be debounced and its key is not held' from (HOT) h
  where h.flags & 512 <> 0 and h.at <> 'misfit' and h.state in ('queued', 'scheduled')
    and not exists (select from howdah.held_key k where k.run = h.id)
    and not exists (select from howdah.run r where r.id = h.id and r.demands is not null)  -- The next demanded something else.
union all
select 'effects of ' || e.run || ': ' || count(*) || ', and it is ' || coalesce(howdah.state(e.run), 'nowhere') from public.effect e
  group by e.run having count(*) > 1 or not exists (select from howdah.event v where v.run = e.run and v.kind = 1)
union all
select 'an order to ' || o.node || ', which has left' from howdah.node_order o
  where not exists (select from howdah.node n where n.name = o.node)
union all
select 'run ' || h.id || ' has a line and demands nothing, or demands something and has none'
  from (select id, line from howdah.job union all select id, line from howdah.timer union all select id, line from howdah.misfit) h
  join howdah.run r on r.id = h.id where (h.line is null) <> (r.demands is null)
union all
select count(*) || ' runs hold a limit of WIDTH' from howdah.job j join howdah.task t on t.id = j.task
  where t.name = 'narrow' and j.lease is not null having count(*) > WIDTH
union all
select 'an effect was not settled: ' || i.what || ' of ' || i.run from howdah.inbox i
""".replace("HOT", HOT).replace("WIDTH", str(WIDTH))

UNSEEN = """
select format('run %s is ready and no look finds its line', j.id) from howdah.job j
where j.lease is null and j.crashes < 2
  and not exists (select from howdah.paused p where p.queue = j.queue or p.task = j.task)
  and case when j.line is null then not exists (
    select from howdah.look(0, array[j.task], null) l where l.queue = j.queue and (l.priority, l.id) <= (j.priority, j.id))
  else not exists (select from howdah.gate_look(null, 1000, 100) l where j.id = any(l.runs)) end
"""

MISCOUNTED = """
select format('%s events of kind %s are counted as %s', v.n, v.kind, s.n)
from (select kind, count(*) as n from howdah.event where task = $1 group by kind) v
join (select kind, sum(n) as n from howdah.standing() where task = $1 group by kind) s on s.kind = v.kind
where v.n <> s.n
"""


async def _of_tables(db: Session, scene: Scene) -> list[str]:
    found = [row[0] for text in (TABLES_WRONG, UNSEEN) for row in await db.fetch(text)]
    found += [row[0] for row in await db.fetch(MISCOUNTED, scene.line[1])]
    if wrong := await db.fetchval("select howdah.recount()"):
        found.append(f"the tallies of {wrong} lines are not the real counts")
    return found


async def ready(db: Session) -> set[int]:
    """Runs that wait for a node."""
    return {row[0] for row in await db.fetch("select id from howdah.job where lease is null")}


async def unheard(db: Session, before: set[int], heard: Sequence[tuple[str, str]]) -> list[str]:
    """Runs that became ready and whose line no notification named with a key as low as theirs."""
    told = [tuple(map(int, said.split()[:4])) for channel, said in heard if channel == "howdah_work"]
    rows = await db.fetch(
        "select queue, task, priority, id, line is not null as gated from howdah.job"
        " where lease is null and crashes < 2 and id <> all ($1)",
        before,
    )
    at_the_gate = [said for channel, said in heard if channel == "howdah_gate"]
    return [
        f"run {row['id']} became ready and no node was told"
        for row in rows
        if not (
            any(_names(said, row["id"]) for said in at_the_gate)
            if row["gated"]
            else any(hint[:2] == (row[0], row[1]) and hint[2:] <= (row[2], row[3]) for hint in told)
        )
    ]


def _names(said: str, run: int) -> bool:
    """Whether the gate looks for this run when it hears that."""
    what, *numbers = said.split()
    match what:
        case "look":
            return True
        case "runs":
            return str(run) in numbers
        case "new":
            return int(numbers[0]) <= run <= int(numbers[1])
        case _:
            return False
