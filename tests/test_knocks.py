"""What is said to the gate in notifications, as it is sent, and as nobody should send it."""

import pytest
from howdah import knocks
from howdah.core.tidings import Heard, Space, Tidings


def heard(payload: str) -> tuple[bool, Heard]:
    """Whether it wakes the gate, and what it then hears."""
    tidings = Tidings()
    return knocks.hear(payload, tidings), tidings.take()


def test_what_functions_and_nodes_say_is_understood() -> None:
    assert heard("new 3 9")[1].ranges == [(3, 9)]
    assert heard("runs 3 9")[1].runs == {3, 9}
    assert heard("ended 3 1,9 2")[1].doubtful == {3: 1, 9: 2}
    assert heard("terms")[1].terms
    assert heard("look")[1].everything
    assert heard(r'closed ["crm", "a \"b\" ü"]')[1].closed == {("crm", 'a "b" ü')}
    space = Space(7, 1, 30, [2, 3], None)
    assert heard(knocks.space(space))[1].spaces == {(7, 1): space}


@pytest.mark.parametrize(
    "payload",
    [
        *("", " ", "new", "new 1", "new 1 2 3", "ended 1", "space 1 2", "runs x", "nobody 1"),
        *("closed", "closed crm", 'closed ["crm"]', 'closed ["crm", 1]', 'closed ["crm", "a", "b"]', "closed {}", 'closed ["crm", "a'),
    ],
)
def test_nonsense_wakes_nobody(payload: str) -> None:
    woken, told = heard(payload)
    assert not woken
    assert not told


def test_what_is_said_twice_wakes_once() -> None:
    tidings = Tidings()
    assert [knocks.hear('closed ["crm", "a"]', tidings) for _ in range(2)] == [True, False]
