"""The model against the real functions: the same seeded histories in both, every answer and every state alike."""

import json
from random import Random
from typing import Any

import asyncpg
import msgspec
import pytest
from howdah.core.states import Kind
from howdah.db.files import listing, query
from howdah.messages import Claimed

from ..db import world
from ..db.world import Connect, Session
from .model import Model
from .rows import Hot, LeaseLost, NodeGone, Twice

pytestmark = pytest.mark.anyio

TASKS = {1: "plain", 2: "other", 3: "once"}
LEASE_S = 10.5
STEPS = 60
QUARANTINE = 3
VERBS = (*["submit"] * 4, *["claim"] * 5, *["record"] * 5, *["cancel", "pass_time"] * 2, "settle", "keep", "join", "leave", "renew",
         "recover", "complete", "look", "asked", "fill", "move_on")  # fmt: skip
WORLD = """
create or replace function howdah.world() returns text language sql stable as $$ select current_setting('test.world') $$
"""
"""Which world this is, as the test says. That a failover and a copy begin another one is shown by tests of the real thing."""
TELL = dict(listing("functions"))["tell"].replace("pg_notification_queue_usage()", "current_setting('test.queue')::float8")
"""How full the queue is, as the test says: it belongs to the whole cluster."""
SAY = "select set_config($1, $2, false)"

Place = tuple[int, str, int, int, bool]
"""What is compared of a pending run: its attempt, where it is, its crashes, its node, and whether its cancel was asked for."""


