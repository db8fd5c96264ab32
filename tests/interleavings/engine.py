"""Steps sessions of Postgres through each other in every order that their locks allow.

A schedule is a list of choices: who makes the next step. It is played from the start; at its end the last choice that has an
alternative is changed, and it is played again (a depth-first walk), until no alternative is left. A session whose step waits for
a lock of another is no alternative until that lock is free. Whether it waits is asked of Postgres, not guessed from the time.
Where that would be too many, `interruptions` bounds how often a session that could go on has to wait for another one.
Of orders that cannot differ one is played: a snapshot changes places with whatever another session does, save its commit, so it is
taken at the beginning, or right after a commit.

Functions that `paused()` has rewritten also stop between their own statements, at locks that the watcher holds.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import asyncpg

from ..db.world import Session

Step = Callable[[], Awaitable[object]]

PAUSES_MAX = 60
"""Pauses in one schedule of one session: as many locks are held in advance."""

GLANCE_S = 0.002
GLANCE_PAUSED_S = 0.0003
"""A step that ends so soon is not asked about; where functions pause, most do not."""

PAUSE = """
create function public.pause() returns void language plpgsql as $$
declare
  v_slot int := nullif(current_setting('pause.slot', true), '')::int;
  v_number int := coalesce(nullif(current_setting('pause.number', true), '')::int, 0);
begin
  if v_slot is not null then
    perform set_config('pause.number', (v_number + 1)::text, false);
    perform pg_advisory_lock_shared(v_slot, v_number);
    perform pg_advisory_unlock_shared(v_slot, v_number);
  end if;
