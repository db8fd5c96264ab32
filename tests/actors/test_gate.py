"""The gate as an actor: what it does while admissions are on their way to the database. What it decides is core/gate.py's."""

from random import Random

import anyio
import anyio.lowlevel
import pytest
from howdah.actors.admissions import AHEAD_MIN
from howdah.messages import Standing

from .gate_stage import NODE, OTHER, TASK, Rows, Stage, gate

pytestmark = pytest.mark.anyio

MANY = AHEAD_MIN


def lines(count: int = 20, each: int = 16) -> dict[int, list[int]]:
    """So many lines: the gate knows all of them after its first look."""
    return {1 + line: [line * each + 1 + at for at in range(each)] for line in range(count)}


async def test_the_next_admission_is_decided_while_a_large_one_is_written() -> None:
    async with gate(MANY + 50, lines()) as stage:
        stage.rows.number += 10  # Which the gate has not heard of, as long as the second was decided before.
        await stage.answer(0)
        assert stage.sizes() == [MANY, 50]
        await end(stage, stage.rows.sent[0].runs[:10])
        await stage.answer(1)
        assert stage.sizes() == [MANY, 50, 10]


async def test_what_ends_while_a_small_one_is_written_joins_the_next() -> None:
    small = MANY - 1
    async with gate(small + 50, lines(), batch_max=small) as stage:
        await stage.answer(0)
        assert stage.sizes() == [small, 50]
        first = stage.rows.sent[0].runs
        await end(stage, first[:10])
        await end(stage, first[10:30])
        assert stage.sizes() == [small, 50]
        await stage.answer(1)
        assert stage.sizes() == [small, 50, 30]


async def test_no_more_than_two_are_out() -> None:
    async with gate(1000, lines()) as stage:
        early = stage.rows.sent[0].runs[:20]
        await stage.answer(0)
        await end(stage, early)
        assert stage.sizes() == [MANY, MANY]
        await stage.answer(1)
        await stage.answer(2)
        assert stage.sizes() == [MANY, MANY, MANY, 20]


async def test_a_look_waits_for_the_answers_to_all_that_are_out() -> None:
    async with gate(1000, lines()) as stage:
        asked = len(stage.rows.asked)
        stage.rows.wait_in(99, [9999])
        stage.tidings.add_runs([9999])
        await stage.hear()
        await stage.answer(0)
        assert stage.rows.asked[asked:] == []  # The second is out by now.
        await stage.answer(1)
        assert stage.rows.asked[asked:] == ["news"]
        await stage.answer(2)
        await stage.answer(3)
        assert 9999 in stage.rows.sent[3].runs


async def test_an_end_that_is_heard_before_the_answer_frees_its_permit_with_it() -> None:
    async with gate(MANY, lines()) as stage:
        first = stage.rows.sent[0].runs
        stage.tidings.add_ended({first[0]: 1001, first[1]: 7})  # The second of them ended under a lease before this one.
        await stage.hear()
        assert stage.sizes() == [MANY]
        stage.rows.number += 1  # The row of the first is gone by the time of the next admission, but these rows do not know it.
        await stage.answer(0)
        assert stage.sizes() == [MANY, 1]


async def test_what_was_refused_is_seen_to_before_the_next_is_decided() -> None:
    async with gate(2 * MANY, lines(100)) as stage:
        refused = stage.rows.sent[0].runs[:5]
        await stage.answer(0, refused=refused)
        assert stage.sizes() == [MANY, MANY]
        assert "left" not in stage.rows.asked
        stage.rows.refreshed = anyio.Event()
        await stage.answer(1)
        assert stage.sizes() == [MANY, MANY, 5]
        await stage.answer(2)
        await stage.rows.refreshed.wait()  # Their lines are looked at again.
        await end(stage, stage.rows.sent[1].runs[:50])
        assert set(refused) <= set(stage.rows.sent[3].runs)


async def test_a_change_of_room_is_heard_while_an_admission_is_out() -> None:
    async with gate(1000, lines(), room=MANY) as stage:
        assert stage.sizes() == [MANY]
        stage.has_room(MANY + 30)
        await stage.hear()
        await end(stage, [])
        await stage.answer(0)
        assert stage.sizes() == [MANY, 30]


async def test_a_node_whose_tasks_changed_counts_what_was_out() -> None:
    async with gate(1000, lines(), room=MANY) as stage:
        stage.has_room(MANY + 10, tasks=(TASK, TASK + 1))
        await stage.hear()
        await stage.answer(0)
        assert stage.sizes() == [MANY, 10]


async def test_a_new_node_is_admitted_to_once_the_answers_are_there() -> None:
    async with gate(1000, lines(), room=MANY) as stage:
        stage.has_room(40, node=OTHER)
        await stage.hear()
        await stage.answer(0)
        assert set(stage.rows.sent[1].nodes) == {OTHER}
        assert stage.sizes() == [MANY, 40]


