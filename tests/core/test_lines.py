"""Lines against a plain model: a database of queued runs, notifications that get lost, rows that others lock."""

from howdah.core.lines import Hints, Key, Line, Lines, is_paused
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

BUSY_S = 1.0
IDLE_S = 10.0
LINES: list[Line] = [(queue, task) for queue in (1, 2) for task in (1, 2, 3)]
TASKS = frozenset({1, 2, 3})


def made() -> Lines:
    return Lines(second_look_s=0.02, busy_look_s=BUSY_S, idle_look_s=IDLE_S, look_share=0.05)


class Dispatcher(RuleBasedStateMachine):
    """Does what the dispatcher does, with the clock in hand. Each run must be claimed while the node stays awake."""

    @initialize()
    def begin(self) -> None:
        self.now = 100.0
        self.number = 0
        self.lines, self.hints = made(), Hints()
        self.queued: dict[Line, dict[Key, float]] = {line: {} for line in LINES}
        self.locked: set[Line] = set()
        self.busy_since: float | None = None

    def _look(self) -> None:
        self.lines.found([(line, min(keys)) for line, keys in self.queued.items() if keys], self.now, 0.0)

    def _claim(self, room: int) -> bool:
        asked = self.lines.choose(TASKS)
        if not asked:
            return False
        ready = {line: sorted(key for key in self.queued[line] if key > after) for line, after in asked if line not in self.locked}
        best = min((keys[0][0] for keys in ready.values() if keys), default=0)
        served = [line for line, keys in ready.items() if keys and keys[0][0] == best][:room]
        got = {}
        for line in served:
            keys = ready[line][: max(1, room // len(served))]
            for key in keys:
                del self.queued[line][key]
            got[line] = (len(keys), keys[-1])
        self.lines.claimed(asked, room, got, self.now)
        return bool(got)

    def _step(self, room: int) -> bool:
        self.hints.take_into(self.lines)
        if self.lines.next_look_at() <= self.now:
            self._look()
        return self._claim(room)

    @rule(line=st.sampled_from(LINES), priority=st.integers(-1, 1), heard=st.booleans(), count=st.integers(1, 9))
    def enqueue(self, line: Line, priority: int, heard: bool, count: int) -> None:
        for _ in range(count):
            self.number += 1
            self.queued[line][priority, self.number] = self.now
        if heard:
            self.hints.add(line, (priority, self.number - count + 1))

    @rule(line=st.sampled_from(LINES), number=st.integers(1, 5))
    def a_late_commit_lies_behind_the_watermark(self, line: Line, number: int) -> None:
        self.queued[line][-2, -number] = self.now

    @rule(line=st.sampled_from(LINES))
    def somebody_locks(self, line: Line) -> None:
        self.locked.add(line)

    @rule()
    def everybody_unlocks(self) -> None:
        self.locked.clear()
        for keys in self.queued.values():
            keys.update(dict.fromkeys(keys, self.now))

    @rule(room=st.integers(1, 20))
    def work(self, room: int) -> None:
        self._step(room)

    @rule()
    def a_lost_connection_comes_back(self) -> None:
        self.hints.add_all()

    @rule(room=st.integers(1, 20))
    def a_second_passes_at_work(self, room: int) -> None:
        """While claims succeed, the node is busy: whatever waited before is looked at within the busy look."""
        if not self._step(room):
            return
        waiting = {(line, key) for line, keys in self.queued.items() for key in keys if line not in self.locked}
        end = self.now + BUSY_S
        while self.now < end:
            self.now = min(end, max(self.now + 0.001, self.lines.next_look_at()))
            for _ in range(200):
                if not self._step(room):
                    break
        left = {(line, key) for line, keys in self.queued.items() for key in keys}
        assert not waiting & left, "a line that has work was forgotten for longer than the busy look"

    @invariant()
    def the_next_look_is_never_further_away_than_the_idle_look(self) -> None:
        assert self.lines.next_look_at() <= self.now + IDLE_S

    @invariant()
    def a_choice_names_each_line_once(self) -> None:
        chosen = [line for line, _ in self.lines.choose(TASKS)]
        assert len(chosen) == len(set(chosen))


TestDispatcher = Dispatcher.TestCase
TestDispatcher.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


def test_a_node_that_finds_work_looks_at_everything_within_the_busy_look() -> None:
    """It found nothing at its last look and slept: a line whose notification was lost must not wait for the idle look."""
    lines = made()
    lines.found([], 0.0, 0.0)
    assert lines.next_look_at() == IDLE_S
    lines.hint((1, 1), (0, 5))
    asked = lines.choose(TASKS)
    lines.claimed(asked, 1, {(1, 1): (1, (0, 5))}, 2.0)
    assert lines.next_look_at() <= 2.0 + BUSY_S


def test_a_short_answer_is_looked_at_again_soon() -> None:
    lines = made()
    lines.found([((1, 1), (0, 5))], 0.0, 0.0)
    lines.claimed(lines.choose(TASKS), 10, {(1, 1): (1, (0, 5))}, 0.0)
    assert lines.next_look_at() <= 0.02
    assert lines.choose(TASKS) == []


def test_a_line_that_stays_locked_is_looked_at_less_and_less_but_within_the_busy_look() -> None:
    lines, now, waits = made(), 0.0, []
    for _ in range(12):
        lines.found([((1, 1), (0, 5))], now, 0.0)
        lines.claimed(lines.choose(TASKS), 10, {}, now)
        waits.append(lines.next_look_at() - now)
        now = lines.next_look_at()
    assert [round(wait_s, 6) for wait_s in waits] == sorted(round(wait_s, 6) for wait_s in waits)
    assert waits[0] <= 0.021
    assert waits[-1] <= BUSY_S + 1e-6


def test_a_costly_look_takes_only_its_share_of_the_time() -> None:
    lines = made()
    lines.found([((1, 1), (0, 5))], 0.0, 1.0)
    assert lines.next_look_at() == 20.0


def test_a_hint_lowers_a_watermark_and_never_raises_it() -> None:
    lines = made()
    lines.found([((1, 1), (0, 5))], 0.0, 0.0)
    lines.hint((1, 1), (0, 9))
    assert lines.choose(TASKS) == [((1, 1), (0, 4))]
    lines.hint((1, 1), (-1, 9))
    assert lines.choose(TASKS) == [((1, 1), (-1, 8))]


def test_lines_take_turns() -> None:
    lines = made()
    lines.found([((1, task), (0, 1)) for task in (1, 2, 3)], 0.0, 0.0)
    assert {lines.choose(TASKS)[0][0] for _ in range(3)} == {(1, 1), (1, 2), (1, 3)}
    assert lines.choose(frozenset({2})) == [((1, 2), (0, 0))]


def test_a_queue_is_chosen_for_itself() -> None:
    lines = made()
    lines.found([((1, 1), (0, 1)), ((2, 1), (0, 2)), ((2, 2), (0, 3))], 0.0, 0.0)
    assert lines.queues(TASKS) == {1, 2}
    assert lines.queues(frozenset({2})) == {2}
    assert sorted(lines.choose(TASKS, 2)) == [((2, 1), (0, 1)), ((2, 2), (0, 2))]
    assert lines.choose(frozenset({2}), 1) == []


def test_hints_wake_the_reader_once_and_keep_the_lowest_key() -> None:
    hints, lines = Hints(), made()
    lines.found([], 0.0, 0.0)
    assert hints.add((1, 1), (0, 7)) is True
    assert hints.add((1, 1), (0, 3)) is False
    assert hints.add_all() is False
    hints.take_into(lines)
    assert lines.choose(TASKS) == [((1, 1), (0, 2))]
    assert lines.next_look_at() == 0.0
    assert hints.add_all() is True


def test_pauses_are_handed_over_once_beside_the_look_that_goes_with_them() -> None:
    hints, lines = Hints(), made()
    lines.found([], 0.0, 0.0)
    hints.add_pause(None)
    hints.add_pause((7, None))
    assert hints.add_all() is True
    hints.add_pause((None, 3))
    assert hints.take_into(lines) == {(7, None), (None, 3)}
    assert lines.next_look_at() == 0.0
    assert hints.take_into(lines) == set()


def test_a_line_is_paused_with_its_queue_or_with_its_task() -> None:
    assert is_paused((7, 3), {(7, None)})
    assert is_paused((7, 3), {(None, 3)})
    assert not is_paused((7, 3), {(None, 7), (3, None)})
    assert not is_paused((7, 3), set())