class Both:
    """The model and a database, driven in step. Whole seconds pass; a lease ends between two of them."""

    def __init__(self, db: Session, listener: Session, random: Random) -> None:
        self._db = db
        self._listener = listener
        self._random = random
        self._now = 0.5
        self._told: set[tuple[int, int]] = set()
        self._heard: list[str] = []
        self.model = Model(lambda: self._now, self._notified)
        self.model.started = -1e9
        self.ids: dict[int, int] = {}
        """Of the model, by those of the database."""
        self.nodes: dict[int, int] = {}
        self.held: list[tuple[Hot, Claimed]] = []

    def _notified(self, channel: str, payload: str) -> None:
        if channel == "howdah_work":
            self._told.add((int(payload.split()[1]), int(payload.split()[3])))

    async def begin(self) -> None:
        """The catalogue, and ears."""
        for number, name in TASKS.items():
            defaults = json.dumps({"delivery": "at_most_once"} if name == "once" else {})
            assert await self._db.fetchval(query("introduce"), name, "default", 0, defaults, None) == number
        for text in (WORLD, TELL):
            await self._db.execute(text)
        await self._db.execute(SAY, "test.world", str(self.model.world))
        await self._db.execute(SAY, "test.queue", "0")
        await self._listener.add_listener("howdah_work", lambda *said: self._heard.append(str(said[3])))

    async def step(self) -> str:
        """One verb, in both. Returns which."""
        verb = self._random.choice(VERBS)
        self._told, self._heard = set(), []
        await getattr(self, f"_{verb}")()
        await self._listener.execute("select 1")
        words = [said.split() for said in self._heard]
        assert {(int(word[1]), self.ids[int(word[3])]) for word in words} == self._told, "the same runs are announced"
        return verb

    async def _submit(self) -> None:
        random, said, options = self._random, dict[str, Any](), dict[str, Any]()
        task, count = random.choice(list(TASKS)), random.choice((1, 1, 2, 3))
        if random.random() < 0.3:
            said["delay_s"] = options["delay"] = random.randint(1, 4)
        if random.random() < 0.2:
            said["expires_s"] = options["expires"] = random.randint(1, 6)
        if random.random() < 0.2:
            said["priority"] = random.randint(-2, 2)
            options["priority"] = -said["priority"]
        parents = [run for run in self.ids if self.ids[run] in self.model.hot]
        if parents and random.random() < 0.3:
            options["parent"] = random.choice(parents)
            said["parent"], said["keeps"] = self.ids[options["parent"]], random.random() < 0.5
            if said["keeps"]:
                options["on_parent_cancel"] = "keep"
        elif task == 1 and random.random() < 0.3:
            count = 1
            options["unique_key"] = said["key"] = random.choice("ab")
        awaited = random.random() < 0.3
        row = await self._db.fetchrow(query("submit"), TASKS[task], ["{}"] * count, json.dumps(options) if options else None, True, None)
        assert row is not None
        made = self.model.call(lambda _: self.model.submit(task, count, once=task == 3, awaited=awaited, **said))
        for run, number in zip(row["ids"], made, strict=True):
            if run in self.ids:
                assert self.ids[run] == number, "the key is held by the same run"
                continue
            self.ids[run] = number
            if awaited:
                await world.watch(self._db, run)

    def _node(self) -> tuple[int, int] | None:
        return self._random.choice(list(self.nodes.items())) if self.nodes else None

    async def _claim(self) -> None:
        found = self._node()
        if found is None:
            return
        real, number = found
        heads = await self._db.fetch(query("look"), real, list(TASKS), None)
        tasks = sorted({row["task"] for row in heads})
        room, aside, durable = self._random.choice((1, 2, 3, 10)), self._random.random() < 0.7, self._random.random() < 0.3
        arguments = ([1] * len(tasks), tasks, [-32768] * len(tasks), [0] * len(tasks), aside, durable)
        lines: dict[int, tuple[int, int]] = dict.fromkeys(tasks, (-32768, 0))
        try:
            rows = [Claimed(real, *row) for row in await self._db.fetch(query("claim"), real, room, *arguments)]
        except asyncpg.PostgresError as error:
            assert error.sqlstate == "HW002"
            with pytest.raises(NodeGone):
                self.model.call(lambda commit: self.model.claim(commit, number, room, lines, aside=aside, durable=durable))
            return
        held = self.model.call(lambda commit: self.model.claim(commit, number, room, lines, aside=aside, durable=durable))
        assert [(self.ids[row.id], row.attempt, row.aside) for row in rows] == [(row.run.id, row.attempt, taken) for row, taken in held]
        self.held += zip([row for row, _ in held], rows, strict=True)

    def _take_held(self, most: int) -> list[tuple[Hot, Claimed]]:
        """Some that a node has, or had: an outcome may come twice, and late."""
        some = self._random.sample(self.held, min(len(self.held), most))
        for one in some:
            if self._random.random() < 0.8:
                self.held.remove(one)
        return list({real.id: (hot, real) for hot, real in some}.values())

    async def _record(self) -> None:
        some = self._take_held(self._random.randint(1, 4))
        kinds = [
            self._random.choice((Kind.SUCCEEDED, Kind.SUCCEEDED, Kind.FAILED, Kind.STOPPED, Kind.RETRIED, Kind.SNOOZED, Kind.RELEASED))
            for _ in some
        ]
        delays = [float(self._random.randint(1, 3)) for _ in some]
        if not some:
            return
        heard = await world.send(
            self._db, *(world.outcome(real, kind, delay) for (_, real), kind, delay in zip(some, kinds, delays, strict=True))
        )
        rows = [(hot.run.id, hot.lease or 0, hot.node or 0, kind, delay) for (hot, _), kind, delay in zip(some, kinds, delays, strict=True)]
        rejected, unsettled = self.model.call(lambda _: self.model.record(rows))
        assert sorted((self.ids[late.run], late.verdict) for late in heard.rejected) == sorted(
            (run, verdict) for run, _, verdict in rejected
        )
        assert heard.unsettled == unsettled

    async def _complete(self) -> None:
        for hot, real in self._take_held(1):
            try:
                await self._db.execute(query("complete"), real.id, real.lease, real.node, None, None, None)
            except asyncpg.PostgresError as error:
                assert error.sqlstate == "HW001"
                with pytest.raises(LeaseLost):
                    self.model.call(lambda _, hot=hot: self.model.complete(hot.run.id, hot.lease or 0, hot.node or 0))
            else:
                self.model.call(lambda _, hot=hot: self.model.complete(hot.run.id, hot.lease or 0, hot.node or 0))

    async def _settle(self) -> None:
        assert (await self._db.fetchval(query("settle"))) == self.model.call(self.model.settle)

    async def _cancel(self) -> None:
        some = self._random.sample(list(self.ids), min(len(self.ids), 2))
        answers = await world.cancel(self._db, *some)
        assert {self.ids[run]: said for run, said in answers.items()} == self.model.call(
            lambda _: self.model.cancel(sorted(self.ids[run] for run in some))
        )

    async def _asked(self) -> None:
        runs, leases = [real.id for _, real in self.held], [real.lease for _, real in self.held]
        rows = await self._db.fetch(query("asked"), runs, leases)
        mine = self.model.asked([hot.run.id for hot, _ in self.held], [hot.lease or 0 for hot, _ in self.held])
        assert sorted(self.ids[row["run"]] for row in rows) == sorted(run for run, _ in mine)

    async def _look(self) -> None:
        rows = await self._db.fetch(query("look"), 0, list(TASKS), None)
        mine = self.model.look(list(TASKS))
        assert sorted((r["task"], r["priority"], self.ids[r["id"]], r["aside"]) for r in rows) == sorted(line[1:] for line in mine)

    async def _keep(self) -> None:
        row = await self._db.fetchrow(query("keep"), 1000, 30.0, QUARANTINE)
        assert row is not None
        _, fired, expired = self.model.call(lambda _: self.model.keep(30.0, QUARANTINE))
        assert (row["fired"], row["expired"]) == (fired, expired)

    async def _join(self) -> None:
        if len(self.nodes) < 4:
            real = await world.join(self._db, LEASE_S, labels=None, **dict.fromkeys(TASKS.values(), "h"))
            self.nodes[real] = real
            self.model.call(lambda _: self.model.join(real, LEASE_S, list(TASKS)))

    async def _leave(self) -> None:
        found = self._node() if self._random.random() < 0.3 else None
        if found is not None:
            await self._db.execute(query("leave_node"), found[0])
            self.model.call(lambda _: self.model.leave(found[1]))
            if self._random.random() < 0.7:
                del self.nodes[found[0]]

    async def _renew(self) -> None:
        found = self._node()
        if found is not None:
            row = await self._db.fetchrow(query("renew"), found[0], LEASE_S)
            assert (row is None) == (self.model.call(lambda commit: self.model.renew(commit, found[1], LEASE_S)) is None)

    async def _recover(self) -> None:
        found = self._node()
        if found is not None and self._random.random() < 0.5:
            known = [(hot.lease or 0, real.lease) for hot, real in self.held if real.node == found[0] and self._random.random() < 0.7]
            back = await self._db.fetchval(query("recover"), found[0], [real for _, real in known], "nobody")
            assert back == self.model.call(lambda _: self.model.recover(found[1], [mine for mine, _ in known]))

    async def _fill(self) -> None:
        """The queue of notifications becomes as full as that."""
        self.model.queue = self._random.choice((0.0, 0.0, 0.5, 0.9, 0.99))
        await self._db.execute(SAY, "test.queue", str(self.model.queue))

    async def _move_on(self) -> None:
        """A standby that has everything takes the place of the server: nodes live on, and their leases do not."""
        if self._random.random() < 0.5:
            self.model.world += 1
            await self._db.execute(SAY, "test.world", str(self.model.world))

    async def _pass_time(self) -> None:
        self._now += self._random.choice((1, 1, 2, 5, 11))
        await world.shift(self._db, f"{self._now} seconds")

    async def compare(self) -> None:
        """The same runs are pending, in the same places, and the same was written of them."""
        assert await self._places() == {row.run.id: _place(row) for row in self.model.hot.rows()}
        rows = await self._db.fetch("select run, kind from howdah.event order by run, kind")
        assert [(self.ids[r["run"]], r["kind"]) for r in rows] == sorted((event.run, int(event.kind)) for event in self.model.events.rows())
        effects = await self._db.fetch("select run, what from howdah.inbox order by run, what")
        assert [(self.ids[row["run"]], row["what"]) for row in effects] == sorted(self.model.inbox.rows())

    async def _places(self) -> dict[int, Place]:
        rows = await self._db.fetch(
            "select id, attempt, case when lease is null then 'ready' else 'held' end, crashes, coalesce(node, 0), flags & 1 <> 0"
            " from howdah.job union all select id, attempt, 'later', crashes, 0, flags & 1 <> 0 from howdah.timer"
        )
        return {self.ids[row[0]]: tuple(row)[1:] for row in rows}


