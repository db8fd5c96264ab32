"""Progress that runs report: the latest value of each, kept until upkeep takes it to the database."""

import threading
from collections.abc import Callable
from typing import NamedTuple


class Reporter(NamedTuple):
    """The attempt that reports. Only the one that holds its run is heard."""

    run: int
    lease: int
    node: int


class Board:
    """Written from the event loop and from threads, read by upkeep. Nobody waits."""

    def __init__(self, stir: Callable[[], object]) -> None:
        self._stir = stir
        self._lock = threading.Lock()
        self._latest: dict[Reporter, str] = {}

    def __bool__(self) -> bool:
        return bool(self._latest)

    def post(self, reporter: Reporter, value: str) -> None:
        """The latest of this attempt; what it said before and nobody has taken is forgotten."""
        with self._lock:
            first = not self._latest
            self._latest[reporter] = value
        if first:
            self._stir()

    def moved(self, deadline: float) -> None:
        """An attempt moved its deadline, in monotonic seconds. Its node sees that by itself."""

    def take(self) -> dict[Reporter, str]:
        """What is new since the last time."""
        with self._lock:
            latest, self._latest = self._latest, {}
        return latest
