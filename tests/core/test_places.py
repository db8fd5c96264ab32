"""Where admitted runs go: the node with most room, its own among equals, and nowhere beyond what was said."""

from howdah.core.places import Places
from howdah.core.tidings import Space

OWN, OTHER = 1, 2
KIND = (1, 5)


def space(node: int, capacity: int, room: int = 0, tasks: tuple[int, ...] = (5,), queues: list[int] | None = None) -> Space:
    return Space(node, room, capacity, list(tasks), queues)


def places(*spaces: Space, batch_max: int = 100) -> Places:
    made = Places(OWN, batch_max)
    for one in spaces:
        made.tell(one, ())
    made.begin()
    return made


def test_runs_go_where_there_is_most_room_and_to_the_own_node_among_equals() -> None:
    there = places(space(OTHER, 3), space(OWN, 2))
    assert [there.take(KIND) for _ in range(5)] == [OTHER, OWN, OTHER, OWN, OTHER]
    assert not there.has(KIND)


def test_a_place_is_free_again_when_its_run_has_ended() -> None:
    there = places(space(OWN, 1))
    there.take(KIND)
    assert not there.has(KIND)
    there.free(OWN, 5)
    assert there.has(KIND)


def test_a_node_is_given_what_it_implements_of_the_queues_that_it_serves() -> None:
    there = places(space(OWN, 1, tasks=(6,)), space(OTHER, 1, queues=[2]))
    assert not there.has(KIND)
    assert there.has((2, 5))
    assert there.has((9, 6))


def test_one_admission_is_no_larger_than_a_batch() -> None:
    there = places(space(OWN, 10), batch_max=2)
    there.take(KIND)
    there.take(KIND)
    assert not there.has(KIND)
    there.begin()
    assert there.has(KIND)


def test_what_a_node_held_before_it_was_known_counts() -> None:
    there = Places(OWN, 100)
    there.tell(space(OTHER, 2), [(OTHER, 5), (OTHER, 6), (OWN, 5)])
    there.begin()
    there.take(KIND)
    assert not there.has(KIND)


def test_a_node_that_is_no_more_gets_nothing_until_it_speaks_again() -> None:
    there = places(space(OTHER, 2))
    there.forget(OTHER)
    assert not there.has(KIND)
    there.sweep()
    there.tell(space(OTHER, 2), ())
    assert there.has(KIND)


def test_less_room_than_is_held_gives_nothing_and_takes_nothing_away() -> None:
    there = places(space(OWN, 3))
    there.take(KIND)
    there.take(KIND)
    there.tell(space(OWN, 1), ())
    assert not there.has(KIND)
    there.free(OWN, 5)
    assert not there.has(KIND)
    there.free(OWN, 5)
    assert there.has(KIND)


def test_what_is_left_is_what_can_be_taken() -> None:
    there = places(space(OTHER, 3), space(OWN, 2), batch_max=4)
    for left in range(4, 0, -1):
        assert there.left(KIND) == left
        there.take(KIND)
    assert there.left(KIND) == 0
    there.begin()
    assert there.left(KIND) == 1
    there.tell(space(OTHER, 1), ())
    assert there.left(KIND) == 0, "a node that holds more than it has room for takes no place from another one's"
