"""What notifications say. Anybody who may connect to the database may send one, so each is a hint: what makes no sense is
passed over, and nothing is done on its word alone that costs a run anything.
"""

from math import isnan

_INT = 2**31
_BIGINT = 2**63


def ready(payload: str) -> tuple[int, int, int, int, str | None] | None:
    """Queue, task, priority and id of a run that is ready, and who says so."""
    words, origin = payload.split(" ")[:4], payload.split(" ")[4:]
    read = numbers(words, 4)
    if read is None:
        return None
    queue, task, priority, number = read
    if not (0 <= queue < _INT and 0 <= task < _INT and -(2**15) <= priority < 2**15):
        return None
    return queue, task, priority, number, origin[0] if origin else None


def pairs(payload: str) -> list[tuple[int, int]]:
    """Attempts (run, lease) that somebody is said to want cancelled."""
    found = [numbers(pair.split(" "), 2) for pair in payload.split(",")]
    return [(pair[0], pair[1]) for pair in found if pair is not None]


def paused(payload: str) -> tuple[int | None, int | None] | None:
    """The queue, or the task, whose runs start no more, beside None; None: something else has changed."""
    kind, _, number = payload.partition(" ")
    read = numbers([number], 1)
    if read is None or kind not in ("queue", "task"):
        return None
    return (read[0], None) if kind == "queue" else (None, read[0])


def runs(payload: str) -> list[int]:
    """Runs that are said to have ended."""
    return numbers(payload.split(" ")) or []


def seconds(payload: str) -> float:
    """In how many seconds a timer is due; negative: effects wait to be settled. 0, which means to look, if it cannot be read."""
    try:
        said = float(payload)
    except ValueError:
        return 0.0
    return 0.0 if isnan(said) else -1.0 if said < 0 else said


def numbers(words: list[str], count: int | None = None) -> list[int] | None:
    """So many numbers that Postgres counts with; None: it is something else."""
    if count is not None and len(words) != count:
        return None
    if not all(word.removeprefix("-").isdecimal() and word.isascii() and len(word) <= 20 for word in words):
        return None
    read = [int(word) for word in words]
    return read if all(-_BIGINT < number < _BIGINT for number in read) else None
