"""What tasks and calls may say of nodes, and how it is stored."""

from datetime import timedelta
from typing import Any

import pytest
from howdah import App, ConfigurationError
from howdah.placement import above, at_least, at_most, below, not_equal, stated, weight


def test_plain_values_comparisons_and_weights_are_stored_as_postgres_reads_them() -> None:
    said = stated(
        "x",
        requires={"gpu": True, "os": "linux", "mem_gb": at_least(16), "a": at_most(1), "b": above(2), "c": below(3.5), "d": not_equal("x")},
        prefers={"zone": [weight("eu", 10), "us"], "mem_gb": weight(at_least(64), 0.5), "ssd": True},
        prefer_for=timedelta(minutes=1),
        sticky="hard",
    )
    assert said == {
        "requires": {
            "gpu": True,
            "os": "linux",
            "mem_gb": {"at_least": 16},
            "a": {"at_most": 1},
            "b": {"above": 2},
            "c": {"below": 3.5},
            "d": {"not_equal": "x"},
        },
        "prefers": {"zone": [{"equal": "eu", "weight": 10}, "us"], "mem_gb": {"at_least": 64, "weight": 0.5}, "ssd": True},
        "prefer_for": 60.0,
        "sticky": "hard",
    }
    assert stated("x") == {}
    assert stated("x", requires={}, prefer_for=0) == {"requires": {}, "prefer_for": 0.0}, "what is said goes before what the task says"


def test_a_definition_states_its_placement_in_the_catalogue_and_another_one_is_another_definition() -> None:
    jobs = App()

    @jobs.task(requires={"gpu": True}, sticky="soft", prefer_for="2s")
    async def one() -> None: ...

    @jobs.task(name="one2", slots=3)
    async def other() -> None: ...

    assert one.definition.catalogue()["defaults"]["placement"] == {"requires": {"gpu": True}, "sticky": "soft", "prefer_for": 2.0}
    assert "placement" not in other.definition.catalogue()["defaults"]
    assert (one.definition.slots, other.definition.slots) == (1, 3)


@pytest.mark.parametrize(
    ("words", "mentions"),
    [
        ({"requires": ["gpu"]}, "requires=['gpu'] of x is no mapping: pass labels and values, as in requires={'zone': 'eu'}"),
        ({"prefers": "zone"}, "prefers='zone' of x is no mapping"),
        ({"requires": {str(n): n for n in range(65)}}, "requires= of x names 65 labels, and at most 64 are compared"),
        ({"requires": {7: 1}}, "requires= of x has a label '7': its name is text"),
        ({"requires": {"": 1}}, "its name is text of 1 to 200 characters"),
        ({"requires": {"gpu": None}}, "requires= of x says gpu='None': a label is a text of at most 200 characters, a number or a bool"),
        ({"requires": {"gpu": ["a"]}}, "a label is a text"),
        ({"requires": {"gpu": float("nan")}}, "a label is a text"),
        ({"requires": {"gpu": "x" * 201}}, "a label is a text"),
        ({"requires": {"gpu": lambda: True}}, "gives label 'gpu' a function, and Postgres decides: pass a value or a comparison"),
        ({"requires": {"gpu": at_least}}, "gives label 'gpu' a function"),
        ({"requires": {"gpu": weight(True, 1)}}, "gives label 'gpu' a weight, and what is required has none: use weight() in prefers="),
        ({"requires": {"mem": at_least("16")}}, "requires= of x says at_least('16') of label 'mem', which compares numbers"),  # type: ignore[arg-type]
        ({"requires": {"mem": below(True)}}, "says below(True) of label 'mem', which compares numbers"),
        ({"prefers": {"zone": weight("eu", 0)}}, "gives label 'zone' the weight 0: a weight is a number above 0, at most 1,000,000"),
        ({"prefers": {"zone": weight("eu", 1e7)}}, "the weight 10000000.0"),
        ({"prefers": {"zone": []}}, "prefers= of x lists 0 values for label 'zone': one to 64 of them"),
        ({"prefers": {"zone": weight(weight("eu", 1), 1)}}, "a label is a text"),  # type: ignore[arg-type]
        ({"prefer_for": "soon"}, "prefer_for= of x takes a duration"),
        ({"prefer_for": -1}, "prefer_for= of x takes a duration"),
        ({"prefer_for": "25h"}, "prefer_for='25h' of x is more than a day: what is worth such a wait is required"),
        ({"sticky": "firm"}, "sticky='firm' is not one of 'soft', 'hard'"),
    ],
)
def test_what_makes_no_sense_is_refused(words: dict[str, Any], mentions: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        stated("x", **words)
    assert mentions in str(refusal.value)


@pytest.mark.parametrize(
    ("words", "mentions"),
    [
        ({"prefer_for": "5s"}, "says how long to wait for a better node, and nothing is preferred"),
        ({"prefer_for": "5s", "sticky": "hard"}, "nothing is preferred"),
        ({"slots": 0}, "must be a whole number, at least 1"),
        ({"slots": True}, "must be a whole number, at least 1"),
        ({"slots": 1.5}, "must be a whole number, at least 1"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(words: dict[str, Any], mentions: str) -> None:
    async def ping() -> None: ...

    with pytest.raises(ConfigurationError, match="task 'ping'") as refusal:
        App().task(**words)(ping)
    assert mentions in str(refusal.value)
