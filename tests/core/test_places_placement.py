"""Where admitted runs go: by the room that nodes have, by what placements allow, and by how well a node fits."""

from howdah.core.places import Places
from howdah.core.tidings import Space

OWN, EU, US = 1, 2, 3
TASK = 5
ANY = (1, TASK)


def places(**capacities: int) -> Places:
    """Nodes with so much room, in one admission that takes whatever it is given."""
    made = Places(OWN, batch_max=1000)
    for node, name in ((OWN, "own"), (EU, "eu"), (US, "us")):
        if name in capacities:
            made.tell(Space(node, 0, capacities[name], [TASK], None), [])
    made.begin(0.0)
    return made


def taken(made: Places, kind: tuple[int, int] | tuple[int, int, str], most: int = 100) -> list[int]:
    """The nodes that runs of this kind go to, as long as there is a place."""
    found: list[int] = []
    while len(found) < most and made.has(kind):
        found.append(made.take(kind))
    return found


def placed(placement: str, queue: int = 1) -> tuple[int, int, str]:
    return (queue, TASK, placement)


def test_a_placement_of_which_nothing_is_known_goes_nowhere() -> None:
    made = places(eu=2)
    assert not made.knows("gpu")
    assert not made.has(placed("gpu"))
    made.allow("gpu", {EU: 0.0})
    assert made.knows("gpu")
    assert taken(made, placed("gpu")) == [EU, EU]


def test_runs_go_where_their_placement_allows_and_nowhere_else() -> None:
    made = places(own=5, eu=2, us=2)
    made.allow("gpu", {EU: 0.0, US: 0.0, 99: 0.0})
    assert sorted(taken(made, placed("gpu"))) == [EU, EU, US, US]
    assert taken(made, ANY) == [OWN] * 5, "what may go anywhere takes the rest"


def test_among_equals_the_node_with_most_room_goes_first_and_then_the_own_one() -> None:
    made = places(own=1, eu=3, us=1)
    made.allow("gpu", {OWN: 0.0, EU: 0.0, US: 0.0})
    assert taken(made, placed("gpu")) == [EU, EU, OWN, EU, US]


def test_the_best_node_is_taken_and_nobody_else_while_it_is_full() -> None:
    made = places(own=5, eu=2, us=5)
    made.allow("zone", {OWN: 0.0, EU: 10.0, US: 5.0})
    assert taken(made, placed("zone")) == [EU, EU]
    made.free(EU, TASK)
    assert taken(made, placed("zone")) == [EU]


def test_so_many_as_have_waited_for_long_enough_take_the_best_that_has_room() -> None:
    made = places(own=5, eu=1, us=1)
    made.allow("zone", {OWN: 0.0, EU: 10.0, US: 5.0})
    kind = placed("zone")
    made.patience.tell(7, kind, [(1, 10.0), (2, 10.0), (3, 20.0)])
    made.begin(10.0)
    assert taken(made, kind) == [EU, US, OWN], "the first found the best node, the two others had waited"
    made.begin(19.0)
    for run in (1, 2, 3):
        made.patience.went(7, run)
    assert made.patience.due(19.0) == {}


def test_a_run_that_waits_for_the_best_node_does_not_wait_for_one_that_may_not_have_it() -> None:
    made = places(own=5, us=5)
    made.allow("zone", {OWN: 0.0, US: 5.0, EU: 10.0})
    assert taken(made, placed("zone"), most=2) == [US, US], "the best node has no such tasks, or is not there"


def test_other_labels_are_another_answer() -> None:
    made = places(eu=1, us=1)
    made.allow("gpu", {EU: 0.0})
    assert taken(made, placed("gpu")) == [EU]
    made.allow("gpu", {US: 0.0})
    assert taken(made, placed("gpu")) == [US]
    made.keep(set())
    assert not made.knows("gpu")
    assert made.placements() == []


def test_what_a_node_does_not_serve_does_not_go_there_whatever_its_labels() -> None:
    made = Places(OWN, batch_max=10)
    made.tell(Space(EU, 0, 5, [TASK], [2]), [])
    made.tell(Space(US, 0, 5, [TASK + 1], None), [])
    made.allow("gpu", {EU: 0.0, US: 0.0})
    made.begin(0.0)
    assert not made.has(placed("gpu", queue=1))
    assert made.has(placed("gpu", queue=2))


def test_an_admission_takes_no_more_than_a_batch() -> None:
    made = Places(OWN, batch_max=2)
    made.tell(Space(EU, 0, 5, [TASK], None), [])
    made.allow("gpu", {EU: 0.0})
    made.begin(0.0)
    assert taken(made, placed("gpu")) == [EU, EU]
    made.begin(0.0)
    assert taken(made, placed("gpu")) == [EU, EU]


def test_a_run_aims_at_the_best_node_and_there_at_the_one_that_holds_least() -> None:
    made = places(own=1, eu=1, us=1)
    made.allow("zone", {OWN: 0.0, EU: 10.0, US: 10.0})
    assert made.aim(placed("zone")) == EU
    assert taken(made, placed("zone"), most=1) == [EU]
    assert made.aim(placed("zone")) == US
    assert made.aim(ANY) == OWN
    assert made.aim(placed("unknown")) is None
    assert made.aim((1, TASK + 1)) is None
