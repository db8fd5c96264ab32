"""Whether arguments fit a task, by the json schema that the catalogue has of it: their names, and the kind of each value.

It refuses only what no node would take. What is inside of a value is the node's to judge, which has the type itself.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def faults(schema: Mapping[str, Any], args: Mapping[str, Any]) -> Iterator[str]:
    """What keeps the arguments from fitting, a phrase each."""
    top = _followed(schema, schema)
    parameters: Mapping[str, Any] = top.get("properties", {})
    for name in args:
        if name not in parameters:
            close = difflib.get_close_matches(name, parameters, 1)
            takes = f"it takes {', '.join(parameters)}" if parameters else "it takes none"
            yield f"it has no parameter {name!r}; " + (f"did you mean {close[0]}?" if close else takes)
    for name in top.get("required", ()):
        if name not in args:
            yield f"its parameter {name!r} is missing"
    for name, value in args.items():
        if name in parameters and not _may_be(value, parameters[name], schema):
            yield f"its parameter {name!r} cannot be {_said(value)}"


def _may_be(value: object, wanted: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    wanted = _followed(wanted, schema)
    for several in ("anyOf", "oneOf"):
        if several in wanted:
            return any(_may_be(value, one, schema) for one in wanted[several])
    if "enum" in wanted:
        return value in wanted["enum"]
    kinds = wanted.get("type")
    if kinds is None:
        return True
    return any(_is(value, kind, wanted) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _is(value: object, kind: str, wanted: Mapping[str, Any]) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, int | float) and wanted.get("format") == "decimal":
        return True  # It is written as text, and read from a number as well.
    return kind not in _KINDS or isinstance(value, _KINDS[kind])


def _followed(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference leads to."""
    while isinstance(to := part.get("$ref"), str):
        part = schema.get("$defs", {}).get(to.removeprefix("#/$defs/"), {})
    return part


def _said(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f'the text "{value[:40]}"'
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
        case _:
            return "an object"
