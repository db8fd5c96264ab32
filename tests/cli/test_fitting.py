"""Whether arguments fit a schema: what no node would take is refused, and nothing else."""

from typing import Any

import msgspec
import pytest
from howdah import codec
from howdah.cli.fitting import faults


class Address(msgspec.Struct):
    street: str


def fits(kind: Any, value: object) -> bool:
    arguments = msgspec.defstruct("Arguments", [("value", kind)])
    schema = codec.schema(arguments)
    assert schema is not None
    return [*faults(schema, {"value": value})] == []


KINDS: list[Any] = [
    int, float, str, bool, bytes, None, list[int], dict[str, int], Address, int | None, int | str, tuple[int, str], Address | None, Any,
]  # fmt: skip
VALUES: list[Any] = [1, 1.5, "x", "aGk=", True, None, [], [1], {}, {"street": "x"}, {"a": 1}, [1, "x"]]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_nothing_that_a_node_reads_is_refused(kind: Any) -> None:
    for value in VALUES:
        try:
            msgspec.json.decode(msgspec.json.encode(value), type=kind)
        except msgspec.ValidationError:
            continue
        assert fits(kind, value), value


@pytest.mark.parametrize(
    ("kind", "value"), [(int, "x"), (int, 1.5), (str, 1), (bool, 1), (list[int], {}), (Address, []), (int | None, "x")]
)
def test_a_value_of_another_kind_is_refused(kind: Any, value: object) -> None:
    assert not fits(kind, value)
