"""Sizes as people write them: a number of bytes, or text such as "512MB" or "1.5GiB", and as a program says them."""

import re

Size = int | str
"""A number of bytes, or text such as "512MB"."""

LARGEST = 2**50
"""A pebibyte: beyond this it is a slip of the pen."""

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_TEXT = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?B)", re.IGNORECASE)


def in_bytes(size: Size) -> int:
    """The size in bytes. ValueError: it is not one, it is not positive, or it is larger than LARGEST."""
    if isinstance(size, str):
        found = _TEXT.fullmatch(size.strip())
        if found is None:
            message = f'{size!r} is no size: write it as in "512MB", "1.5GB" or "64MiB"'
            raise ValueError(message)
        size = round(float(found[1]) * _UNITS[found[2].upper()])
    if not 0 < size <= LARGEST:
        message = f"{size!r} is no size: it is a positive number of bytes, at most a pebibyte"
        raise ValueError(message)
    return size


def said(size: int) -> str:
    """The size as people say it."""
    for unit in ("TB", "GB", "MB", "kB"):
        whole = _UNITS[unit.upper()]
        if size >= whole:
            return f"{size / whole:.3g} {unit}"
    return f"{size} B"
