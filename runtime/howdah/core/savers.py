"""Who saves up: lines that are first at a key whose bucket has not enough for them yet, and that nobody may pass."""

from collections.abc import Iterable

from .keyed import Line, Room, Task
from .turns import Share


class Savers:
    """The keys at which somebody saves up, by whom that concerns."""

    __slots__ = ("_of_share", "_of_task")

    def __init__(self) -> None:
        self._of_share: dict[Share, set[Room]] = {}
        self._of_task: dict[Task, int] = {}

    def __bool__(self) -> bool:
        return bool(self._of_task)

    def add(self, room: Room, line: Line) -> None:
        """A line saves up for tokens of this key from now on."""
        room.saver = line
        line.task.leans.add(room)
        self._of_task[line.task] = self._of_task.get(line.task, 0) + 1
        if line.share is not None:
            self._of_share.setdefault(line.share, set()).add(room)

    def remove(self, room: Room) -> None:
        """Nobody saves up here, until the key was asked whom it calls."""
        line = room.saver
        if line is None:
            return
        room.saver = None
        line.task.leans.discard(room)
        if self._of_task[line.task] == 1:
            del self._of_task[line.task]
        else:
            self._of_task[line.task] -= 1
        if line.share is not None:
            rooms = self._of_share[line.share]
            rooms.discard(room)
            if not rooms:
                del self._of_share[line.share]

    def of_share(self, share: Share) -> Iterable[Room]:
        """The keys at which lines of this group save up."""
        return self._of_share.get(share, ())

    def tasks(self) -> list[Task]:
        """The tasks of which any line saves up."""
        return list(self._of_task)
