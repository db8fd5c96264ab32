"""What is drawn of a glance: as large as it is said to be, and nothing that others wrote is a command."""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from howdah.cli.frame import Picture, draw, shares
from howdah.core.pace import Pace
from howdah.management.glance import BreakerGlance, FleetGlance, Glance, HeldGlance, NodeGlance, QueueGlance


def queue(name: str | None, **facts: Any) -> QueueGlance:
    counts = dict.fromkeys(("ready", "running", "later", "enqueued", "succeeded", "failed", "retried"), 0)
    return msgspec.convert({"queue": name, "waiting_s": None, **counts, **facts}, QueueGlance)


def node(name: str, **facts: Any) -> NodeGlance:
    known = {"host": "here", "pid": 1, "version": "1.0", "alive": True, "ordered": None, "queues": None, "tasks": 3, "up_s": 7200.0}
    return msgspec.convert({"name": name, "renewed_s": 1.0, **known, **facts}, NodeGlance)


def held(number: int, **facts: Any) -> HeldGlance:
    known = {"task": "import", "queue": "default", "node": "a-1", "attempt": 1, "stopping": False, "progress": None, "age_s": 3.0}
    return msgspec.convert({"run": number, "reported_s": None, **known, **facts}, HeldGlance)


def picture(
    queues: list[QueueGlance],
    nodes: list[NodeGlance],
    runs: list[HeldGlance],
    paces: dict[str | None, Pace | None] | None = None,
    *,
    troubled: bool = False,
) -> Picture:
    fleet, at = FleetGlance(2, 1, 1), datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    seen = Glance(at, "shop", len(queues), queue(None, ready=7), queues, fleet, nodes, runs)
    return Picture(seen, paces or {}, "q quit", troubled)


@pytest.mark.parametrize("width", [20, 80, 200])
@pytest.mark.parametrize("lines", [3, 12, 40])
def test_no_line_is_wider_and_there_are_no_more_than_there_is_room_for(width: int, lines: int) -> None:
    many = picture([queue(f"queue-{n}-{'long' * 30}") for n in range(60)], [node(f"n{n}") for n in range(30)], [held(n) for n in range(30)])
    drawn = draw(many, width, lines, colour=False)
    assert len(drawn) <= lines
    assert max(map(len, drawn)) <= width
    assert drawn[-1] == "q quit"


def test_a_row_says_what_a_queue_holds_and_how_fast_it_goes() -> None:
    paces: dict[str | None, Pace | None] = {"mail": Pace(enqueued=1234.4, succeeded=12.34, failed=0, retried=0.5), None: Pace(2, 1, 0, 0)}
    drawn = "\n".join(draw(picture([queue("mail", ready=1234, waiting_s=200.0)], [], [], paces), 200, 40, colour=False))
    assert re.search(r"^mail +1,234 +0 +0 +3m +1,234 +12\.3 +0 +0\.5$", drawn, re.MULTILINE)
    assert "ready 7  running 0  later 0  in 2.0/s  done 1.0/s  failed 0/s  nodes 2, 1 silent, 1 told to pause or drain" in drawn


def test_what_is_paused_and_which_breakers_are_open_is_said() -> None:
    seen = picture([queue("mail", paused=True), queue("other")], [], [])
    breakers = [BreakerGlance("stripe", "a\x1b", 150.0, 3.0), BreakerGlance("mail", "", 5.0, -1.0)]
    tasks = msgspec.structs.replace(seen.glance, paused_tasks=["import", "welcome\x1b"], open_breakers=breakers)
    drawn = "\n".join(draw(seen._replace(glance=tasks), 160, 40, colour=False))
    assert re.search(r"^mail \(paused\) +0", drawn, re.MULTILINE)
    assert re.search(r"^other +0", drawn, re.MULTILINE)
    assert "paused tasks: import, welcome\\x1b  open breakers: stripe a\\x1b (2m), mail (5s)" in drawn


