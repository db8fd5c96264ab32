"""Bugs to plant, each a mistake that somebody could make: the simulation must find every one of them.

A bug changes the model, as a wrong SQL function would, or a part of the node. Those that only two sessions inside of
their transactions can show (a lock that is not taken) are planted in the interleavings instead.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import asyncpg
import msgspec
from howdah.actors import keeper, writer
from howdah.actors.room import Room
from howdah.core.lines import Hints, Lines
from howdah.core.states import Kind
from howdah.db import stores
from howdah.db.link import is_lost
from howdah.db.stores import Claims, Outcomes

from .gate_bugs import GATE_BUGS
from .journal import Commit
from .model import Model
from .rows import Hot, NodeGone
from .world import Process, World

Bug = Callable[[World], Any]


@contextmanager
def outcomes_are_not_fenced(_: World) -> Generator[None]:
    """Whoever says that a run has ended is believed."""

    def believe(self: Model, run: int, lease: int | None, node: int | None) -> bool:
        return run in self.hot

    with patch.object(Model, "is_held", believe):
        yield


@contextmanager
def the_fence_is_the_lease_alone(_: World) -> Generator[None]:
    """A crash may hand a lease out again, to another node."""

    def compare(self: Model, run: int, lease: int | None, node: int | None) -> bool:
        row = self.hot.get(run)
        return row is not None and row.lease is not None and row.lease == lease

    with patch.object(Model, "is_held", compare):
        yield


@contextmanager
def a_node_is_the_same_after_a_crash_and_so_are_its_leases(world: World) -> Generator[None]:
    """Leases of the old world are accepted: outcomes are matched by the run and by any living node."""

    def compare(self: Model, run: int, lease: int | None, node: int | None) -> bool:
        row = self.hot.get(run)
        return row is not None and row.lease is not None and node is not None and node in self.nodes

    with patch.object(Model, "is_held", compare):
        yield


@contextmanager
def hints_are_cleared_after_the_query(_: World) -> Generator[None]:
    """What is heard during the query is forgotten with what was heard before it."""

    def take_into(self: Any, lines: Lines) -> None:
        if getattr(self, "taken", False):
            self._keys, self._all, self.taken = {}, False, False
            return
        for line, key in self._keys.items():
            lines.hint(line, key)
        if self._all:
            lines.look_at_once()
        self.taken = True

    claim = Claims.claim

    async def claim_then_clear(self: Any, *arguments: Any, **options: Any) -> Any:
        answer = await claim(self, *arguments, **options)
        for hints in everybody:
            hints._keys, hints._all, hints.taken = {}, False, False
        return answer

    everybody: list[Any] = []
    begin = Hints.__init__

    def note(self: Any) -> None:
        begin(self)
        everybody.append(self)

    with (
        patch.object(Hints, "__init__", note),
        patch.object(Hints, "take_into", take_into),
        patch.object(Claims, "claim", claim_then_clear),
    ):
        yield


@contextmanager
def a_cancel_is_announced_before_its_commit(world: World) -> Generator[None]:
    """The node looks for the flag when it hears, and the flag is not there yet."""
    cancel = Model.cancel

    def announce_first(self: Model, runs: Any) -> dict[int, str]:
        answers = cancel(self, runs)
        flagged = [run for run, answer in answers.items() if answer == "requested"]
        rows = {run: self.hot[run] for run in flagged}
        for run, row in rows.items():
            self.hot[run] = msgspec.structs.replace(row, cancelling=False)

        def commit() -> None:
            for run in flagged:
                if run in self.hot:
                    self.hot[run] = msgspec.structs.replace(self.hot[run], cancelling=True)

        world.loop.call_later(0.5, commit)
        return answers

    with patch.object(Model, "cancel", announce_first):
        yield


@contextmanager
def a_claim_does_not_look_for_its_node(_: World) -> Generator[None]:
    """A node that was reaped claims on: nobody will ever reap those runs."""
    with patch.object(Model, "check_member", lambda _self, _node: None):
        yield


@contextmanager
def a_claim_whose_answer_was_lost_is_not_undone(_: World) -> Generator[None]:
    """The node holds runs that it does not know of, and lives."""
    with patch.object(Model, "recover", lambda _self, _node, _leases: 0):
        yield


@contextmanager
def a_lease_number_comes_again_after_a_crash(_: World) -> Generator[None]:
    """To the node that is still at work under it: what a lost answer gave it then seems to be known. A bug that this simulation
    found."""

    async def trust(self: Any, _: Any) -> None:
        """Nothing is doubted but a claim without an answer."""

    with patch.object(Claims, "_doubt", trust):
        yield


@contextmanager
def runs_start_after_the_lease_has_run_out(world: World) -> Generator[None]:
    """The node believes in its lease until it is told otherwise."""
    begin = Room.__init__

    def credulous(self: Any, name: str, slots: int, lanes: Any, ledger: Any, standing: Any, **others: Any) -> None:
        def always() -> Any:
            found = standing()
            return None if found is None else msgspec.structs.replace(found, until=float("inf"))

        begin(self, name, slots, lanes, ledger, always, **others)

    with patch.object(Room, "__init__", credulous):
        yield


@contextmanager
def reaped_runs_that_start_at_most_once_go_back(_: World) -> Generator[None]:
    """The flag is forgotten where a node is lost."""
    judged = Model._judged

    def forget(row: Hot, quarantine: int | None) -> Kind:
        return judged(msgspec.structs.replace(row, run=msgspec.structs.replace(row.run, once=False)), quarantine)

    with patch.object(Model, "_judged", staticmethod(forget)):
        yield


@contextmanager
def at_most_once_is_claimed_without_the_disk(_: World) -> Generator[None]:
    """A crash forgets that the run was given out."""
    claim = Model.claim

    def hasty(self: Model, commit: Commit, *arguments: Any, aside: bool, durable: bool) -> Any:
        return claim(self, commit, *arguments, aside=aside, durable=False)

    with patch.object(Model, "claim", hasty):
        yield


@contextmanager
def nobody_settles(_: World) -> Generator[None]:
    """What ends mean for others stays in inbox."""

    async def forget(self: Any) -> None:
        self.unsettled = False

    with patch.object(Outcomes, "settle", forget), patch.object(Model, "settle", lambda _self, _commit: 0):
        yield


@contextmanager
def children_are_looked_for_before_the_parent_has_ended(_: World) -> Generator[None]:
    """The effect of an end is applied in the fold itself, on what was there when the batch began: later ones are missed."""
    record = Model.record

    def at_once(self: Model, outcomes: Any) -> Any:
        before = {row.run.id for row in self.hot.rows() if row.due is None}
        answer = record(self, outcomes)
        for number, (run, what) in self.inbox.items():
            if what == "cancelled":
                self.inbox.pop(number)
                self.cancel([row.run.id for row in self.hot.rows() if row.run.parent == run and row.run.id in before and not row.run.keeps])
        return answer

    with patch.object(Model, "record", at_once):
        yield


@contextmanager
def retries_are_not_announced(_: World) -> Generator[None]:
    """The keeper sleeps, and the run that is due sleeps with it."""

    async def write(ledger: Any, records: Any, desk: Any, remind: Any, ends: Any, batch_max: int, tally: Any) -> None:
        await real(ledger, records, desk, lambda _in_s: None, ends, batch_max, tally)

    real = writer.write
    with patch("howdah.node.write", write):
        yield


@contextmanager
def a_lost_node_is_never_reaped(_: World) -> Generator[None]:
    """Its runs stay with it."""

    def keep(self: Model, longest_s: float, quarantine: int) -> tuple[float, int, int]:
        members = dict(self.nodes.items())
        for node, member in members.items():
            self.nodes[node] = msgspec.structs.replace(member, until=float("inf"))
        answer = real(self, longest_s, quarantine)
        for node, member in members.items():
            self.nodes[node] = member
        return answer

    real = Model.keep
    with patch.object(Model, "keep", keep):
        yield


@contextmanager
def an_outcome_is_sent_once_and_not_again(_: World) -> Generator[None]:
    """A COPY whose connection is lost is taken for done."""

    async def once(self: Any, batch: Any) -> None:
        try:
            connection = await self._link.connected()
            from howdah.messages import EVENT_COLUMNS

            await connection.copy_records_to_table(
                "event", schema_name="howdah", columns=EVENT_COLUMNS, records=map(msgspec.structs.astuple, batch)
            )
        except Exception:
            await self._link.drop()

    with patch.object(Outcomes, "_record", once):
        yield


@contextmanager
def cancels_are_asked_for_running_attempts_alone(_: World) -> Generator[None]:
    """One that waits for a slot on its node starts all the same: a bug that this simulation found."""

    async def ask(house: Any, rooms: Any, cancel: Any) -> None:
        running = [run.claimed for room in rooms for run in room.running]
        if running:
            for run, lease in await house.asked([one.id for one in running], [one.lease for one in running]):
                cancel(run, lease)

    with patch.object(keeper, "_ask", ask):
        yield


@contextmanager
def a_lease_of_the_old_world_is_renewed(_: World) -> Generator[None]:
    """After a failover a node lives on under its identity, and keeps what it does not know to hold: it has ended that already."""
    renew = Model.renew

    def welcome(self: Model, commit: Commit, node: int, lease_s: float) -> Any:
        if node in self.nodes:
            self.nodes[node] = msgspec.structs.replace(self.nodes[node], world=self.world)
        return renew(self, commit, node, lease_s)

    with patch.object(Model, "renew", welcome):
        yield


@contextmanager
def a_node_of_the_old_world_is_given_runs(_: World) -> Generator[None]:
    """Between a failover and its next renewal: under lease numbers that it has seen before. A bug that this simulation found."""

    def look(self: Model, node: int) -> None:
        if node not in self.nodes:
            raise NodeGone

    with patch.object(Model, "check_member", look):
        yield


@contextmanager
def a_hint_without_room_fails_its_transaction(_: World) -> Generator[None]:
    """What should be told is told, however full the queue is."""
    with patch.object(Model, "tell", Model.notify):
        yield


@contextmanager
def a_probe_without_room_takes_the_node_down(_: World) -> Generator[None]:
    """A full queue is taken for an error of ours."""

    def judge(error: BaseException, connection: Any = None) -> bool:
        return not isinstance(error, asyncpg.ProgramLimitExceededError) and is_lost(error, connection)

    with patch.object(stores, "is_lost", judge):
        yield


@contextmanager
def nobody_looks_who_was_not_told(_: World) -> Generator[None]:
    """Claims follow notifications alone, and one that was not sent costs the work."""

    def forget(self: Any, *_: Any) -> None:
        self._next_look = float("inf")

    found = Lines.found

    def trust(self: Any, *arguments: Any) -> None:
        found(self, *arguments)
        forget(self)

    with patch.object(Lines, "found", trust), patch.object(Lines, "_look_within", forget):
        yield


@contextmanager
def an_order_is_done_by_those_who_hear_of_it(_: World) -> Generator[None]:
    """Renewals do not bring it: one whose notification was lost is not obeyed."""
    obey, heard = Process._obey, Process._heard

    def listen(self: Any, channel: str, payload: str) -> None:
        if channel == "howdah_node":
            self.has_heard = True
        heard(self, channel, payload)

    def wait(self: Any, order: str | None) -> None:
        if getattr(self, "has_heard", False):
            self.has_heard = False
            obey(self, order)

    with patch.object(Process, "_heard", listen), patch.object(Process, "_obey", wait):
        yield


BUGS: tuple[Bug, ...] = (
    outcomes_are_not_fenced,
    the_fence_is_the_lease_alone,
    a_node_is_the_same_after_a_crash_and_so_are_its_leases,
    hints_are_cleared_after_the_query,
    a_cancel_is_announced_before_its_commit,
    a_claim_does_not_look_for_its_node,
    a_claim_whose_answer_was_lost_is_not_undone,
    a_lease_number_comes_again_after_a_crash,
    runs_start_after_the_lease_has_run_out,
    reaped_runs_that_start_at_most_once_go_back,
    at_most_once_is_claimed_without_the_disk,
    nobody_settles,
    children_are_looked_for_before_the_parent_has_ended,
    retries_are_not_announced,
    a_lost_node_is_never_reaped,
    an_outcome_is_sent_once_and_not_again,
    cancels_are_asked_for_running_attempts_alone,
    a_lease_of_the_old_world_is_renewed,
    a_node_of_the_old_world_is_given_runs,
    a_hint_without_room_fails_its_transaction,
    a_probe_without_room_takes_the_node_down,
    nobody_looks_who_was_not_told,
    an_order_is_done_by_those_who_hear_of_it,
    *GATE_BUGS,
)
