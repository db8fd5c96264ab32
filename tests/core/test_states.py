"""The table of states, for itself. tests/db/test_states.py walks it against the database."""

from howdah.core.states import ENDS, TRANSITIONS, Kind, State


def test_nothing_but_a_retry_leads_out_of_an_end_and_nothing_at_all_out_of_a_success() -> None:
    assert {kind for kind, state in TRANSITIONS if state in ENDS} == {Kind.REOPENED}
    assert State.SUCCEEDED not in {state for _, state in TRANSITIONS}


def test_every_kind_of_event_has_a_state_in_which_it_counts_and_one_state_that_it_leads_to() -> None:
    for kind in Kind:
        assert len({target for (one, _), target in TRANSITIONS.items() if one is kind}) == 1


def test_outcomes_of_nodes_count_for_running_runs_only() -> None:
    assert {state for (kind, state) in TRANSITIONS if kind < 16} == {State.RUNNING}


def test_ends_and_pending_states_are_the_words_of_the_contract() -> None:
    assert " ".join(sorted(ENDS)) == "cancelled expired failed lost quarantined rejected skipped succeeded"
    assert " ".join(sorted(set(State) - ENDS)) == "gated queued retrying running scheduled waiting"
