"""Which errors are the same error: what `howdah todo` groups by, and a bulk retry is aimed with.

The same class, raised in the same functions, saying the same but for numbers, ids and quoted values. Lines and file names are
left out: an edit above the error does not make it another one.
"""

import re
from collections.abc import Iterable
from hashlib import blake2b

FRAMES = 3
"""Innermost functions that count: enough to tell two callers of one library function apart."""

_VALUES = re.compile(
    r"""
      '[^']*' | "[^"]*"                                                   # quoted
    | \b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b    # a UUID
    | \b0x[0-9a-f]+\b | \b(?=[a-f]*\d)[0-9a-f]{8,}\b                        # an address, a digest
    | \d+(?:[.,:]\d+)*                                                    # a number, a time
    """,
    re.VERBOSE | re.IGNORECASE,
)


def fingerprint(error_type: str, functions: Iterable[str], message: str) -> str:
    """Eight hex digits for an error: its dotted class, the functions it passed through (innermost last), its message."""
    said = _VALUES.sub("#", message.partition("\n")[0])
    parts = [error_type, *list(functions)[-FRAMES:], said]
    return blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=4).hexdigest()
