"""What the gate hears is merged, and the reader is woken once for it."""

from howdah.core.tidings import MOST, Space, Tidings


def test_only_the_first_word_after_a_look_wakes_the_gate() -> None:
    tidings = Tidings()
    assert tidings.add_runs([1])
    assert not tidings.add_terms()
    assert not tidings.add_ended({1: 2})
    heard = tidings.take()
    assert (heard.runs, heard.terms, heard.ended) == ({1}, True, {1: 2})
    assert not tidings.take()
    assert tidings.add_range(1, 2)


def test_ranges_that_adjoin_are_one() -> None:
    tidings = Tidings()
    tidings.add_range(1, 10)
    tidings.add_range(11, 20)
    tidings.add_range(500, 501)
    assert tidings.take().ranges == [(1, 20), (500, 501)]


def test_of_a_nodes_room_the_last_word_counts() -> None:
    tidings = Tidings()
    tidings.add_space(Space(1, 0, 5, [7], None))
    tidings.add_space(Space(1, 0, 6, [7], None))
    tidings.add_space(Space(1, 1, 2, [8], None))
    assert sorted(space.capacity for space in tidings.take().spaces.values()) == [2, 6]


def test_where_too_much_is_said_everything_is_looked_at() -> None:
    tidings = Tidings()
    tidings.add_runs(range(MOST + 1))
    heard = tidings.take()
    assert heard.everything
    assert heard.runs == set()
    tidings.add_doubtful((run, 1) for run in range(MOST + 5))
    tidings.add_doubtful([(-1, 1)])
    assert -1 not in tidings.take().doubtful
