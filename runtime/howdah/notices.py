"""What notifications say. Anybody who may connect to the database may send one, so each is a hint: what makes no sense is
passed over, and nothing is done on its word alone that costs a run anything.
"""

from math import isnan

from .core.tidings import Space, Tidings

_INT = 2**31
_BIGINT = 2**63

PAIRS_MAX = 200
"""Runs with their leases in one notification, which holds 8,000 bytes."""

SPACE_MAX = 1_000_000
"""What no node has room for."""


def ready(payload: str) -> tuple[int, int, int, int, str | None] | None:
    """Queue, task, priority and id of a run that is ready, and who says so."""
    numbers, origin = payload.split(" ")[:4], payload.split(" ")[4:]
    read = _numbers(numbers, 4)
    if read is None:
        return None
    queue, task, priority, number = read
    if not (0 <= queue < _INT and 0 <= task < _INT and -(2**15) <= priority < 2**15):
        return None
    return queue, task, priority, number, origin[0] if origin else None


def pairs(payload: str) -> list[tuple[int, int]]:
    """Attempts (run, lease) that somebody is said to want cancelled."""
    found = [_numbers(pair.split(" "), 2) for pair in payload.split(",")]
    return [(pair[0], pair[1]) for pair in found if pair is not None]


def paused(payload: str) -> tuple[int | None, int | None] | None:
    """The queue, or the task, whose runs start no more, beside None; None: something else has changed."""
    kind, _, number = payload.partition(" ")
    read = _numbers([number], 1)
    if read is None or kind not in ("queue", "task"):
        return None
    return (read[0], None) if kind == "queue" else (None, read[0])


def runs(payload: str) -> list[int]:
    """Runs that are said to have ended."""
    return _numbers(payload.split(" ")) or []


def to_gate(payload: str, tidings: Tidings) -> bool:
    """Puts what is said to the gate among its tidings. Whether it must be woken."""
    what, _, rest = payload.partition(" ")
    numbers = _numbers(rest.replace(",", " ").split(" ")) if rest else []
    if numbers is None:
        return False
    woken = False
    match what:
        case "new" if len(numbers) == 2:
            woken = tidings.add_range(numbers[0], numbers[1])
        case "runs":
            woken = tidings.add_runs(numbers)
        case "ended" if len(numbers) % 2 == 0:
            # Anybody may have said so: whether they hold their leases stands in the database.
            woken = tidings.add_doubtful(zip(numbers[::2], numbers[1::2], strict=True))
        case "space" if len(numbers) >= 4:
            node, room, capacity, queues = numbers[:4]
            served = None if queues < 0 else numbers[4 : 4 + queues]
            woken = tidings.add_space(Space(node, room, min(capacity, SPACE_MAX), numbers[4 + max(0, queues) :], served))
        case "terms":
            woken = tidings.add_terms()
        case "look":
            woken = tidings.add_everything()
        case _:
            pass
    return woken


def space(said: Space) -> str:
    """What a node says to the gate of the room that it has, as to_gate() reads it."""
    queues = [-1] if said.queues is None else [len(said.queues), *said.queues]
    return " ".join(map(str, ["space", said.node, said.room, said.capacity, *queues, *said.tasks]))


def ended(pairs: list[tuple[int, int]]) -> list[str]:
    """What a node says to the gate of runs that hold their leases no more."""
    return ["ended " + ",".join(f"{run} {lease}" for run, lease in pairs[at : at + PAIRS_MAX]) for at in range(0, len(pairs), PAIRS_MAX)]


def seconds(payload: str) -> float:
    """In how many seconds a timer is due; negative: effects wait to be settled. 0, which means to look, if it cannot be read."""
    try:
        said = float(payload)
    except ValueError:
        return 0.0
    return 0.0 if isnan(said) else -1.0 if said < 0 else said


def _numbers(words: list[str], count: int | None = None) -> list[int] | None:
    """So many numbers that Postgres counts with; None: it is something else."""
    if count is not None and len(words) != count:
        return None
    if not all(word.removeprefix("-").isdecimal() and word.isascii() and len(word) <= 20 for word in words):
        return None
    numbers = [int(word) for word in words]
    return numbers if all(-_BIGINT < number < _BIGINT for number in numbers) else None
