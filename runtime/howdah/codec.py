"""Bytes and values: payloads are json, so that psql can read them. Nothing is ever pickled."""

from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(order=None)


def encode(value: object) -> str:
    """The value as json text. TypeError: it holds something that json cannot say."""
    return _encoder.encode(value).decode()


def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """Reads json text as this type, checking it. Errors are msgspec.ValidationError, with the path of the value."""
    return msgspec.json.Decoder(kind)


def decode(data: str | bytes) -> Any:
    """Reads json text as plain values."""
    return msgspec.json.decode(data)


def schema(kind: Any) -> dict[str, Any] | None:
    """The json schema of a type, or None if it has none."""
    try:
        return msgspec.json.schema(kind)
    except TypeError:
        return None


def is_over(text: str, bytes_max: int) -> bool:
    """Whether the text takes more bytes than this. Counted only where it may: a character has at most four."""
    return len(text) * 4 > bytes_max and len(text.encode()) > bytes_max
