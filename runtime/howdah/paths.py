"""Field paths such as "user.id": where they lead in the stored arguments of a task, as far as types tell.

The names are those of Python; what is stored may be called otherwise, or stand in an array. What no type describes is trusted.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import NODEFAULT, inspect

from . import codec

Wanted = Literal["text", "number"]
"""What is to stand at the end of a path."""

_OBJECTS = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType, inspect.NamedTupleType)
_SEVERAL = (inspect.DictType, inspect.ListType, inspect.SetType, inspect.FrozenSetType, inspect.VarTupleType, inspect.TupleType)
_OPEN = (inspect.AnyType, inspect.RawType, inspect.ExtType)
_UNTOLD: Final = object()
"""A default that is made anew each time."""


class PathError(ValueError):
    """A path leads nowhere, or to something else than is wanted there. It says why."""


class Located(NamedTuple):
    """The names as they are stored, and the text that stands for an end that is not stored. None: it must be."""

    path: list[str]
    default: str | None


class _Field(NamedTuple):
    """default: NODEFAULT where it must be given, _UNTOLD where nobody can say now what it will be."""

    stored: str
    kind: inspect.Type
    default: Any


def parts(path: str) -> list[str]:
    """The names in a path. PathError: it is none."""
    names = path.split(".")
    if not all(names) or "\0" in path:
        raise PathError(f"{path!r} is no field path: that is names with dots between them, as in 'user.id'")
    return names


def locate(arguments: type[msgspec.Struct], defaults: Mapping[str, object], path: str, wanted: Wanted) -> Located:
    """Where the path leads in these arguments of a task, some of which have defaults. PathError: nowhere, or to what is not wanted."""
    names = parts(path)
    kinds: list[inspect.Type] = [inspect.type_info(arguments)]
    steps: list[list[_Field]] = []
    for depth, name in enumerate(names):
        fields = [field for kind in kinds if (field := _field(kind, name)) is not None]
        if not fields:
            raise PathError(_nowhere(".".join(names[:depth]), name, kinds))
        if len({field.stored for field in fields}) > 1:
            raise PathError(f"{'.'.join(names[: depth + 1])!r} is stored under one name or another, depending on the type of the value")
        steps.append(fields)
        kinds = [kind for field in fields for kind in _members(field.kind)]
    for kind in kinds:
        if why := _unwanted(kind, wanted):
            raise PathError(f"{path!r} leads to {why}")
    steps[0] = [field._replace(default=defaults.get(names[0], NODEFAULT)) for field in steps[0]]
    return Located([fields[0].stored for fields in steps], _default(steps))


def _members(kind: inspect.Type) -> Iterator[inspect.Type]:
    """The types that a value may have."""
    if isinstance(kind, inspect.UnionType):
        for member in kind.types:
            yield from _members(member)
    elif isinstance(kind, inspect.Metadata):
        yield from _members(kind.type)
    else:
        yield kind


def _field(kind: inspect.Type, name: str) -> _Field | None:
    """The field of this name, if values of the type have one, or may have."""
    if isinstance(kind, _OPEN):
        return _Field(name, kind, NODEFAULT)
    if isinstance(kind, inspect.DictType):
        return _Field(name, kind.value_type, NODEFAULT)
    if isinstance(kind, inspect.CustomType):
        return _field_of_model(kind, name)
    if not isinstance(kind, _OBJECTS):
        return None
    for number, field in enumerate(kind.fields):
        if field.name == name:
            default = field.default if field.default_factory is NODEFAULT else _UNTOLD
            return _Field(_stored(kind, number, field.encode_name), field.type, default)
    return None


def _stored(kind: inspect.Type, number: int, name: str) -> str:
    """What a field is called in json: in an array, by its place, behind the tag."""
    if isinstance(kind, inspect.NamedTupleType):
        return str(number)
    if isinstance(kind, inspect.StructType) and kind.array_like:
        return str(number + (kind.tag is not None))
    return name


def _field_of_model(kind: inspect.CustomType, name: str) -> _Field | None:
    """A field of a pydantic model, which is stored under its alias. Of other classes nothing is known."""
    if codec.model_of(kind.cls) is None:
        return _Field(name, kind, NODEFAULT)
    model: Any = kind.cls
    field = model.model_fields.get(name)
    if field is None:
        return None
    try:
        inside = inspect.type_info(field.annotation)
    except TypeError:  # A type of pydantic's own.
        inside = inspect.AnyType()
    default = NODEFAULT if field.is_required() else _UNTOLD if field.default_factory is not None else field.default
    return _Field(field.serialization_alias or field.alias or name, inside, default)


def _nowhere(before: str, name: str, kinds: Sequence[inspect.Type]) -> str:
    known = [field for kind in kinds for field in _names(kind)]
    whose = repr(before) if before else "the task"
    said = f"{whose} has no {name!r}, and is {' or '.join(_called(kind) for kind in kinds)}"
    return f"{said} with {', '.join(known)}" if known else said


def _names(kind: inspect.Type) -> list[str]:
    if isinstance(kind, _OBJECTS):
        return [field.name for field in kind.fields]
    model: Any = codec.model_of(kind.cls) if isinstance(kind, inspect.CustomType) else None
    return [] if model is None else [*model.model_fields]


def _called(kind: inspect.Type) -> str:
    own: type | None = getattr(kind, "cls", None)
    return type(kind).__name__.removesuffix("Type").lower() if own is None else own.__name__


def _unwanted(kind: inspect.Type, wanted: Wanted) -> str | None:
    """Why the end of a path must not be of this type. None: it may."""
    if isinstance(kind, (*_OPEN, inspect.NoneType)):
        return None
    if wanted == "number":
        return None if isinstance(kind, inspect.IntType | inspect.FloatType) else f"{_called(kind)}, and a number is wanted there"
    if isinstance(kind, (*_OBJECTS, *_SEVERAL)) or (isinstance(kind, inspect.CustomType) and codec.model_of(kind.cls) is not None):
        return f"{_called(kind)}, and one text or number is wanted there: name a field of it, or pass a function"
    if isinstance(kind, inspect.FloatType | inspect.DecimalType):
        return f"{_called(kind)}, and equal ones have several texts, as 1 and 1.0: pass a function that decides for one"
    return None


def _default(steps: Sequence[Sequence[_Field]]) -> str | None:
    """The one text that the function would find at the end where the producer has left something out on the way. None: there
    are several, or none, or it might as well be a null that was given."""
    texts: set[str] = set()
    for depth, fields in enumerate(steps):
        for field in fields:
            if any(isinstance(kind, inspect.NoneType) for kind in _members(field.kind)) or field.default is _UNTOLD:
                return None
            if field.default is not NODEFAULT:
                text = _text(field.default, [following[0].stored for following in steps[depth + 1 :]])
                texts |= set() if text is None else {text}
    return texts.pop() if len(texts) == 1 else None


def _text(value: object, path: Sequence[str]) -> str | None:
    """What stands at the end of the path in the stored value, as Postgres says it as text."""
    try:
        found = codec.decode(codec.encode(value))
    except (TypeError, ValueError):
        return None
    for name in path:
        if isinstance(found, dict):
            found = found.get(name)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - plain json
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):  # pyright: ignore[reportUnknownArgumentType] - the same
            found = found[int(name)]  # pyright: ignore[reportUnknownVariableType] - the same
        else:
            return None
    if isinstance(found, str):
        return found
    return codec.encode(found) if isinstance(found, int | float) else None  # pyright: ignore[reportUnknownArgumentType] - the same