end $$"""

_STATEMENT = re.compile(r"^( +)(?=(?:with|select|insert|update|delete|perform|return query)\b)")


def paused(text: str) -> str:
    """The text of a plpgsql function with a pause before each statement but the first."""
    head, begin, body = text.partition("\nbegin\n")
    lines: list[str] = []
    before = ""
    for line in body.splitlines():
        code = line.partition("--")[0].rstrip()
        if before.endswith((";", "loop", "then", "else")) and (match := _STATEMENT.match(line)):
            lines.append(f"{match[1]}perform public.pause();")
        lines.append(line)
        before = code or before
    return head + begin + "\n".join(lines)


class Deadlock(AssertionError):
    """Sessions wait for each other."""


@dataclass
class Actor:
    """One session and the steps that it has to make."""

    db: Session
    pid: int
    slot: int
    steps: list[Step]
    """What is left; the last one is the commit."""

    fresh: bool = False
    """The next step takes its snapshot, and does nothing else."""

    answers: list[object] = field(default_factory=list[object])
    failure: asyncpg.PostgresError | None = None
    pauses: int = 0
    paused: bool = False
    future: "asyncio.Future[object] | None" = None

    @property
    def is_over(self) -> bool:
        """It has committed, or rolled back."""
        return self.future is None and not self.steps

    def go(self) -> None:
        """Begins the next step."""
        assert self.future is None
        self.fresh = False
        self.future = asyncio.ensure_future(self.steps.pop(0)())

    def end(self) -> None:
        """The step is over: keeps the answer, or rolls back."""
        assert self.future is not None
        future, self.future, self.paused = self.future, None, False
        if (error := future.exception()) is None:
            self.answers.append(future.result())
        elif isinstance(error, asyncpg.PostgresError):
            self.failure = error
            self.steps = [lambda: self.db.execute("rollback")] if self.db.is_in_transaction() else []
        else:
            raise error


class Stage:
    """The sessions of a test and the one that watches them."""

    def __init__(self, watcher: Session, sessions: Sequence[Session], *, pauses: bool = False, interruptions: int | None = None) -> None:
        self.watcher = watcher
        self.sessions = sessions
        self._pauses = pauses
        self._interruptions = interruptions
        self._pids = {watcher.get_server_pid(), *(session.get_server_pid() for session in sessions)}

    async def explore(
        self, cast: Callable[[], Awaitable[Sequence[Actor]]], check: Callable[[Sequence[Actor], str], Awaitable[None]]
    ) -> int:
        """Plays all schedules: `cast` sets the scene anew, `check` looks at what became of it. Returns how many there were."""
        prefix: list[int] = []
        count = 0
        while True:
            actors = await cast()
            try:
                trace = await self._play(actors, prefix)
            except BaseException:
                await self._abandon(actors)
                raise
            count += 1
            await check(actors, "".join(str(choice) for choice, _ in trace))
            while trace and trace[-1][0] == trace[-1][1][-1]:
                trace.pop()
            if not trace:
                return count
            choice, options = trace.pop()
            prefix = [*(made for made, _ in trace), options[options.index(choice) + 1]]

    async def _abandon(self, actors: Sequence[Actor]) -> None:
        """Ends what a failed schedule left under way, so that the next one finds no locks."""
        await self.watcher.execute("select pg_advisory_unlock_all()")
        for actor in actors:
            await self.watcher.execute("select pg_cancel_backend($1)", actor.pid)
            if actor.future is not None:
                await asyncio.wait([actor.future])
            await actor.db.execute("rollback")

    async def _play(self, actors: Sequence[Actor], prefix: Sequence[int]) -> list[tuple[int, list[int]]]:
        if self._pauses:
            await self.watcher.fetch(
                "select pg_advisory_lock(slot, n) from unnest($1::int[]) slot, generate_series(0, $2) n",
                [a.slot for a in actors],
                PAUSES_MAX,
            )
        trace: list[tuple[int, list[int]]] = []
        last = -1
        interruptions = 0
        opening = True  # Nobody has done more than to take a snapshot.
        while True:
            await self._settle(actors, last)
            options = [n for n, actor in enumerate(actors) if actor.paused or (actor.future is None and actor.steps)]
            if not options:
                break
            if interruptions == self._interruptions and last in options:
                options = [last]
            may_look = range(last + 1, len(actors)) if opening else range(len(actors) if actors[last].is_over else 0)
            options = [n for n in options if not actors[n].fresh or n in may_look] or options
            choice = prefix[len(trace)] if len(trace) < len(prefix) else options[0]
            assert choice in options, f"the schedule {prefix} went another way this time, at step {len(trace)}"
            trace.append((choice, options))
            interruptions += last in options and choice != last
            last = choice
            opening = opening and actors[choice].fresh
            if actors[choice].paused:
                await self._release(actors[choice])
            else:
                actors[choice].go()
        if self._pauses:
            await self.watcher.execute("select pg_advisory_unlock_all()")
        if any(actor.future is not None for actor in actors):
            raise Deadlock(f"all wait for each other after {trace}")
        return trace

    async def _settle(self, actors: Sequence[Actor], last: int) -> None:
        """Until nobody moves: first the one that stepped, since its end frees others, and theirs may free others again."""
        moved = True
        order = sorted(actors, key=lambda actor: actor is not actors[last])
        while moved:
            before = [(actor.future is None, actor.paused) for actor in order]
            for actor in order:
                await self._rest(actor)
            moved = before != [(actor.future is None, actor.paused) for actor in order]

    async def _release(self, actor: Actor) -> None:
        await self.watcher.execute("select pg_advisory_unlock($1, $2)", actor.slot, actor.pauses)
        actor.pauses += 1
        actor.paused = False

    async def _rest(self, actor: Actor) -> None:
        """Returns when the step of the session has ended, waits for another of ours, or is paused."""
        if actor.future is None or actor.paused:
            return
        await asyncio.wait([actor.future], timeout=GLANCE_PAUSED_S if self._pauses else GLANCE_S)
        while not actor.future.done():
            holders = set(await self.watcher.fetchval("select pg_blocking_pids($1)", actor.pid)) & self._pids
            if holders and not actor.future.done():
                actor.paused = self.watcher.get_server_pid() in holders
                return
        actor.end()
