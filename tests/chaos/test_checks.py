"""A checker that cannot fail proves nothing: each violation is planted in a small set of histories, and found."""

from pathlib import Path

import asyncpg
import pytest
from howdah.core.states import Kind

from . import checks
from .history import history

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
CRASHED = "insert into chaos.fault values (9, 'restart', 'immediate', '', chaos.at({}), chaos.at({}))"
LOST = "insert into chaos.fault values (9, 'failover', 'asynchronous', '', chaos.at(0), chaos.at(40))"

PLANTED: list[tuple[str, int, str]] = [
    ("unended", 1, "delete from howdah.event where run = chaos.id(1)"),
    ("unended", 10, "delete from howdah.event where run = chaos.id(10) and kind = 1"),
    ("promises", 12, "insert into chaos.promise values ('bulk-12', chaos.id(12), 'plain', true, chaos.at(12))"),
    ("promises", 1, "update chaos.promise set mark = 'another' where run = chaos.id(1)"),
    ("marks", 11, "select chaos.make(12, 'plain', 'bulk-11'), chaos.try(12, 20, 2, 40, 40.1), chaos.say(12, 1, 40.2, 20, 2)"),
    ("hot_rows", 1, "insert into howdah.job (id, queue, task, priority) values (chaos.id(1), 1, 1, 0)"),
    ("hot_rows", 1, "insert into howdah.timer values (chaos.id(1), now(), null, 1, 1, 0, 1, 0, 0, true)"),
    ("hot_rows", 1, "insert into howdah.misfit (id, queue, task, priority, attempt, flags, crashes, hashes) values (chaos.id(1), 1, 1, 0, 0, 0, 0, '{}')"),
    ("hot_rows", 1, "insert into howdah.inbox (run) values (chaos.id(1))"),
    ("hot_rows", 1, "insert into howdah.held_key (task, key, run, owner) values (1, 'k', chaos.id(1), chaos.id(1))"),
    ("hot_rows", 77, "insert into howdah.node (id, name, host, pid, version, tasks, hashes, until) values (77, 'n', 'h', 1, '0', '{}', '{}', now())"),
    ("hot_rows", 77, "insert into howdah.event (run, task, kind) values (77, 1, 6)"),
    ("effects", 2, "delete from chaos.effect"),
    ("effects", 2, "insert into chaos.effect (run, lease, node) values (chaos.id(2), 2, 1)"),
    ("effects", 2, "update howdah.event set kind = 2 where run = chaos.id(2)"),
    ("effects", 1, "insert into chaos.effect (run, lease, node) values (chaos.id(1), 1, 1)"),
    ("effects", 2, "select chaos.say(2, 1, 3, 2, 1)"),
    ("effect_fence", 2, "update chaos.effect set lease = 99"),
    ("bookings", 9, "delete from chaos.booking"),
    ("bookings", 0, "insert into chaos.booking (mark) values ('own-12')"),
    ("at_most_once", 3, "select chaos.try(3, 3, 1, 3.5, 3.6)"),
    ("leases", 8, "update howdah.event set at = chaos.at(11.15) where run = chaos.id(8) and kind = 19"),
    ("leases", 8, "delete from howdah.event where run = chaos.id(8) and kind = 19"),
    ("leases", 1, "select chaos.try(1, 30, 2, 1.15, 1.3)"),
    ("leases", 11, "update chaos.process set ended = chaos.at(34) where name = 'process 3'; update howdah.event set lease = 99 where run = chaos.id(11) and kind = 19"),
    ("reaped_alive", 8, "update chaos.gone set until = chaos.at(12) where node = 1"),
    ("begun_late", 1, "update chaos.attempt set began = chaos.at(50), ended = chaos.at(51) where run = chaos.id(1)"),
    ("accepted", 1, "select chaos.say(1, 1, 1.4, 1, 1)"),
    ("accepted", 1, "update howdah.event set lease = 99 where run = chaos.id(1)"),
    ("accepted", 10, "delete from chaos.attempt where run = chaos.id(10) and lease = 11"),
    ("accepted", 1, "insert into howdah.stale_event (run, lease, node, at, task, kind, verdict) values (chaos.id(1), 1, 1, now(), 1, 1, 'stale')"),
    ("accepted", 1, "insert into howdah.stale_event (run, lease, node, at, task, kind, verdict) values (chaos.id(1), 98, 1, now(), 1, 1, 'duplicate')"),
    ("children", 4, "update howdah.run set parent = null where id = chaos.id(5)"),
    ("children", 4, "select chaos.make(12, 'child', 'family-4/1', '{}', 4)"),
    ("cancels", 6, "update howdah.event set kind = 1 where run = chaos.id(6)"),
    ("cancels", 6, "select chaos.try(6, 40, 2, 8.6, 8.7)"),
    ("cancels", 7, "update howdah.event set kind = 1 where run = chaos.id(7)"),
    ("ends", 1, "update howdah.event set kind = 2 where run = chaos.id(1)"),
    ("ends", 11, "update howdah.event set kind = 22 where run = chaos.id(11) and kind = 1"),
    ("permits", 21, "update chaos.terms set number = 1 where name = 'chaos-key'"),
    ("permits", 20, "update chaos.terms set number = 0 where name = 'chaos-all'"),
    ("crowds", 21, "update chaos.terms set number = 1 where name = 'chaos-all'"),
    ("permits", 25, "update chaos.permit set taken = chaos.at(27) where lease = 26"),
    ("permits", 25, "update chaos.terms set number = 3 where name = 'chaos-line'; insert into chaos.terms (name, key, number, at) values ('chaos-line', 'k', 0, chaos.at(20))"),
    ("permits", 24, "insert into chaos.terms (name, paused, number, at) values ('chaos-line', true, 1, chaos.at(20))"),
    ("crowds", 25, "update chaos.attempt set began = chaos.at(27) where lease = 26"),
    ("order", 25, "update chaos.permit set taken = chaos.at(25), freed = chaos.at(25.5) where lease = 26"),
    ("rates", 23, "update chaos.permit set taken = chaos.at(22.05) where lease = 23; update howdah.limit_terms set said = '{\"per_s\": 0.1, \"burst\": 1}'"),
    ("tallies", 0, "insert into howdah.tally (queue, task, kind, n, ready, running, later) values (1, 1, 1, 1, 0, 0, 0)"),
    ("tallies", 0, "insert into howdah.tally (queue, task, kind, n, ready, running, later) values (1, 1, 1, 0, 1, 0, 0)"),
    ("replay", 1, "select chaos.say(1, 19, 1.4, 1, 1)"),
    ("replay", 6, "select chaos.say(6, 1, 6.6, 1, 1)"),
]  # fmt: skip


