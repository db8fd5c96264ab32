"""Parent or link: the decision, and what is stored of an origin."""

from typing import get_args

from howdah.core.ancestry import Origin, Parenting, headers, is_child, is_unsampled, read, written
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


@given(ORIGINS)
def test_one_that_was_not_sampled_is_seen_without_being_read(origin: Origin) -> None:
    assert is_unsampled(written(origin)) == (origin.flags % 2 == 0 and not origin.apart)


@given(st.text() | st.from_regex(r"\A00-[0-9a-f]{32}-[0-9a-f]{16}-..\Z"))
def test_what_is_no_trace_was_not_left_out_by_a_sampler(text: str) -> None:
    assert read(text) is not None or not is_unsampled(text)


@given(st.sampled_from(get_args(Parenting)), st.integers(1, 5), st.floats(0, 1e6), st.floats(0, 1e6))
def test_only_a_prompt_first_attempt_may_be_a_child(parenting: Parenting, attempt: int, waited_s: float, prompt_s: float) -> None:
    child = is_child(parenting, attempt=attempt, waited_s=waited_s, prompt_s=prompt_s)

    assert child == (parenting == "parent" and attempt == 1 and waited_s <= prompt_s)
    assert not is_child("link", attempt=attempt, waited_s=waited_s, prompt_s=prompt_s)