def _place(row: Hot) -> Place:
    where = "later" if row.due is not None else "ready" if row.lease is None else "held"
    return row.attempt, where, row.crashes, row.node or 0, row.cancelling


@pytest.mark.parametrize("seed", range(40))
async def test_the_model_answers_as_the_functions_do(db: Session, connect: Connect, seed: int) -> None:
    both = Both(db, await connect(), Random(seed))
    await both.begin()
    done: list[str] = []
    for _ in range(STEPS):
        done.append(await both.step())
        try:
            await both.compare()
        except AssertionError as error:
            raise AssertionError(f"after {done}: {error}") from error


def test_a_batch_that_names_a_run_twice_is_refused_as_a_whole() -> None:
    model = Model(lambda: 0.0, lambda _channel, _payload: None)
    model.call(lambda _: model.join(7, 10.0, [1]))
    model.call(lambda _: model.submit(1))
    [(row, _)] = model.call(lambda commit: model.claim(commit, 7, 1, {1: (-32768, 0)}, aside=False, durable=False))
    twice = [(row.run.id, row.lease or 0, 7, Kind.SUCCEEDED, 0.0)] * 2
    with pytest.raises(Twice):
        model.call(lambda _: model.record(twice))
    assert model.is_held(row.run.id, row.lease, 7)
    assert not len(model.events)
    assert msgspec.structs.astuple(row)[1] == 1
