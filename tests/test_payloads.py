"""What may be an argument or a result: each type that Python programs carry around, there and back, and what may not."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from howdah import App, ArgumentsInvalid, ConfigurationError
from howdah.definitions import Definition
from hypothesis import given
from hypothesis import strategies as st

MAX = 10_000_000


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Point(NamedTuple):
    x: int
    y: float


class Box(TypedDict):
    label: str
    points: list[Point]


@dataclasses.dataclass(frozen=True)
class Line:
    price: Decimal
    count: int = 1


@dataclasses.dataclass(slots=True)
class Order:
    id: UUID
    at: datetime
    lines: list[Line]
    colour: Colour | None = None
    parts: "list[Order]" = dataclasses.field(default_factory=list)


@attrs.define
class Parcel:
    weight: float
    due: date
    marks: frozenset[str] = frozenset()


class Event(msgspec.Struct, tag=True):
    at: datetime


class Silence(msgspec.Struct, tag=True):
    length: timedelta


class Address(pydantic.BaseModel):
    street: str
    number: int = pydantic.Field(gt=0)


class Customer(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)

    id: UUID
    since: datetime
    home: Address
    others: dict[str, Address] = {}
    secret: bytes = b""
    full_name: str = pydantic.Field(default="", alias="fullName")


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
LINES = st.builds(Line, DECIMALS, st.integers())
ORDERS = st.builds(Order, st.uuids(), INSTANTS, st.lists(LINES, max_size=3), st.none() | st.sampled_from(Colour), st.just([]))
ADDRESSES = st.builds(Address, street=TEXT, number=st.integers(1, 10**6))
CUSTOMERS = st.builds(
    Customer,
    id=st.uuids(),
    since=INSTANTS,
    home=ADDRESSES,
    others=st.dictionaries(TEXT, ADDRESSES, max_size=2),
    secret=TEXT.map(str.encode),
    fullName=TEXT,
)
KINDS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers()),
    (float, FLOATS),
    (str, TEXT),
    (bytes, st.binary(max_size=50)),
    (bool, st.booleans()),
    (UUID, st.uuids()),
    (datetime, INSTANTS),
    (date, st.dates()),
    (time, st.times()),
    (timedelta, st.timedeltas()),
    (Decimal, DECIMALS),
    (Colour, st.sampled_from(Colour)),
    (Size, st.sampled_from(Size)),
    (Literal["a", "b", 3], st.sampled_from(["a", "b", 3])),
    (Point, st.builds(Point, st.integers(), FLOATS)),
    (Box, st.fixed_dictionaries({"label": TEXT, "points": st.lists(st.builds(Point, st.integers(), FLOATS), max_size=2)})),
    (Line, LINES),
    (Order, st.builds(lambda order, parts: dataclasses.replace(order, parts=parts), ORDERS, st.lists(ORDERS, max_size=2))),
    (Parcel, st.builds(Parcel, FLOATS, st.dates(), st.frozensets(TEXT, max_size=3))),
    (Event | Silence, st.builds(Event, INSTANTS) | st.builds(Silence, st.timedeltas())),
    (Address, ADDRESSES),
    (Customer, CUSTOMERS),
    (list[Customer | None], st.lists(st.none() | CUSTOMERS, max_size=2)),
    (dict[str, Address], st.dictionaries(TEXT, ADDRESSES, max_size=2)),
    (set[int], st.sets(st.integers(), max_size=4)),
    (frozenset[UUID], st.frozensets(st.uuids(), max_size=4)),
    (tuple[int, str, date], st.tuples(st.integers(), TEXT, st.dates())),
    (tuple[Decimal, ...], st.lists(DECIMALS, max_size=3).map(tuple)),
    (dict[UUID, list[datetime]], st.dictionaries(st.uuids(), st.lists(INSTANTS, max_size=2), max_size=2)),
    (dict[date, Order | None], st.dictionaries(st.dates(), st.none() | ORDERS, max_size=2)),
    (int | str | None, st.none() | st.integers() | TEXT),
]


def of(kind: Any) -> Definition:
    """A task that takes one of this kind and returns it."""

    def carry(value: Any) -> Any:
        return value

    carry.__annotations__ = {"value": kind, "return": kind}
    return Definition(carry)


DEFINITIONS = [(of(kind), values) for kind, values in KINDS]


@given(st.one_of([st.tuples(st.just(definition), values) for definition, values in DEFINITIONS]))
def test_what_a_node_decodes_is_a_copy_of_what_was_enqueued_and_what_a_caller_reads_of_what_was_returned(drawn: Any) -> None:
    definition, value = drawn
    stored = definition.encode((value,), {}, MAX)
    json.loads(stored)
    (arrived,), _ = definition.decode(stored)
    assert arrived == value
    assert type(arrived) is type(value)
    assert definition.result_decoder.decode(definition.encode_result(value)) == value


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS], ids=str)
def test_the_catalogue_has_a_schema_of_each(kind: Any) -> None:
    said = of(kind).catalogue()
    assert said["input"] is not None
    assert said["output"] is not None
    references = {part.split('"')[0] for part in json.dumps(said["output"]).split("#/$defs/")[1:]}
    assert references <= set(said["output"].get("$defs", {})), "what is referred to is there"


class Thing:
    pass


@pytest.mark.parametrize(
    "kind", [Thing, list[Thing], dict[str, Thing | None], Callable[[], int], complex, type, range, Exception, pydantic.SecretStr], ids=str
)
def test_a_class_that_json_cannot_carry_is_refused_when_the_task_is_first_used(kind: Any) -> None:
    definition = of(kind)
    with pytest.raises(ConfigurationError, match=r"parameter 'value' of task 'carry' \(.*\) has a type that cannot be stored: json"):
        definition.encode((None,), {}, MAX)
    with pytest.raises(ConfigurationError, match="the result of task 'carry'"):
        _ = definition.result


@pytest.mark.parametrize("kind", [Line | Parcel, datetime | str, Address | int, Enum("Odd", {"a": 1.5})], ids=str)
def test_a_union_whose_members_json_cannot_tell_apart_is_refused(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match="has a type that cannot be stored: "):
        of(kind).encode((None,), {}, MAX)


@pytest.mark.parametrize("kind", [object, Any, Iterable[int]], ids=str)
def test_a_type_that_plain_values_fulfil_is_a_promise(kind: Any) -> None:
    (arrived,), _ = of(kind).decode(of(kind).encode(([1],), {}, MAX))
    assert arrived == [1]


NAIVE = datetime(2024, 2, 29, 12)


@pytest.mark.parametrize(
    ("kind", "value", "path"),
    [
        (datetime, NAIVE, "$.value"),
        (datetime, "2024-02-29T12:00:00", "$.value"),
        (list[datetime], [datetime.now(UTC), NAIVE], "$.value[1]"),
        (dict[str, datetime | None], {"a": None, "b": NAIVE}, "$.value['b']"),
        (dict[datetime, int], {NAIVE: 1}, "$.value[...]"),
        (Order, Order(UUID(int=1), NAIVE, []), "$.value.at"),
        (Order, Order(UUID(int=1), datetime.now(UTC), [], parts=[Order(UUID(int=1), NAIVE, [])]), "$.value.parts[0].at"),
        (Event | Silence, Event(NAIVE), "$.value.at"),
        (Customer, Customer(id=UUID(int=1), since=NAIVE, home=Address(street="Elm", number=1)), "$.value.since"),
    ],
)
def test_a_time_without_a_zone_is_refused_with_its_path(kind: Any, value: Any, path: str) -> None:
    with pytest.raises(ArgumentsInvalid, match="has no time zone, so it names no instant") as caught:
        of(kind).encode((value,), {}, MAX)
    assert str(caught.value).endswith(f"- at `{path}`")
    if not isinstance(value, str):
        with pytest.raises(ValueError, match="has no time zone"):
            of(kind).encode_result(value)


def test_a_stored_time_without_a_zone_does_not_fit_the_signature() -> None:
    with pytest.raises(msgspec.ValidationError, match="has no time zone"):
        of(datetime).decode('{"value": "2024-02-29T12:00:00"}')


def test_a_time_without_a_zone_can_be_asked_for() -> None:
    plain = of(Annotated[datetime, msgspec.Meta(tz=False)])
    assert plain.decode(plain.encode((NAIVE,), {}, MAX))[0] == (NAIVE,)


def test_an_offset_with_seconds_is_refused_instead_of_moved() -> None:
    odd = datetime(1890, 1, 1, tzinfo=timezone(timedelta(seconds=3208)))
    with pytest.raises(ArgumentsInvalid, match=r"use .astimezone\(UTC\) - at `\$.value`"):
        of(datetime).encode((odd,), {}, MAX)


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (Address, Address.model_construct(street="Elm", number=-1), "greater than 0"),
        (Address, {"street": "Elm"}, "number"),
        (Line, {"price": "1", "count": "many"}, "Expected `int`, got `str` - at `$.value.count`"),
        (list[Colour], ["green"], "Invalid enum value 'green' - at `$.value[0]`"),
        (float, math.inf, "Expected `float`, got `null`"),
        (Any, Thing(), "json cannot carry a "),
        (Any, {(1, 2): 3}, "json cannot carry (1, 2) as a key"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_refused_with_its_path(kind: Any, value: Any, says: str) -> None:
    with pytest.raises(ArgumentsInvalid) as caught:
        of(kind).encode((value,), {}, MAX)
    assert says in str(caught.value)


async def travel(order: Order, parcel: Parcel, customer: Customer | None, *, when: datetime, marks: set[Colour]) -> Customer | None:
    assert isinstance(order.lines[0].price, Decimal)
    assert isinstance(parcel.due, date)
    assert marks == {Colour.RED}
    assert when.utcoffset() is not None
    return customer


@pytest.mark.anyio
async def test_values_travel_through_the_database_and_back(jobs: App) -> None:
    task = jobs.task(travel)
    order = Order(UUID(int=7), datetime.now(UTC), [Line(Decimal("1.50"))])
    customer = Customer(id=UUID(int=9), since=datetime.now(UTC), home=Address(street="Elm", number=3), fullName="Ada")
    async with jobs.work():
        run = await task.enqueue(order, Parcel(1.5, date(2024, 2, 29)), customer, when=datetime.now(UTC), marks={Colour.RED})
        assert await run.result("10s") == customer
