"""A breaker against a plain model of it: when it opens, whom it lets through, and what it forgets."""

import math

import pytest
from howdah.core.breaker import FAILED, FORGET_S, Breaker, Breakers, Guard
from hypothesis import given, settings
from hypothesis import strategies as st

GUARD = Guard(0.5, 4, 60.0)


def after(*failed: bool, guard: Guard = GUARD) -> Breaker:
    """Ends, one each second from 1 on, of runs that were admitted a second before."""
    state = Breaker()
    for second, one in enumerate(failed, 1):
        state = state.ended(guard, second - 1.0, float(second), failed=one)
    return state


def test_it_opens_when_that_share_of_the_last_ends_failed() -> None:
    assert after(True, False, False).room(3) is None
    assert after(False, True, False, True) == Breaker("", 4.0, 64.0)
    assert after(True, True) == Breaker("", 2.0, 62.0), "two of four have failed, whatever the others do"
    assert after(True, False, False, False, True).room(5) is None, "the first failure is none of the last four"


@pytest.mark.parametrize(
    ("failures", "of", "enough"), [(0.5, 20, 10), (1, 1, 1), (0.01, 20, 1), (0.1, 10, 1), (0.3, 10, 3), (1, 7, 7), (0.34, 3, 2)]
)
def test_a_share_is_a_number_of_failures(failures: float, of: int, enough: int) -> None:
    assert Guard(failures, of, 1).enough == enough


def test_an_open_one_lets_nobody_through_and_then_one_probe() -> None:
    state = after(True, True)
    assert (state.room(61.9), state.room(62.0), state.room(1e9)) == (0, 1, 1)


def test_a_probe_that_succeeds_closes_it_with_nothing_held_against_it() -> None:
    assert after(True, True).ended(GUARD, 62.0, 63.0, failed=False) == Breaker()


def test_a_probe_that_fails_opens_it_again_for_as_long() -> None:
    again = after(True, True).ended(GUARD, 62.0, 65.0, failed=True)
    assert again == Breaker("", 2.0, 125.0)
    assert again.opened == 2.0, "since when it is not closed"


@pytest.mark.parametrize("failed", [True, False])
def test_who_began_before_the_probe_says_nothing_about_it(failed: bool) -> None:
    state = after(True, True)
    assert state.ended(GUARD, 1.5, 3.0, failed=failed) == state
    assert state.ended(GUARD, 61.0, 70.0, failed=failed) == state


guards = st.builds(Guard, st.floats(0.01, 1.0), st.integers(1, 12), st.floats(0.1, 50.0))
steps = st.lists(st.tuples(st.booleans(), st.floats(0.0, 30.0), st.floats(0.0, 60.0)), max_size=80)


@settings(max_examples=400)
@given(guards, steps)
def test_it_does_what_a_plain_model_does(guard: Guard, steps: list[tuple[bool, float, float]]) -> None:
    state, now = Breaker(), 0.0
    window: list[bool] = []
    until: float | None = None
    for failed, passed, took in steps:
        now += passed
        admitted = now - took
        state = state.ended(guard, admitted, now, failed=failed)
        if until is not None:
            if admitted >= until:
                until = now + guard.open_s if failed else None
                window = []
        else:
            window = [*window, failed][-guard.of :]
            if sum(window) >= guard.failures * guard.of - 1e-9 and any(window):
                until, window = now + guard.open_s, []
        assert state.until == until
        assert [one == FAILED for one in state.ends] == window
        assert state.room(now) == (None if until is None else 0 if now < until else 1)
        assert len(state.ends) <= guard.of


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.floats(0.0, 30.0)), max_size=60))
def test_what_is_written_down_is_all_that_a_new_one_needs(steps: list[tuple[str, bool, float]]) -> None:
    first, rows, now = Breakers(), dict[tuple[str, str], Breaker](), 0.0
    first.guard({"stripe": GUARD})
    for key, failed, passed in steps:
        now += passed
        first.ended(("stripe", key), now, now, failed=failed)
        for changed, state in first.take_changed():
            rows.pop(changed, None)
            if not state.is_idle:
                rows[changed] = state
        second = Breakers()
        second.guard({"stripe": GUARD})
        second.know(rows.items())
        assert second.rooms(now) == first.rooms(now)
        assert second.next_at(now) == first.next_at(now)


def test_a_healthy_one_is_never_written_down() -> None:
    breakers = Breakers()
    breakers.guard({"stripe": GUARD})
    for second in range(100):
        breakers.ended(("stripe", "a"), second, second, failed=False)
    assert breakers.take_changed() == []
    breakers.ended(("stripe", "a"), 100, 100, failed=True)
    assert breakers.take_changed() == [(("stripe", "a"), Breaker("f"))]
    for second in range(4):
        breakers.ended(("stripe", "a"), 101 + second, 101 + second, failed=False)
    assert breakers.take_changed() == [(("stripe", "a"), Breaker())], "it is to be forgotten"
    assert breakers.take_changed() == []


def test_only_breakers_are_bounded_and_only_while_they_are_not_closed() -> None:
    breakers = Breakers()
    assert not breakers
    breakers.guard({"stripe": GUARD})
    assert breakers.among([("stripe", "a"), ("crm", "")]) == [("stripe", "a")]
    for key in ("a", "b"):
        for _ in range(2):
            breakers.ended(("stripe", key), 1, 1 if key == "a" else 9, failed=True)
    breakers.ended(("crm", ""), 1, 1, failed=True)
    assert breakers.rooms(10) == {("stripe", "a"): 0, ("stripe", "b"): 0}
    assert breakers.next_at(10) == 61
    assert breakers.rooms(62) == {("stripe", "a"): 1, ("stripe", "b"): 0}
    assert breakers.next_at(62) == 69
    assert breakers.next_at(math.inf) is None
    breakers.guard({})
    assert breakers.rooms(62) == {}, "the code knows of none any more"


def test_a_closed_one_is_forgotten_when_nothing_was_heard_of_it_for_long_and_an_open_one_stays() -> None:
    breakers = Breakers()
    breakers.guard({"stripe": GUARD})
    breakers.know([(("stripe", "old"), Breaker("f")), (("stripe", "open"), Breaker("", 1.0, 61.0))])
    breakers.ended(("stripe", "new"), 100.0, 100.0, failed=True)
    breakers.take_changed()
    breakers.sweep(200.0)
    breakers.ended(("stripe", "old"), FORGET_S, FORGET_S, failed=False)
    breakers.take_changed()
    breakers.sweep(FORGET_S + 201.0)
    assert breakers.take_changed() == [(("stripe", "new"), Breaker())]
    breakers.sweep(2 * FORGET_S + 1.0)
    assert breakers.take_changed() == [(("stripe", "old"), Breaker())]
    assert breakers.rooms(1e9) == {("stripe", "open"): 1}