def test_a_queue_that_was_not_seen_before_has_no_pace_yet() -> None:
    drawn = "\n".join(draw(picture([queue("mail")], [], []), 80, 40, colour=False))
    assert re.search(r"^mail +0 +0 +0 +- +- +-$", drawn, re.MULTILINE)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, r"alive +3 +all +2h"),
        ({"queues": ["default", "mail"]}, r"alive +3 +default mail"),
        ({"ordered": "pause"}, "paused"),
        ({"ordered": "drain"}, "draining"),
        ({"alive": False, "renewed_s": 240.0}, "silent 4m"),
    ],
)
def test_a_node_says_how_it_is(facts: dict[str, Any], said: str) -> None:
    drawn = "\n".join(draw(picture([], [node("a-1", **facts)], []), 80, 40, colour=False))
    assert re.search(rf"^a-1 +{said}", drawn, re.MULTILINE)


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        ({"done": 3, "total": 4, "message": "page 3"}, r"\[########--\]  75% page 3"),
        ({"done": 9, "total": 4, "message": None}, r"\[##########\] 100%"),
        ({"done": 1500, "total": None, "message": None}, "1,500"),
        ({"done": 1, "total": 0, "message": "odd"}, "1 odd"),
        ("something else", ""),
        (None, ""),
    ],
)
def test_a_run_says_how_far_it_is(progress: Any, said: str) -> None:
    drawn = "\n".join(draw(picture([], [], [held(77, progress=progress)]), 100, 40, colour=False))
    assert re.search(rf"^77 +import +a-1 +1 +3s ?{' *' if said else ''}{said}$", drawn, re.MULTILINE)


def test_a_run_that_was_asked_to_stop_and_goes_on_says_that_it_keeps_its_slot() -> None:
    """CONTRACT 1.14: a thread cannot be killed, and top says so."""
    drawn = "\n".join(draw(picture([], [], [held(77, stopping=True)]), 100, 40, colour=False))
    assert "asked to stop, keeps its slot" in drawn


def test_what_others_wrote_is_spelled_out() -> None:
    nasty = "\x1b[31mred\x07\n\u202e[bold]"
    runs = [held(1, task=nasty, queue=nasty, node=nasty, progress={"done": 1, "total": 2, "message": nasty})]
    drawn = draw(picture([queue(nasty)], [node(nasty, host=nasty, version=nasty, queues=[nasty])], runs), 400, 40, colour=False)
    assert not any(character in line for line in drawn for character in "\x1b\x07\u202e")
    assert sum(line.count("[bold]") for line in drawn) == 9, "nor is it markup"


def test_colours_are_there_where_they_are_wanted() -> None:
    troubled = picture([queue("mail")], [], [], troubled=True)
    assert any("\x1b[" in line for line in draw(troubled, 80, 40, colour=True))
    assert not any("\x1b[" in line for line in draw(troubled, 80, 40, colour=False))


@pytest.mark.parametrize(("said", "coloured"), [("", ["\x1b[1;31m"]), ("1", [])], ids=["nothing said", "NO_COLOR"])
def test_no_color_leaves_colours_out_and_what_is_bold_bold(monkeypatch: pytest.MonkeyPatch, said: str, coloured: list[str]) -> None:
    monkeypatch.setenv("NO_COLOR", said)
    drawn = "\n".join(draw(picture([queue("mail")], [], [], troubled=True), 80, 40, colour=True))
    assert re.findall("\x1b\\[(?:1;)?3\\dm", drawn) == coloured
    assert "\x1b[1m" in drawn


@pytest.mark.parametrize("room", [0, 1, 5, 12, 30, 100])
def test_the_room_is_shared_out_and_never_exceeded(room: int) -> None:
    for wanted in ((100, 100, 100), (1, 100, 1), (1, 1, 100), (100, 0, 0), (0, 0, 0), (3, 2, 1)):
        shown = shares(room, *wanted)
        assert sum(shown) == min(room, sum(wanted))
        assert all(0 <= one <= most for one, most in zip(shown, wanted, strict=True))
