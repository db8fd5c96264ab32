"""Payloads are json text that psql can read, and nothing is ever pickled."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from howdah import codec
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(JSON)
def test_what_goes_in_comes_out_and_is_json_for_everybody(value: Any) -> None:
    text = codec.encode(value)
    assert codec.decode(text) == value
    assert json.loads(text) == value
    assert codec.decoder(Any).decode(text) == value


def test_a_type_is_checked_and_the_error_names_the_path() -> None:
    when = datetime(2024, 2, 29, tzinfo=UTC)
    assert codec.decoder(list[datetime]).decode(codec.encode([when])) == [when]
    with pytest.raises(msgspec.ValidationError, match=r"\$\[1\]"):
        codec.decoder(list[int]).decode("[1, true]")


def test_what_json_cannot_say_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        codec.encode(object())


def test_a_type_without_a_schema_has_none() -> None:
    assert codec.schema(int) == {"type": "integer"}
    assert codec.schema(type(codec)) is None
