"""Parent or link: the decision, and what is stored of an origin."""

from typing import get_args

from howdah.core.ancestry import Origin, Parenting, headers, is_child, read, written
from hypothesis import given
from hypothesis import strategies as st

STATES = st.from_regex(r"\A[a-z][a-z0-9]{0,10}=[!-+\--<>-~]{1,20}\Z")
ORIGINS = st.builds(
    Origin, st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255), st.just("") | STATES, apart=st.booleans()
)


@given(ORIGINS)
def test_what_is_written_is_read_as_it_was(origin: Origin) -> None:
    assert read(written(origin)) == origin


@given(st.text())
def test_what_is_no_trace_is_passed_over(text: str) -> None:
    found = read(text)

    assert found is None or written(found) == text


@given(ORIGINS)
def test_the_headers_are_those_of_w3c_and_say_nothing_of_ours(origin: Origin) -> None:
    told = headers(written(origin))

    assert told is not None
    assert len(told["traceparent"]) == 55
    assert told.get("tracestate", "") == origin.state


def test_a_trace_or_span_of_zeros_is_none() -> None:
    assert read(f"00-{0:032x}-{1:016x}-01") is None
    assert read(f"00-{1:032x}-{0:016x}-01") is None


@given(st.sampled_from(get_args(Parenting)), st.booleans(), st.integers(1, 5), st.floats(0, 1e6), st.floats(0, 1e6))
def test_only_the_prompt_first_attempt_of_a_single_run_is_a_child(
    parenting: Parenting, apart: bool, attempt: int, waited_s: float, prompt_s: float
) -> None:
    child = is_child(parenting, apart=apart, attempt=attempt, waited_s=waited_s, prompt_s=prompt_s)

    assert child == (parenting == "parent" and not apart and attempt == 1 and waited_s <= prompt_s)
    assert not is_child("link", apart=apart, attempt=attempt, waited_s=waited_s, prompt_s=prompt_s)
