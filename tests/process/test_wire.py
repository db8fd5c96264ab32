"""Messages survive however the socket cuts them."""

import socket
import struct

from howdah.messages import Outcome
from howdah.process.wire import Broken, Ended, Frames, FromChild, Leave, Ready, Start, framed, heard
from hypothesis import given
from hypothesis import strategies as st

from .isolated import total
from .stage import RUN, hello

MESSAGES: list[FromChild] = [Ready(), Broken("why\n" * 3), Ended(Outcome(1, 2, 3, None, 1, None, '{"ü": 1}', 4)), Ready()]


@given(st.lists(st.integers(1, 40)))
def test_what_a_child_sends_is_read_however_it_arrives(cuts: list[int]) -> None:
    data = b"".join(map(framed, MESSAGES))
    frames = Frames()
    read: list[FromChild] = []
    for cut in [*cuts, len(data)]:
        read += frames.cut(data[:cut])
        data = data[cut:]

    assert read == MESSAGES


def test_what_a_node_sends_is_read_until_it_is_gone() -> None:
    node, child = socket.socketpair()
    said = [hello(total), Start(RUN, 1.5), Leave()]
    with node, child:
        for message in said:
            node.sendall(framed(message))
        assert [heard(child) for _ in said] == said
        node.sendall(struct.pack(">I", 100) + b"half of it")
        node.close()
        assert heard(child) is None
        assert heard(child) is None
