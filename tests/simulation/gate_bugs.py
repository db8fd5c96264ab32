"""Mistakes of the gate, of its nodes and of its statements, which histories must show. That nobody else admits is for the interleavings:
here a node that is the gate no more has lost its connections, too."""

from collections.abc import Generator
from contextlib import contextmanager
from unittest.mock import patch

from howdah.core.lines import Hints
from howdah.core.places import Places

from .gate import Gate
from .world import World


@contextmanager
def a_gate_that_takes_over_believes_that_nothing_is_held(_: World) -> Generator[None]:
    with patch.object(Gate, "held", lambda _self: []):
        yield


@contextmanager
def nodes_do_not_heed_what_was_admitted_to_them(_: World) -> Generator[None]:
    with patch.object(Hints, "add_admitted", lambda _self, _pairs: False):
        yield


@contextmanager
def a_place_never_gets_free(_: World) -> Generator[None]:
    with patch.object(Places, "free", lambda _self, _node, _task: None):
        yield


GATE_BUGS = (
    a_gate_that_takes_over_believes_that_nothing_is_held,
    nodes_do_not_heed_what_was_admitted_to_them,
    a_place_never_gets_free,
)
