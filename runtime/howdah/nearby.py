"""Nodes in the process that enqueues: they hear of a run at once, without a round trip through Postgres.

The notification that follows is for other processes. It carries our origin, so the near ones pass it over.
"""

import random
from collections.abc import Callable, Generator
from contextlib import contextmanager

Tell = Callable[[int, int, int, int], None]
"""Takes queue, task, priority and id of the first run, as a notification has them."""


class Nearby:
    """The nodes of one app. `origin` is what our own announcements are known by."""

    def __init__(self) -> None:
        self.origin = f"{random.getrandbits(64):016x}"
        self._nodes: list[Tell] = []

    @property
    def listened(self) -> bool:
        """Whether there are any."""
        return bool(self._nodes)

    @contextmanager
    def listening(self, node: Tell) -> Generator[None, None, None]:
        """Tells this node from now on; it looks at everything once after this."""
        self._nodes.append(node)
        try:
            yield
        finally:
            self._nodes.remove(node)

    def tell(self, queue: int, task: int, priority: int, first: int) -> bool:
        """A commit of ours made runs ready. Whether anybody was there to hear it."""
        for node in self._nodes:
            node(queue, task, priority, first)
        return bool(self._nodes)
