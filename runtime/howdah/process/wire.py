"""What a node and its child processes say to each other: frames of a length and a msgpack message over a socket pair.

Arguments and results pass as the json text that is stored, so that a function sees the same values in every executor.
Nothing is pickled.
"""

import socket
import struct
from collections.abc import Iterator
from uuid import UUID

import msgspec

from ..config import Config
from ..labels import LabelValue
from ..messages import Claimed, Extended, Limited, Outcome, Reported


class Address(msgspec.Struct, frozen=True):
    """How the child imports what it needs. Functions are "module:qualname"."""

    task: str
    function: str
    middlewares: list[str]
    app: str | None
    """The module in which the app stands, with everything that it includes; None: it stands in no module."""
    main: dict[str, str]
    """How multiprocessing would import the script that the node runs in; empty: nothing is in it."""
    argv: list[str]


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The first words to a child: what it is there for."""

    address: Address
    retry: dict[str, int | float]
    timeout_s: float
    hash: str
    config: Config
    log_level: int
    scopes: list[tuple[str, str]] = []
    """What it enters before it imports anything: see place.handed_on()."""
    rates: list[str] = []
    """Those among the limits of the task, which the bare function does not name."""


class Start(msgspec.Struct, frozen=True, tag=True):
    """Make this attempt. offset_s: Unix time of the database minus monotonic time, which is one for all processes. trace: the
    span of the attempt, if it has one. node, labels: the name of the node, and what it says of itself by now."""

    claimed: Claimed
    offset_s: float
    installation: UUID = UUID(int=0)
    trace: str | None = None
    node: str = ""
    labels: dict[str, LabelValue] = {}


class Leave(msgspec.Struct, frozen=True, tag=True):
    """Clean up and end."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The task was found, and attempts can be made."""


class Broken(msgspec.Struct, frozen=True, tag=True):
    """The task could not be had, and the child ends."""

    why: str


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The attempt is over. The verdict was passed in the child, where the exception was."""

    outcome: Outcome


ToChild = Hello | Start | Leave
FromChild = Ready | Broken | Ended | Extended | Reported | Limited

_HEAD = struct.Struct(">I")
_encoder = msgspec.msgpack.Encoder()
_to_child = msgspec.msgpack.Decoder[ToChild](ToChild)
_from_child = msgspec.msgpack.Decoder[FromChild](FromChild)


def framed(message: ToChild | FromChild) -> bytes:
    """The message as it goes over the socket."""
    body = _encoder.encode(message)
    return _HEAD.pack(len(body)) + body


class Frames:
    """Cuts what a child sends into messages, however it arrives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def cut(self, data: bytes) -> Iterator[FromChild]:
        """The messages that are complete with this."""
        self._buffer += data
        start, size = 0, _HEAD.size
        while len(self._buffer) - start >= size:
            (length,) = _HEAD.unpack_from(self._buffer, start)
            end = start + size + length
            if len(self._buffer) < end:
                break
            yield _from_child.decode(memoryview(self._buffer)[start + size : end].tobytes())
            start = end
        del self._buffer[:start]


def heard(sock: socket.socket) -> ToChild | None:
    """The next message of the node, waited for; None: there is no node any more."""
    head = _exactly(sock, _HEAD.size)
    body = head and _exactly(sock, _HEAD.unpack(head)[0])
    return _to_child.decode(body) if body else None


def _exactly(sock: socket.socket, count: int) -> bytes | None:
    parts: list[bytes] = []
    while count:
        try:
            part = sock.recv(min(count, 1 << 20))
        except ConnectionError:
            return None
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
