"""The stores, where what Postgres answers can hardly be had from a real one."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from howdah.config import Config
from howdah.db.files import query
from howdah.db.leases import Leases, Member
from howdah.labels import Labels

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Scripted:
    """A connection, and the link to it: each statement has its answers, in order."""

    def __init__(self, **answers: list[Any]) -> None:
        self._answers = {query(name): some for name, some in answers.items()}

    async def call(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        return await work(self)

    async def fetchval(self, text: str, *_: Any) -> Any:
        answer = self._answers[text].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def execute(self, text: str, *_: Any) -> None:
        self._answers[text].pop(0)


async def test_a_node_whose_entry_was_committed_unheard_and_reaped_meanwhile_enters_again() -> None:
    leases = Leases(Config(), Member("node", "here", 1, "0", [], [], None, Labels({}, lambda: None)))
    leases._link = Scripted(join_node=[asyncpg.UniqueViolationError(""), NOW], renew=[None], leave_node=[None])  # type: ignore[assignment]
    assert await leases.enter(1, 15.0) == NOW
