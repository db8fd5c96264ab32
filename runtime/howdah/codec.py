"""Bytes and values: payloads are json, so that psql can read them. Nothing is ever pickled.

msgspec speaks json of plain values, dataclasses, attrs classes and its own structs by itself; pydantic's models go through
the two hooks, which nothing else calls: plain types pay nothing for them.
"""

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, get_origin

import msgspec
from msgspec import inspect

_PLAIN = (dict, list, str, int, float, bool, type(None))
"""What json is read as where a type is only a promise, as object and Iterable are."""

_MINUTE = timedelta(minutes=1)


def model_of(kind: Any) -> Any:
    """The class of pydantic models that this is, or None. Whoever has made one has imported pydantic."""
    pydantic = sys.modules.get("pydantic")
    return kind if pydantic is not None and isinstance(kind, type) and issubclass(kind, pydantic.BaseModel) else None


def _to_json(value: Any) -> Any:
    model = model_of(type(value))
    if isinstance(value, (*_PLAIN, tuple)):
        raise TypeError(f"json cannot carry {value!r} as a key: keys of a dict are text or numbers")
    if model is None:
        raise TypeError(_cannot(type(value)))
    return msgspec.Raw(value.model_dump_json(by_alias=True, round_trip=True).encode())


def _from_json(kind: Any, value: Any) -> Any:
    model = model_of(kind)
    # Whatever else comes here is checked by msgspec to be an instance of its type.
    return value if model is None else model.model_validate_json(_encoder.encode(value))


_encoder = msgspec.json.Encoder(enc_hook=_to_json)
_canonical = msgspec.json.Encoder(enc_hook=_to_json, order="deterministic")


def encode(value: object) -> str:
    """The value as json text. TypeError: it holds something that json cannot say."""
    return _encoder.encode(value).decode()


def encode_canonically(value: object) -> str:
    """The same with sets and the keys of dicts in order, so that equal values have one text."""
    return _canonical.encode(value).decode()


def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """Reads json text as this type, checking it. Errors are msgspec.ValidationError, with the path of the value."""
    return msgspec.json.Decoder(kind, dec_hook=_from_json)


def decode(data: str | bytes) -> Any:
    """Reads json text as plain values."""
    return msgspec.json.decode(data)


def schema(kind: Any) -> dict[str, Any] | None:
    """The json schema of a type, or None if it has none."""
    parts: dict[str, Any] = {}

    def hook(kind: Any) -> dict[str, Any]:
        model = model_of(kind)
        if model is None:
            raise NotImplementedError
        said: dict[str, Any] = model.model_json_schema()
        parts.update(said.pop("$defs", {}))
        return said

    try:
        made = msgspec.json.schema(kind, schema_hook=hook)
    except TypeError:
        return None
    return made | {"$defs": parts | made.get("$defs", {})} if parts else made


def check(kind: Any) -> None:
    """TypeError: values of this type cannot go into json and come back; says which part of it, and what could."""
    for part in _parts(kind):
        if isinstance(part, inspect.CustomType) and model_of(part.cls) is None:
            promise = get_origin(part.cls) or part.cls
            if not any(issubclass(plain, promise) for plain in _PLAIN):
                raise TypeError(_cannot(part.cls))


def holds_instants(kind: Any) -> bool:
    """Whether values of this type hold a datetime that must say its time zone: all do, except under Meta(tz=False)."""
    zones = {part.tz for part in _parts(kind) if isinstance(part, inspect.DateTimeType)}
    models = [model for part in _parts(kind) if isinstance(part, inspect.CustomType) and (model := model_of(part.cls))]
    return (None in zones and False not in zones) or any('"date-time"' in encode(model.model_json_schema()) for model in models)


def check_instants(value: Any, path: str = "$") -> None:
    """ValueError: a datetime in here names no instant, or one that json's minutes of an offset cannot say."""
    if isinstance(value, datetime):
        offset = value.utcoffset()
        if offset is None:
            raise ValueError(f"{value!r} has no time zone, so it names no instant: use datetime.now(UTC) and the like - at `{path}`")
        if offset % _MINUTE:
            raise ValueError(f"the offset of {value!r} has seconds, which json cannot say: use .astimezone(UTC) - at `{path}`")
    elif isinstance(value, dict):
        for key, one in value.items():  # pyright: ignore[reportUnknownVariableType] - whatever it holds
            check_instants(key, f"{path}[...]")
            check_instants(one, f"{path}[{key!r}]")
    elif isinstance(value, list | tuple | set | frozenset):
        for number, one in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - the same
            check_instants(one, f"{path}[{number}]")
    else:
        for name in _fields(type(value)):
            check_instants(getattr(value, name), f"{path}.{name}")


def _fields(kind: Any) -> list[str]:
    if model_of(kind) is not None:
        return [*kind.model_fields]
    named: Any = getattr(kind, "__struct_fields__", ()) or getattr(kind, "__dataclass_fields__", ())
    return [*named, *(field.name for field in getattr(kind, "__attrs_attrs__", ()))]


def is_over(text: str, bytes_max: int) -> bool:
    """Whether the text takes more bytes than this. Counted only where it may: a character has at most four."""
    return len(text) * 4 > bytes_max and len(text.encode()) > bytes_max


def printable(text: str) -> str:
    """The text without what Postgres cannot store: lone surrogates and NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{SYMBOL FOR NULL}")


def _parts(kind: Any) -> Iterator[inspect.Type]:
    """The type and every type inside of it, once each."""
    waiting: list[Any] = [inspect.type_info(kind)]
    seen: set[int] = set()
    kept: list[Any] = []  # keeps ids unique
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        kept.append(part)
        if isinstance(part, inspect.Type):
            yield part
        for value in msgspec.structs.astuple(part):
            several = value if isinstance(value, tuple) else (value,)  # pyright: ignore[reportUnknownVariableType] - whatever it holds
            waiting += [one for one in several if isinstance(one, inspect.Type | inspect.Field)]  # pyright: ignore[reportUnknownVariableType]


def _cannot(kind: Any) -> str:
    name = f"{kind.__module__}.{kind.__qualname__}" if isinstance(kind, type) else str(kind)
    return f"json cannot carry a {name.removeprefix('builtins.')}: use a dataclass, an attrs class, a msgspec.Struct or a pydantic model"
