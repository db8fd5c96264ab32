"""A row gives whoever goes first, whatever came and left, and keeps no more than stand in it."""

from howdah.core.crowd import SLACK, Row, Waiting, head, priority_of, run_of
from hypothesis import given
from hypothesis import strategies as st


def waiter(rank: int) -> Waiting:
    one = Waiting(None, None)
    one.heads = (rank,)
    return one


@given(st.lists(st.one_of(st.integers(0, 10_000), st.sampled_from(["first", "any"])), max_size=400))
def test_the_lowest_of_those_that_stand_here_is_first(steps: list[int | str]) -> None:
    row, there = Row[Waiting](), dict[int, Waiting]()
    for entry, step in enumerate(steps, 1):
        if isinstance(step, int) and step not in there:
            there[step] = waiter(step)
            row.line_up(there[step], entry)
        elif step == "first" and there:
            there.pop(min(there)).step_out()
        elif step == "any" and there:
            there.pop(list(there)[entry % len(there)]).step_out()
        best = row.front()
        assert (None if best is None else best.rank) == min(there, default=None)
        assert row.live == len(there)


def test_many_that_leave_in_order_and_come_back_behind_the_others() -> None:
    row, entry = Row[Waiting](), 0
    lines = [waiter(number) for number in range(20 * SLACK)]
    for line in reversed(lines):
        row.line_up(line, entry := entry + 1)
    for number in range(100 * SLACK):
        line = row.front()
        assert line is not None
        assert line.rank == number
        line.step_out()
        line.heads = (number + len(lines),)
        row.line_up(line, entry := entry + 1)


def test_who_comes_late_and_goes_first_is_not_kept_waiting_by_those_that_were_sorted() -> None:
    row = Row[Waiting]()
    for number in range(10 * SLACK):
        row.line_up(waiter(1000 + number), number + 1)
    assert row.front() is not None
    row.line_up(urgent := waiter(5), 10_000)
    assert row.front() is urgent
    urgent.step_out()
    best = row.front()
    assert best is not None
    assert best.rank == 1000


def test_a_head_is_its_priority_and_its_run() -> None:
    for priority in (-32768, -1, 0, 7, 32767):
        for run in (1, 1 << 40, (1 << 63) - 1):
            one = head(priority, run)
            assert (priority_of(one), run_of(one)) == (priority, run)
    assert head(-1, 9) < head(0, 1) < head(0, 2) < head(1, 1)