@pytest.fixture
async def small(db: asyncpg.Connection) -> asyncpg.Connection:
    """A database with a small set of histories in which nothing is wrong."""
    await db.execute((HERE / "schema.sql").read_text())
    await db.execute((HERE / "small_world.sql").read_text())
    return db


async def _run(db: asyncpg.Connection, number: int) -> int:
    return await db.fetchval("select chaos.id($1)", number)


async def test_in_good_histories_nothing_is_found(small: asyncpg.Connection) -> None:
    found = await checks.violations(small)
    assert found.counts == {}
    assert found.first == []


async def test_every_planted_violation_is_found_by_its_check(small: asyncpg.Connection) -> None:
    for check, number, plant in PLANTED:
        block = small.transaction()
        await block.start()
        await small.execute(plant)
        found = await checks.violations(small)
        run = number if number in (0, 77) else await _run(small, number)
        assert (check, run) in {(one.check, one.run) for one in found.first}, f"{plant}: {found}"
        await block.rollback()


def test_a_violation_is_planted_for_each_check() -> None:
    assert {check for check, _, _ in PLANTED} == {*checks.QUERIES, "replay"}


def test_a_cancel_that_was_asked_for_while_the_outcome_was_being_written_is_in_turn_before_it() -> None:
    written = [Kind.RETRIED, Kind.SUCCEEDED, Kind.CANCEL_REQUESTED]
    assert checks.in_turn(written) == [Kind.RETRIED, Kind.CANCEL_REQUESTED, Kind.SUCCEEDED]
    assert [*checks.misread([(written, "succeeded", 1, 7)])] == []
    ((wrong, _),) = checks.misread([([Kind.EXPIRED, Kind.CANCEL_REQUESTED], "expired", 1, 7)])
    assert "CANCEL_REQUESTED was accepted of a run that was expired" in wrong.said


async def test_whoever_else_held_the_key_is_named_and_has_its_history_told(small: asyncpg.Connection) -> None:
    await small.execute(
        "update chaos.permit set taken = chaos.at(27) where lease = 26; update chaos.attempt set began = chaos.at(27) where lease = 26"
    )
    first, second = await _run(small, 24), await _run(small, 25)
    found = await checks.violations(small, ["permits", "crowds"])
    assert [one.runs for one in found.first] == [[second, first], [second, first]]


