"""What is said to the gate in notifications. All of it is hearsay: the gate asks the rows before a run gains or loses anything by it."""

import msgspec

from .core.keyed import Key
from .core.tidings import Space, Tidings
from .notices import numbers as read_numbers

PAIRS_MAX = 200
"""Runs with their leases in one notification, which holds 8,000 bytes."""

SPACE_MAX = 1_000_000
"""What no node has room for."""


def hear(payload: str, tidings: Tidings) -> bool:
    """Puts what is said to the gate among its tidings. Whether it must be woken."""
    what, _, rest = payload.partition(" ")
    if what == "closed":
        key = _key(rest)
        return key is not None and tidings.add_closed(key)
    numbers = read_numbers(rest.replace(",", " ").split(" ")) if rest else []
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
        case "over":
            woken = tidings.add_over(numbers)
        case "terms" | "labels" | "look":
            woken = {"terms": tidings.add_terms, "labels": tidings.add_labels, "look": tidings.add_everything}[what]()
        case _:
            pass
    return woken


def _key(said: str) -> Key | None:
    """The name of a limit and one of its keys, as json; None: it is something else."""
    try:
        return msgspec.json.decode(said, type=Key)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None


def space(said: Space) -> str:
    """What a node says to the gate of the room that it has, as hear() reads it."""
    queues = [-1] if said.queues is None else [len(said.queues), *said.queues]
    return " ".join(map(str, ["space", said.node, said.room, said.capacity, *queues, *said.tasks]))


def ended(pairs: list[tuple[int, int]]) -> list[str]:
    """What a node says to the gate of runs that hold their leases no more."""
    return ["ended " + ",".join(f"{run} {lease}" for run, lease in pairs[at : at + PAIRS_MAX]) for at in range(0, len(pairs), PAIRS_MAX)]
