"""Who waits for a better place, and until when."""

from howdah.core.patience import Patience

EU, US = (1, 1, "eu"), (1, 1, "us")


def test_so_many_are_due_as_have_waited_for_long_enough() -> None:
    patience = Patience()
    patience.tell(7, EU, [(1, 10.0), (2, 12.0)])
    patience.tell(8, EU, [(3, 10.5)])
    patience.tell(9, US, [(4, 30.0)])
    assert patience.due(9.9) == {}
    assert patience.next_at() == 10.0
    assert patience.due(10.5) == {EU: 2}
    assert patience.next_at() == 12.0
    assert patience.due(100.0) == {EU: 3, US: 1}
    assert patience.next_at() is None


def test_who_went_is_due_no_more() -> None:
    patience = Patience()
    patience.tell(7, EU, [(1, 10.0), (2, 10.0)])
    assert patience.due(10.0) == {EU: 2}
    patience.went(7, 1)
    patience.went(7, 1)
    patience.went(99, 5)
    assert patience.due(10.0) == {EU: 1}
    patience.went(7, 2)
    assert patience.due(10.0) == {}


def test_what_is_told_of_a_line_replaces_what_was_known_of_it() -> None:
    patience = Patience()
    patience.tell(7, EU, [(1, 10.0), (2, 10.0), (3, 20.0)])
    assert patience.due(10.0) == {EU: 2}
    patience.tell(7, EU, [(2, 10.0), (3, 25.0), (4, 11.0)])
    assert patience.due(10.0) == {EU: 1}, "the first one is gone, and the second has waited still"
    assert patience.due(11.0) == {EU: 2}
    assert patience.next_at() == 25.0, "a run that went back waits anew"
    patience.tell(7, EU, [])
    assert patience.due(100.0) == {}
    assert patience.next_at() is None


def test_news_stand_beside_what_is_known() -> None:
    patience = Patience()
    patience.add(7, EU, [(1, 10.0)])
    patience.add(7, EU, [(2, 11.0), (1, 10.0)])
    assert patience.due(11.0) == {EU: 2}


def test_lines_that_prefer_nothing_leave_nothing_behind() -> None:
    patience = Patience()
    for line in range(100):
        patience.tell(line, EU, [])
        patience.add(line, EU, [])
        patience.went(line, 1)
    assert len(patience) == 0
    patience.add(7, EU, [(1, 10.0)])
    patience.went(7, 1)
    assert len(patience) == 0
