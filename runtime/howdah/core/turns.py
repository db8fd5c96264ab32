"""Whose turn it is among groups that want the same: start-time fair queueing.

Each group has a tag, the virtual time at which its next run starts, and the lowest tag goes first. A start moves the group's
tag on by 1 / weight, so that weights are shares. Virtual time is the tag of what started last: whoever comes anew begins there,
neither with a credit for the time of its absence nor behind those who wait.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


class Share:
    """One group's part. waiting: how many lines it has, and while there are any it is backlogged."""

    __slots__ = ("tag", "waiting", "weight")

    def __init__(self, weight: float) -> None:
        self.tag = 0.0
        self.weight = weight
        self.waiting = 0


class Turns(Generic[Name]):
    """The groups of one key. Between two backlogged groups starts differ by their weights, and by one run for rounding."""

    __slots__ = ("_now", "_shares")

    def __init__(self) -> None:
        self._now = 0.0
        self._shares: dict[Name, Share] = {}

    def __len__(self) -> int:
        return len(self._shares)

    def join(self, name: Name, weight: float) -> Share:
        """One line more waits in this group. The weight that was told last counts."""
        assert weight > 0
        share = self._shares.get(name)
        if share is None:
            share = self._shares[name] = Share(weight)
        share.weight = weight
        if share.waiting == 0:
            self.enter(share)
        share.waiting += 1
        return share

    def leave(self, share: Share) -> None:
        """One line less. The tag stays: who leaves after a start and comes back at once gains nothing."""
        assert share.waiting > 0
        share.waiting -= 1

    def enter(self, share: Share) -> None:
        """A group that was away begins now."""
        share.tag = max(share.tag, self._now)

    def serve(self, share: Share) -> None:
        """A run of this group starts.

        One that was passed over, since something else than its turn held it up, has its turn now and no more: with a credit
        for all that it missed, it would keep the others from starting for as long as it was held up.
        """
        tag = share.tag
        if tag < self._now:
            tag = self._now
        else:
            self._now = tag
        share.tag = tag + 1.0 / share.weight

    def sweep(self) -> None:
        """Forgets the groups that are away and owe nothing. Where none waits, none owes anything: the next one begins anew."""
        if any(share.waiting for share in self._shares.values()):
            self._shares = {name: share for name, share in self._shares.items() if share.waiting or share.tag > self._now}
        else:
            self._shares = {}
