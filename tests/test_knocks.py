"""What is said to the gate: it reads what nodes and SQL say, and passes over what makes no sense."""

import pytest
from howdah import knocks
from howdah.core.tidings import Space, Tidings


def test_the_gate_reads_what_a_node_says_of_its_room() -> None:
    for queues in (None, [], [3, 4]):
        said = Space(77, 2, 64, [5, 6], queues)
        tidings = Tidings()
        assert knocks.hear(knocks.space(said), tidings)
        assert tidings.take().spaces == {(77, 2): said}


def test_ends_of_others_are_hearsay_and_fit_into_notifications() -> None:
    pairs = [(run, 10**15 + run) for run in range(10**15, 10**15 + 1000)]
    said = knocks.ended(pairs)
    assert all(len(one) < 8000 for one in said)
    tidings = Tidings()
    for one in said:
        knocks.hear(one, tidings)
    heard = tidings.take()
    assert heard.doubtful == dict(pairs)
    assert not heard.ended


def test_news_of_runs_and_terms_are_read() -> None:
    tidings = Tidings()
    for said in ("new 5 9", "runs 1 2 3", "over 4", "terms", "look"):
        knocks.hear(said, tidings)
    heard = tidings.take()
    assert (heard.ranges, heard.runs, heard.over, heard.terms, heard.everything) == ([(5, 9)], {1, 2, 3}, {4}, True, True)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "new",
        "new 1",
        "new a b",
        "new 1 2 3",
        "runs x",
        "ended 1",
        "ended 1 2,3",
        "space 1 2",
        "space a b c d",
        "over -",
        "what 1",
        "runs 99999999999999999999",
    ],
)
def test_what_makes_no_sense_wakes_nobody(said: str) -> None:
    tidings = Tidings()
    assert not knocks.hear(said, tidings)
    assert not tidings.take()