async def test_what_was_admitted_before_the_seat_was_lost_is_told_to_the_node() -> None:
    async with gate(1000, lines()) as stage:
        first = stage.rows.sent[0].runs
        stage.rows.is_up = False  # So the second fails at once, and its failure is there with the answer to the first.
        await stage.answer(0)
        assert {run.id for run in stage.node.told} >= set(first)
        assert stage.rows.tenures == 2


async def test_the_next_tenure_knows_from_the_rows_what_the_last_one_did_not_hear() -> None:
    async with gate(MANY + 20, lines()) as stage:
        await stage.answer(0, is_lost=True)
        assert stage.rows.tenures == 2
        assert stage.sizes() == [MANY, MANY]  # What stood behind the lost one was not sent.
        await stage.answer(1)
        await stage.answer(2)
        assert stage.sizes() == [MANY, MANY, 20]
        assert len(stage.rows.held_by) == MANY + 20


async def test_a_node_that_leaves_hears_of_all_that_is_out_before_the_seat_is_given_up() -> None:
    async with gate(1000, lines()) as stage:
        stage.node.is_leaving = True
        await stage.hear()
        assert stage.rows.is_up
        await stage.answer(0)
        assert stage.rows.is_up
        await stage.answer(1)
        assert stage.has_ended
        assert not stage.rows.is_up
        assert len(stage.node.told) == 2 * MANY == len(stage.rows.held_by)


async def test_a_node_that_has_lost_its_lease_ends_its_tenure_with_the_answers() -> None:
    async with gate(1000, lines()) as stage:
        stage.node.who = None
        await stage.hear()
        await stage.answer(0)
        await stage.answer(1)
        assert len(stage.node.told) == 2 * MANY
        assert stage.rows.tenures == 1
        assert not stage.rows.is_up
        assert not stage.node.is_open


async def test_an_answer_after_the_connection_was_lost_is_told_and_nothing_more_is_sent() -> None:
    async with gate(1000, lines()) as stage:
        stage.rows.is_up = False
        await stage.hear()
        await stage.answer(0)
        assert {run.id for run in stage.node.told} >= set(stage.rows.sent[0].runs)
        assert all(run.node == NODE for run in stage.node.told)
        assert stage.rows.tenures == 2
        assert not set(stage.rows.sent[0].runs) & set(stage.rows.sent[1].runs)


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_is_lost_refused_or_ended_meanwhile_no_limit_is_exceeded_and_nobody_is_forgotten(seed: int) -> None:
    random = Random(seed)
    with anyio.fail_after(20):
        async with gate(150, lines(30)) as stage:
            for step in range(120):
                _disturb(stage, random, step)
                await _steps(random.choice((1, 3, 40)))
            await _see_all_through(stage)


async def _see_all_through(stage: Stage) -> None:
    """Nothing is in the way any more: whoever waits is admitted, and ends."""
    rows = stage.rows
    rows.answers_at_once = True
    stage.node.who = Standing(NODE, 1e9, 0.0)
    _answer_all(rows)
    while rows.held_by or any(rows.waiting.values()):
        stage.has_room(500)
        stage.tidings.add_ended({run: rows.end(run) for run in [*rows.held_by]})
        stage.wake()
        await _steps(40)


def _disturb(stage: Stage, random: Random, step: int) -> None:
    """One thing happens. What rows hold and what was heard go apart for a while."""
    rows, tidings = stage.rows, stage.tidings
    held = random.sample([*rows.held_by], min(len(rows.held_by), random.randint(1, 60)))
    match random.choice(("answer", "answer", "answer", "refuse", "lose", "end", "end", "doubt", "space", "news", "drop", "lease")):
        case "answer":
            _answer_all(rows)
        case "refuse":
            for sent in rows.sent[-1:]:
                if sent.is_out:
                    sent.answer(refused=random.sample(sent.runs, min(5, len(sent.runs))))
        case "lose":
            for sent in rows.sent[-1:]:
                if sent.is_out and random.random() < 0.3:
                    sent.answer(is_lost=True, took_effect=random.random() < 0.5)
        case "end":
            tidings.add_ended({run: rows.end(run) for run in held})
        case "doubt":
            tidings.add_doubtful([(run, rows.end(run) if random.random() < 0.5 else rows.held_by[run][0]) for run in held])
        case "space":
            stage.has_room(random.choice((0, 50, 200)), random.choice((NODE, OTHER)), random.choice(((TASK,), (TASK, TASK + 1))))
        case "news":
            rows.wait_in(1000 + step, [100_000 + step])
            tidings.add_runs([100_000 + step])
        case "drop":
            rows.is_up = rows.is_up and random.random() < 0.5
        case _:
            stage.node.who = None if random.random() < 0.3 else Standing(NODE, 1e9, 0.0)
    stage.wake()


def _answer_all(rows: Rows) -> None:
    for sent in rows.sent:
        if sent.is_out:
            sent.answer()


async def _steps(count: int) -> None:
    for _ in range(count):
        await anyio.lowlevel.checkpoint()


async def end(stage: Stage, runs: list[int]) -> None:
    """These end, as the gate's own node has seen."""
    stage.tidings.add_ended({run: stage.rows.end(run) for run in runs})
    await stage.hear()
