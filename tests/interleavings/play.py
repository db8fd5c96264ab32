"""Plays verbs against each other in a scene, and says of every order what it broke."""

from collections.abc import Sequence
from typing import Self

import asyncpg

from ..db.world import Session
from . import invariants, scene
from .engine import PAUSE, Actor, Stage, Step
from .verbs import Statement, Verb

RC = "read committed"
RR = "repeatable read"

ANSWERS = {
    "HW001": "the lease is lost: the transaction rolls back",
    "HW002": "the node is lost: it takes a new identity",
    "HW004": "another node is the gate: it takes its turn",
    "25001": "the verb needs read committed, and says so",
}
"""What a verb may answer instead of doing its work. A deadlock is not among them."""

REPEATED = "40001"
"""A serialization failure: whoever hears it sends its transaction again, and is not told so twice."""

VACUUM = "vacuum (index_cleanup on, truncate off) howdah.job, howdah.timer, howdah.misfit, howdah.inbox, howdah.held_key, howdah.tally"
"""Every schedule leaves dead rows behind: without it the next ones become slower and slower."""


class Theatre:
    """A database with the scene in it, a session that watches, one that looks on and listens, and those that play."""

    def __init__(self, sessions: Sequence[Session], made: scene.Scene, *, pauses: bool) -> None:
        watcher, self.db, *players = sessions
        self.scene = made
        self._pauses = pauses
        self._stage = Stage(watcher, players, pauses=pauses, interruptions=1 if pauses else None)
        self._heard: list[tuple[str, str]] = []
        self._ready: set[int] = set()

    @classmethod
    async def opened(cls, sessions: Sequence[Session], functions: Sequence[str], *, pauses: bool) -> Self:
        """Sets the scene; then these texts take the place of product functions."""
        db = sessions[1]
        made = await scene.make(db)
        await db.execute(PAUSE)
        for text in functions:
            await db.execute(text)
        self = cls(sessions, made, pauses=pauses)
        for channel in ("howdah_work", "howdah_done", "howdah_gate"):
            await db.add_listener(channel, lambda *said: self._heard.append((str(said[2]), str(said[3]))))
        return self

    async def play(self, *verbs: Verb, callers: str = RC, nodes: str = RC) -> tuple[int, dict[str, list[str]]]:
        """All schedules of these verbs: how many there were, and of each that broke something what it broke.

        The key of a schedule is the place of the verb that made each step, as in 0110.
        """
        levels = [callers if verb.caller else nodes for verb in verbs]
        wrong: dict[str, list[str]] = {}

        async def cast() -> list[Actor]:
            await self.db.execute("select public.put_back()")
            self._heard.clear()
            self._ready = await invariants.ready(self.db)
            return [await self._actor(verb, place, levels[place]) for place, verb in enumerate(verbs)]

        quiet = any(verb.looks for verb in verbs)
        await self.db.execute(VACUUM)

        async def check(actors: Sequence[Actor], trace: str) -> None:
            for place, (actor, verb) in enumerate(zip(actors, verbs, strict=True)):
                if actor.failure is not None and actor.failure.sqlstate == REPEATED:
                    await self._repeat(actor, verb, place, levels[place])
            found = await self._check(actors, quiet=quiet)
            if found:
                wrong[trace] = found

        return await self._stage.explore(cast, check), wrong

    async def _actor(self, verb: Verb, place: int, level: str) -> Actor:
        db = self._stage.sessions[place]
        slot = 0
        if self._pauses:
            slot = db.get_server_pid()
            await db.execute(f"select set_config('pause.slot', '{slot}', false), set_config('pause.number', '0', false)")

        def step(statement: Statement, before: str = "") -> Step:
            async def send() -> object:
                if before:
                    await db.execute(before)
                return await statement(db, self.scene, place)

            return send

        begin = f"begin isolation level {level}"
        first, *others = verb.statements
        steps = [step(first, begin if level == RC else ""), *map(step, others), lambda: db.execute("commit")]
        if level != RC:  # The snapshot is a step of its own.
            steps.insert(0, lambda: db.execute(f"{begin}; select from howdah.kind"))
        return Actor(db, db.get_server_pid(), slot, steps, fresh=level != RC)

    async def _repeat(self, actor: Actor, verb: Verb, place: int, level: str) -> None:
        """The same transaction once more, as its caller would; now nobody is in its way."""
        actor.failure, actor.answers = None, []
        await actor.db.execute(f"begin isolation level {level}")
        try:
            for statement in verb.statements:
                actor.answers.append(await statement(actor.db, self.scene, place))
            await actor.db.execute("commit")
        except asyncpg.PostgresError as error:
            await actor.db.execute("rollback")
            actor.failure = error

    async def _check(self, actors: Sequence[Actor], *, quiet: bool) -> list[str]:
        found = [
            f"{_name(actor.failure)} in session {n}" for n, actor in enumerate(actors) if actor.failure and not _expected(actor.failure)
        ]
        answers = [answer for actor in actors if actor.failure is None for answer in actor.answers]
        await self.db.execute("select")  # Whatever was notified arrives before the answer.
        if not quiet:
            found += await invariants.unheard(self.db, self._ready, self._heard)
        found += await invariants.violations(self.db, self.scene, answers, self._heard)
        return found


def _expected(failure: asyncpg.PostgresError) -> bool:
    return failure.sqlstate in ANSWERS


def _name(failure: asyncpg.PostgresError) -> str:
    return f"{type(failure).__name__}: {failure}"


def told(wrong: dict[str, list[str]]) -> str:
    """The first few schedules that broke something, for a person."""
    lines = [f"{trace}: {'; '.join(sentences)}" for trace, sentences in list(wrong.items())[:5]]
    return "\n".join([f"{len(wrong)} schedules broke something:", *lines])
