"""How fast something goes: two counts since the beginning, and the time between them."""

import msgspec


class Counts(msgspec.Struct, frozen=True):
    """Runs since the beginning, whatever history still holds."""

    enqueued: int
    succeeded: int
    failed: int
    retried: int


class Pace(msgspec.Struct, frozen=True):
    """The same for each second."""

    enqueued: float
    succeeded: float
    failed: float
    retried: float


def pace(before: Counts | None, after: Counts, elapsed_s: float) -> Pace | None:
    """What happened in between; None: nothing is known of before. Counts that went back (a backup was restored) are no pace."""
    if before is None or elapsed_s <= 0:
        return None
    steps = [now - then for then, now in zip(msgspec.structs.astuple(before), msgspec.structs.astuple(after), strict=True)]
    if min(steps) < 0:
        return None
    return Pace(*(step / elapsed_s for step in steps))
