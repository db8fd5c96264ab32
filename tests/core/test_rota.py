"""The turns of queues with weights: shares hold to within a serving, whoever comes and goes, and nobody starves."""

from collections import Counter

from howdah.core.rota import FAINTEST, Rota, Turn
from hypothesis import given
from hypothesis import strategies as st

QUEUES = (1, 2, 3, 4)

weights = st.dictionaries(st.sampled_from(QUEUES), st.integers(1, 100) | st.floats(0.01, 100), min_size=2)
rooms = st.lists(st.integers(1, 300), min_size=1, max_size=200)


def serve(turns: Rota, waiting: set[int], room: int, given: int | None = None) -> tuple[int, int]:
    turn = turns.next(waiting)
    assert turn is not None
    size = min(turn.of(room), room if given is None else given)
    turns.served(turn.queue, size)
    return turn.queue, size


@given(weights, rooms)
def test_while_all_wait_their_shares_differ_by_one_serving(weights: dict[int, float], rooms: list[int]) -> None:
    turns, served, largest = Rota(weights), Counter[int](), Counter[int]()
    for room in rooms:
        queue, size = serve(turns, set(weights), room)
        served[queue] += size
        largest[queue] = max(largest[queue], size)
        for one, heavy in weights.items():
            for other, light in weights.items():
                ahead = served[one] / heavy - served[other] / light
                assert ahead <= (largest[one] / heavy) * (1 + 1e-6)


@given(weights, st.data())
def test_a_queue_that_waits_is_served_however_the_others_come_and_go(weights: dict[int, float], data: st.DataObject) -> None:
    """Before it is its turn each other one gets no more than its share of the same time, and the serving under way."""
    turns = Rota(weights)
    patient, *others = sorted(weights)
    passed, largest = Counter[int](), 1
    for _ in range(data.draw(st.integers(1, 100))):
        waiting = {patient, *data.draw(st.sets(st.sampled_from(others)))}
        queue, size = serve(turns, waiting, data.draw(st.integers(1, 300)), data.draw(st.integers(1, 300)))
        if queue == patient:
            passed.clear()
            largest = max(largest, size)
            continue
        passed[queue] += size
        assert passed[queue] <= (largest * weights[queue] / weights[patient] + 300) * (1 + 1e-6)


@given(weights, st.integers(1, 10_000), st.integers(1, 300))
def test_what_an_idle_queue_leaves_goes_to_the_others_and_it_saves_nothing_up(weights: dict[int, float], alone: int, room: int) -> None:
    turns = Rota(weights)
    busy, late = sorted(weights)[:2]
    for _ in range(20):
        assert turns.next({busy}) == Turn(busy, 1.0)
        turns.served(busy, alone)
    # From here on it is as with two queues that begin, of which the busy one was served first.
    got = Counter[int]()
    for _ in range(50):
        queue, size = serve(turns, {busy, late}, room)
        got[queue] += size
    first = (alone + 300) / weights[busy]
    assert got[late] / weights[late] <= first + got[busy] / weights[busy] + 300 / weights[late]


def test_one_run_at_a_time_three_start_for_each_one() -> None:
    turns = Rota({1: 3, 2: 1})
    order = [serve(turns, {1, 2}, 1)[0] for _ in range(400)]
    assert Counter(order) == {1: 300, 2: 100}
    assert all(2 in order[start : start + 5] for start in range(395))


def test_a_room_is_shared_out_and_not_given_to_one_queue_after_the_other() -> None:
    turns = Rota({1: 10, 2: 1})
    assert [serve(turns, {1, 2}, 110), serve(turns, {1, 2}, 10)] == [(1, 100), (2, 1)]


def test_the_same_is_said_until_something_is_served() -> None:
    turns = Rota({1: 1, 2: 1})
    assert turns.next({1, 2}) == turns.next({1, 2}) == Turn(1, 0.5)
    turns.served(1, 1)
    assert turns.next({1, 2}) == turns.next({1, 2}) == Turn(2, 0.5)


def test_nobody_waits() -> None:
    assert Rota({1: 1}).next(set()) is None
    assert Rota({}).next(set()) is None


def test_weights_beyond_measure_still_take_turns() -> None:
    turns = Rota({1: 1e308, 2: 5e-324})
    assert [serve(turns, {1, 2}, 1)[0] for _ in range(3)] == [1, 2, 1]
    assert FAINTEST > 0


def test_a_part_is_at_least_one_run_and_at_most_the_room() -> None:
    assert [Turn(1, part).of(room) for part, room in ((0.0001, 5), (0.5, 5), (1.0, 5), (1.0, 1))] == [1, 3, 5, 1]
