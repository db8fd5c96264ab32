"""What the doctor says: findings, each with its mend, and what could not be looked at."""

from typing import Literal

import msgspec

Severity = Literal["error", "warning"]
"""error: work stands still, or may be lost. warning: it will hurt."""


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as it should be."""

    name: str
    severity: Severity
    seen: str
    """What was seen, a sentence."""
    why: str
    """What it leads to, a sentence."""
    mend: str
    """What to do: SQL to paste into psql as the owner of the schema, a line for the shell, or a sentence where neither is enough."""


class Unseen(msgspec.Struct, frozen=True):
    """Something that could not be looked at, why, and what would let the doctor look."""

    what: str
    because: str
    mend: str


class Examination(msgspec.Struct, frozen=True):
    """What an examination found: errors first. Healthy: findings is empty."""

    findings: list[Finding]
    unseen: list[Unseen]
    looks: int
    """How many things were looked at."""
