"""Admissions on their way to the database."""

from collections.abc import Sequence
from typing import Any

import pytest
from howdah.actors.admissions import Admissions
from howdah.core.keyed import Admitted, Demand
from howdah.mailbox import Mailbox
from howdah.messages import Woken

pytestmark = pytest.mark.anyio


class Register:
    """A database that admits everything, as long as each run is beside its node."""

    async def admit(self, epoch: int, own: int, runs: Sequence[int], nodes: Sequence[int], levels: Sequence[Any]) -> list[Any]:
        return list(zip(nodes, runs, strict=True))


def decided(run: int, line: int, place: int) -> Admitted:
    return Admitted(run, line, place, (1, 1), (Demand(("one", str(line))),), (), keeps=False, lane="")


async def test_a_run_that_was_decided_on_twice_goes_once_and_the_answer_says_what_is_not_to_be() -> None:
    admissions = Admissions(Register(), 1, 1, Mailbox[Woken](1))
    first, other, second = decided(7, 1, 11), decided(8, 1, 12), decided(7, 2, 13)

    admissions.send([first, other, second], [])
    admissions.end()
    await admissions.serve()
    (answer,) = await admissions.take()

    assert answer.decided == {7: second, 8: other}
    assert sorted(answer.rows) == [(12, 8), (13, 7)]
    assert answer.twice == [first]
