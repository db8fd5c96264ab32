"""Field paths: where they lead in what is stored, and what is refused as soon as the types are known."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID, uuid4

import attrs
import msgspec
import pydantic
import pytest
from howdah.definitions import Definition
from howdah.paths import Located, PathError, Wanted, locate, parts


class Plan(Enum):
    FREE = "free"
    GOLD = "gold"


class Camel(msgspec.Struct, rename="camel"):
    user_id: int
    home_town: str = "Ulm"


class Row(msgspec.Struct, array_like=True):
    id: int
    town: str = "Ulm"


class Tagged(msgspec.Struct, array_like=True, tag=True):
    id: int


@dataclass
class Address:
    street: str
    number: int = 1


@attrs.define
class Shop:
    address: Address


class Point(NamedTuple):
    x: int
    name: str = "here"


class Options(TypedDict):
    tenant: str
    plan: NotRequired[str]


class Model(pydantic.BaseModel):
    tenant_id: str = pydantic.Field(alias="tenantId")
    plan: Plan = Plan.FREE
    address: Address | None = None
    link: pydantic.AnyUrl = pydantic.Field(default_factory=lambda: pydantic.AnyUrl("http://a.b"))


class Made(msgspec.Struct):
    id: UUID = msgspec.field(default_factory=uuid4)


class Cat(msgspec.Struct, tag=True):
    name: str


class Dog(msgspec.Struct, tag=True):
    name: str
    owner: str


class Fish(msgspec.Struct, tag=True, rename={"name": "n"}):
    name: str


def at(function: Any, path: str, wanted: Wanted = "text") -> Located:
    definition = Definition(function)
    defaults: Mapping[str, object] = {p.name: p.default for p in definition._given if p.default is not p.empty}
    return locate(definition.arguments, defaults, path, wanted)


def takes(kind: Any) -> Any:
    def work(given: Any) -> None: ...

    work.__annotations__["given"] = kind
    return work


@pytest.mark.parametrize(
    "kind",
    [
        int,
        str,
        bool,
        UUID,
        date,
        bytes,
        Plan,
        Literal["a", "b"],
        Any,
        object,
        int | None,
        int | str,
        Annotated[int, msgspec.Meta(title="x")],
    ],
)
def test_a_key_is_one_text_number_or_bool_or_what_nobody_has_typed(kind: Any) -> None:
    assert at(takes(kind), "given") == Located(["given"], None)


@pytest.mark.parametrize(
    ("kind", "path", "stored"),
    [
        (Camel, "given.user_id", ["given", "userId"]),
        (Row, "given.id", ["given", "0"]),
        (Tagged, "given.id", ["given", "1"]),
        (Address, "given.street", ["given", "street"]),
        (Shop, "given.address.street", ["given", "address", "street"]),
        (Point, "given.x", ["given", "0"]),
        (Options, "given.tenant", ["given", "tenant"]),
        (Options, "given.plan", ["given", "plan"]),
        (Model, "given.tenant_id", ["given", "tenantId"]),
        (Model, "given.address.street", ["given", "address", "street"]),
        (Model, "given.link", ["given", "link"]),
        (dict[str, Camel], "given.a.user_id", ["given", "a", "userId"]),
        (dict[str, Any], "given.a.b", ["given", "a", "b"]),
        (Any, "given.a.b", ["given", "a", "b"]),
        (Camel | None, "given.user_id", ["given", "userId"]),
        (Cat | Dog, "given.name", ["given", "name"]),
        (Cat | Dog, "given.owner", ["given", "owner"]),
    ],
)
def test_a_path_names_fields_as_python_does_and_is_kept_as_json_has_them(kind: Any, path: str, stored: list[str]) -> None:
    assert at(takes(kind), path).path == stored


@pytest.mark.parametrize(
    ("kind", "path", "text"),
    [
        (Camel, "given.userId", "'given' has no 'userId', and is Camel with user_id, home_town"),
        (Shop, "given.address.city", "'given.address' has no 'city', and is Address with street, number"),
        (Model, "given.tenantId", "is Model with tenant_id, plan, address, link"),
        (Point, "given.y", "is Point with x, name"),
        (Options, "given.x", "is Options with (tenant, plan|plan, tenant)"),
        (int, "given.id", "'given' has no 'id', and is int$"),
        (list[Camel], "given.user_id", "'given' has no 'user_id', and is list$"),
        (int | str, "given.id", "is int or str$"),
        (Cat | Fish, "given.name", "is stored under one name or another"),
        (Camel, "given", "'given' leads to Camel, and one text or number is wanted there: name a field of it"),
        (Model, "given", "leads to Model, and one text or number"),
        (list[int], "given", "leads to list, and one text or number"),
        (str | list[str], "given", "leads to list"),
        (dict[str, int], "given", "leads to dict"),
        (float, "given", "leads to float, and equal ones have several texts, as 1 and 1.0"),
        (Decimal | None, "given", "leads to decimal, and equal ones"),
    ],
)
def test_a_path_that_leads_nowhere_or_to_no_key_is_refused(kind: Any, path: str, text: str) -> None:
    with pytest.raises(PathError, match=text):
        at(takes(kind), path)


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a\0"])
def test_a_path_is_names_with_dots_between_them(path: str) -> None:
    with pytest.raises(PathError, match="is no field path"):
        parts(path)


@pytest.mark.parametrize("kind", [int, float, int | None, Any])
def test_a_cost_is_a_number(kind: Any) -> None:
    assert at(takes(kind), "given", "number").path == ["given"]


@pytest.mark.parametrize("kind", [str, bool, Decimal, list[int], Camel])
def test_a_cost_that_is_no_number_is_refused(kind: Any) -> None:
    with pytest.raises(PathError, match="and a number is wanted there"):
        at(takes(kind), "given", "number")


ADDRESS = Address("Elm", 7)


def plain(number: int = 7, loud: bool = True, text: str = "x", plan: Plan = Plan.GOLD, none: str | None = None) -> None: ...
def untyped(number=7.5, user={"id": 9}, nothing=None) -> None: ...  # type: ignore[no-untyped-def]  # noqa: B006  # pyright: ignore[reportMissingParameterType, reportUnknownParameterType]
def nullable(town: str | None = "Ulm") -> None: ...
def nested(camel: Camel, row: Row, point: Point, model: Model, made: Made) -> None: ...
def given(address: Address = ADDRESS, row: Row = Row(7), options: Options = {"tenant": "t"}) -> None: ...  # noqa: B006, B008
def twice(address: Address = Address("Elm", 2)) -> None: ...  # noqa: B008
def unspeakable(thing: Any = object()) -> None: ...  # noqa: B008


@pytest.mark.parametrize(
    ("function", "path", "default"),
    [
        (plain, "number", "7"),
        (plain, "loud", "true"),
        (plain, "text", "x"),
        (plain, "plan", "gold"),
        (plain, "none", None),
        (untyped, "number", "7.5"),
        (untyped, "user.id", "9"),
        (untyped, "user.name", None),
        (untyped, "nothing", None),
        (nested, "camel.home_town", "Ulm"),
        (nested, "camel.user_id", None),
        (nested, "row.town", "Ulm"),
        (nested, "point.name", "here"),
        (nested, "model.plan", "free"),
        (nested, "model.tenant_id", None),
        (given, "address.street", "Elm"),
        (given, "row.id", "7"),
        (given, "row.town", "Ulm"),
        (given, "options.tenant", "t"),
    ],
)  # fmt: skip
def test_what_a_producer_may_leave_out_has_the_key_that_the_function_would_find(function: Any, path: str, default: str | None) -> None:
    assert at(function, path).default == default


@pytest.mark.parametrize(
    ("function", "path"),
    [
        (nullable, "town"),  # A null that is given is another value than what is left out.
        (nested, "made.id"),  # Made anew each time.
        (twice, "address.number"),  # 1 where the number is left out, 2 where the address is.
        (unspeakable, "thing"),
    ],
)
def test_a_default_that_nobody_can_tell_beforehand_is_none(function: Any, path: str) -> None:
    assert at(function, path).default is None


class Box(msgspec.Struct, rename="pascal"):
    inner_row: Row
    models: dict[str, Model]


def boxed(box: Box) -> None: ...


@pytest.mark.parametrize(("path", "value"), [("box.inner_row.town", "Bonn"), ("box.models.a.tenant_id", "t")])
def test_what_is_stored_is_found_by_the_path(path: str, value: str) -> None:
    box = Box(Row(7, "Bonn"), {"a": Model(tenantId="t")})
    found: Any = msgspec.json.decode(Definition(boxed).encode((box,), {}, 1000))
    for name in at(boxed, path).path:
        found = found[int(name)] if isinstance(found, list) else found[name]
    assert found == value
