"""Labels: how they are written, what they may be, and how a node changes its own."""

from typing import Any

import pytest
from howdah import App, ConfigurationError, HowdahError, current_node
from howdah.config import configure
from howdah.labels import FarLabels, Labels, checked, read, written


def test_labels_are_read_as_people_write_them() -> None:
    assert read('zone=eu, mem_gb=32,gpu , ssd=false,rack="7",load=0.5,note=a=b,empty=', "x") == {
        "zone": "eu",
        "mem_gb": 32,
        "gpu": True,
        "ssd": False,
        "rack": "7",
        "load": 0.5,
        "note": "a=b",
        "empty": "",
    }
    assert read("", "x") == {}
    assert read("list=[1],nothing=null", "x") == {"list": "[1]", "nothing": "null"}


@pytest.mark.parametrize("value", ["eu", "7", 7, True, "true", 0.5, "", 'b,"c', " b ", "b\\"])
def test_a_written_label_reads_the_same(value: Any) -> None:
    assert read(f"{written('a', value)},b=1", "x") == {"a": value, "b": 1}


@pytest.mark.parametrize(
    ("labels", "mentions"),
    [
        ({str(n): n for n in range(65)}, "x has 65 labels: a node has at most 64"),
        ({"": 1}, "its name is text of 1 to 200 characters"),
        ({"a": None}, "x says a='None'"),
        ({"a": float("inf")}, "a label is a text of at most 200 characters, a number or a bool"),
        ({"a": "b\0"}, "a label is a text"),
        ({"a": 10**300}, "a label is a text"),
    ],
)
def test_what_is_no_label_is_refused(labels: Any, mentions: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        checked(labels, "x")
    assert mentions in str(refusal.value)


def test_labels_are_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert configure({"labels": {"zone": "eu", "n": "1"}}).labels == {"zone": "eu", "n": "1"}, "what is given in Python is as it is"
    monkeypatch.setenv("HOWDAH_LABELS", "zone=eu,n=1")
    assert configure({}).labels == {"zone": "eu", "n": 1}
    monkeypatch.setenv("HOWDAH_LABELS", "=1")
    with pytest.raises(ConfigurationError, match="HOWDAH_LABELS has a label ''"):
        configure({})
    monkeypatch.delenv("HOWDAH_LABELS")
    with pytest.raises(ConfigurationError, match="labels= says a="):
        App(labels={"a": None})


def test_a_node_changes_its_labels_and_says_so_once() -> None:
    changes: list[int] = []
    labels = Labels({"zone": "eu"}, lambda: changes.append(1))
    before = labels.now()
    labels.set(zone="us", gpu=True)
    assert dict(labels) == {"zone": "us", "gpu": True}
    assert dict(before) == {"zone": "eu"}, "what was handed out stays"
    labels.set(zone="us")
    labels.remove("nothing")
    assert len(changes) == 1, "nothing has changed"
    labels.remove("zone", "nothing")
    assert (dict(labels), len(labels), repr(labels)) == ({"gpu": True}, 1, "Labels({'gpu': True})")
    with pytest.raises(ConfigurationError, match=r"labels\.set\(\) says zone='None'"):
        labels.set(zone=None)  # type: ignore[arg-type]
    assert len(changes) == 2


def test_outside_of_a_run_there_is_no_current_node() -> None:
    with pytest.raises(HowdahError, match="it works inside a task's function"):
        current_node()


def test_labels_that_lie_in_another_process_are_read_and_not_changed() -> None:
    labels = FarLabels({"zone": "eu"})
    assert dict(labels) == {"zone": "eu"}
    for change in (lambda: labels.set(zone="us"), lambda: labels.remove("zone"), lambda: labels.set(zone="eu")):
        with pytest.raises(HowdahError, match="can only be read in a process of a task's own"):
            change()
    assert labels["zone"] == "eu"