async def test_between_its_end_and_its_retry_a_run_keeps_nothing(small: asyncpg.Connection) -> None:
    """It waits as others do then, and one that was behind it may go."""
    await small.execute("update chaos.permit set taken = chaos.at(27), freed = chaos.at(27.3) where lease = 26")
    await small.execute("update chaos.attempt set began = chaos.at(27.1), ended = chaos.at(27.2) where lease = 26")
    assert (await checks.violations(small, ["permits", "crowds"])).counts == {"permits": 1, "crowds": 1}
    await small.execute("update howdah.event set kind = 2 where run = chaos.id(24) and lease = 24; select chaos.say(24, 23, 26.5)")
    assert (await checks.violations(small, ["permits", "crowds"])).counts == {}


async def test_what_a_crash_of_postgres_may_forget_is_no_violation_and_what_it_may_not_is(small: asyncpg.Connection) -> None:
    await small.execute("select chaos.try(1, 30, 2, 1.15, 1.3)")
    await small.execute(CRASHED.format(1.12, 1.14))
    assert (await checks.violations(small, ["leases"])).counts == {}
    await small.execute("delete from chaos.fault where number = 9")
    await small.execute(CRASHED.format(40, 41))
    assert (await checks.violations(small, ["leases"])).counts == {"leases": 1}


async def test_what_an_asynchronous_standby_had_not_heard_of_may_be_lost(small: asyncpg.Connection) -> None:
    await small.execute("insert into chaos.promise values ('bulk-12', chaos.id(12), 'plain', true, chaos.at(12))")
    await small.execute("select chaos.try(3, 3, 1, 3.5, 3.6)")
    assert (await checks.violations(small, ["promises", "at_most_once"])).counts == {"promises": 1, "at_most_once": 1}
    await small.execute(LOST)
    assert (await checks.violations(small, ["promises", "at_most_once"])).counts == {}


async def test_new_terms_count_once_every_gate_has_heard_of_them_and_zombies_do_not(small: asyncpg.Connection) -> None:
    names = ["permits", "crowds"]
    await small.execute("insert into chaos.terms (name, number, at) values ('chaos-key', 1, chaos.at(18))")
    assert (await checks.violations(small, names)).counts == {}
    await small.execute("update chaos.terms set at = chaos.at(5) where number = 1")
    assert (await checks.violations(small, names)).counts == {"permits": 1, "crowds": 1}
    await small.execute("update chaos.permit set freed = chaos.at(20.12) where lease = 20")
    await small.execute("insert into chaos.gone (node, pid, at) values (9, 109, chaos.at(20.12))")
    await small.execute("update chaos.attempt set node = 9 where lease = 20")
    assert (await checks.violations(small, names)).counts == {}


async def test_a_takeover_is_measured_from_the_kill(small: asyncpg.Connection) -> None:
    (one,) = await checks.takeovers(small, 3.0)
    assert (one.process, one.held, one.first_s, one.all_s, one.clear) == ("process 3", 1, 3.1, 3.1, True)
    assert checks.late([one], 3.0) == []
    assert len(checks.late([one], 2.0)) == 1
    await small.execute("insert into chaos.fault values (2, 'restart', 'fast', '', chaos.at(31), chaos.at(32))")
    (one,) = await checks.takeovers(small, 3.0)
    assert not one.clear
    assert checks.late([one], 2.0) == []


async def test_the_history_of_a_run_tells_what_is_known_of_it(small: asyncpg.Connection) -> None:
    lines = await history(small, await _run(small, 8))
    told = "\n".join(lines)
    for said in (
        "enqueued: task plain",
        "bulk-8 was acknowledged",
        "began under lease 8",
        "event reaped",
        "event succeeded",
        "pause  process 1",
    ):
        assert said in told
    assert lines[-1] == "shown as succeeded"


def test_histories_that_no_run_may_have_are_told() -> None:
    good, reaped = [int(Kind.SUCCEEDED)], [int(Kind.REAPED), int(Kind.SUCCEEDED)]
    assert list(checks.misread([(good, "succeeded", 5, 1), (reaped, "succeeded", 1, 2)])) == []
    (nowhere, count), (other, _), (twice, _) = checks.misread(
        [([], None, 3, 7), (good, "queued", 1, 8), ([*good, *good], "succeeded", 1, 9)]
    )
    assert (nowhere.run, count, other.run, twice.run) == (7, 3, 8, 9)
