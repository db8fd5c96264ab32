"""The table of states, for itself. tests/db/test_states.py walks it against the database."""

import re
from pathlib import Path

from howdah.core.states import ENDS, TRANSITIONS, Kind, State

ARCHITECTURE = Path(__file__).parents[2] / "ARCHITECTURE.md"
NO_SUCCESS = "an end that is no success"
FAILURES = (State.FAILED, State.CANCELLED, State.EXPIRED, State.QUARANTINED, State.LOST, State.REJECTED, State.SKIPPED)


def drawn() -> list[list[str]]:
    """The cells of the table in ARCHITECTURE.md, its heading first."""
    section = ARCHITECTURE.read_text().partition("\n## States\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_in_architecture_is_the_table_of_transitions() -> None:
    """A cell says the state before its first comma, and after it what else is so."""
    (_, *headings), *rows = drawn()
    columns = [FAILURES if heading == NO_SUCCESS else (State(heading),) for heading in headings]
    said: dict[tuple[Kind, State], State] = {}
    senders: dict[Kind, str] = {}
    for event, *cells in rows:
        name, sender = re.fullmatch(r"(\w+) \((node|control)\)", event).groups()  # type: ignore[union-attr]
        kind = Kind[name.upper()]
        senders[kind] = sender
        for states, cell in zip(columns, cells, strict=True):
            if cell:
                said.update({(kind, state): State(cell.partition(",")[0]) for state in states})
    assert said == TRANSITIONS
    assert senders == {kind: "node" if kind < 16 else "control" for kind in Kind}


def test_nothing_but_a_retry_leads_out_of_an_end() -> None:
    assert {kind for kind, state in TRANSITIONS if state in ENDS} == {Kind.REOPENED}


def test_every_kind_of_event_has_a_state_in_which_it_counts_and_one_state_that_it_leads_to() -> None:
    for kind in Kind:
        assert len({target for (one, _), target in TRANSITIONS.items() if one is kind}) == 1


def test_outcomes_of_nodes_count_for_running_runs_only() -> None:
    assert {state for (kind, state) in TRANSITIONS if kind < 16} == {State.RUNNING}


def test_ends_and_pending_states_are_the_words_of_the_contract() -> None:
    assert " ".join(sorted(ENDS)) == "cancelled expired failed lost quarantined rejected skipped succeeded"
    assert " ".join(sorted(set(State) - ENDS)) == "gated queued retrying running scheduled waiting"
