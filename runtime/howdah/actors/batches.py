"""The lane of a task that takes many runs at once: one call of its function, and an end of its own for each of them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ..context import BatchAttempt, CurrentRun
from ..core.states import Kind
from ..core.verdict import Misfit
from ..errors import GiveUp
from .lane import Lane


class BatchLane(Lane):
    """Makes attempts of many runs. What stands around an attempt stands once around all of them."""

    async def attempt(self, run: CurrentRun) -> tuple[Kind, str | None]:
        """Calls the function, and notes its answer for each item. Raises what the function raises: it is the end of all of them."""
        assert isinstance(run, BatchAttempt), "this lane is for batches"
        items: list[Any] = []
        for place, one in enumerate(run.runs):
            try:
                (item,), _ = self._decode(one.claimed.args)
            except msgspec.MsgspecError as error:
                run.answers[place] = Misfit(f"the stored item does not fit the signature of {self.name!r}: {error}")
            else:
                items.append(item)
                run.places.append(place)
        if not items:
            return Kind.SUCCEEDED, None
        if self._bare:
            self._encode_for(run, await self._call(run, (items,), {}))
        else:
            await self._surrounded(run, (items,), {})
        return Kind.SUCCEEDED, None

    def _encode_for(self, run: CurrentRun, value: object) -> str | None:
        """The answers, each to its item. A list of another length fails all: nobody knows whose they are."""
        if not isinstance(run, BatchAttempt):
            return super()._encode_for(run, value)
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise GiveUp(f"the batch task {self.name!r} returned {type(value).__name__}, and not a list with an answer for each item")
        if len(value) != len(run.places):  # pyright: ignore[reportUnknownArgumentType] - whatever it holds
            raise GiveUp(
                f"the batch task {self.name!r} was given {len(run.places)} items and returned {len(value)} answers: there is one for each,"  # pyright: ignore[reportUnknownArgumentType] - the same
                " in the order of the items"
            )
        for place, answer in zip(run.places, value, strict=True):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - the same
            if isinstance(answer, Exception):
                run.answers[place] = answer
                continue
            try:
                run.answers[place] = super()._encode_for(run.runs[place], answer)  # pyright: ignore[reportUnknownArgumentType] - the same
            except GiveUp as error:
                run.answers[place] = error
        return None
