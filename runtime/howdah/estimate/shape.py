"""The measured task: what its runs carry, how long they take, and what its nodes say of it."""

import base64
import random

import msgspec

TASK = "howdah_estimate"

_AROUND = len('{"data":""}')


class Shape(msgspec.Struct, frozen=True):
    """payload_bytes: the arguments of a run as json. task_s: how long it waits, as for an answer from elsewhere.
    transaction: whether it does so in transaction(), and so on a connection of the pool."""

    payload_bytes: int = 100
    task_s: float = 0.0
    transaction: bool = False

    def data(self) -> str:
        """Text that makes the arguments as long as that. It cannot be compressed, as real arguments hardly can: nobody is flattered."""
        length = max(0, self.payload_bytes - _AROUND)
        return base64.b64encode(random.Random(length).randbytes(length)).decode()[:length]  # noqa: S311 - filler, not a secret


class Used(msgspec.Struct):
    """What a node has used since it began to work. In seconds; of all its runs together.

    busy_s: in functions, but for waiting_s, which they waited for a connection. held_s: with a connection in their hand.
    """

    cpu_s: float = 0.0
    ended: int = 0
    busy_s: float = 0.0
    waiting_s: float = 0.0
    held_s: float = 0.0

    def since(self, before: "Used") -> "Used":
        """What was used in between."""
        return Used(**{name: getattr(self, name) - getattr(before, name) for name in self.__struct_fields__})


class Told(msgspec.Struct):
    """A line of a node: open (it can be told to work), working (its lease holds), resting, or what it has used."""

    state: str
    used: Used
    slots: int
    connections: int
