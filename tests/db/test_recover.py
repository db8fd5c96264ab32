"""What a node does after a claim whose answer was lost: it makes sure that nothing of it comes later."""

import os
import signal

import asyncpg
import pytest

from ..conftest import Connect
from ..recovery.nodes import happens
from .world import Session

pytestmark = pytest.mark.anyio

NAME = "howdah claim lost"


async def test_a_claim_that_cannot_be_ended_is_no_claim_that_is_over(db: Session, connect: Connect) -> None:
    """Its backend hangs where no signal reaches it, as in a read of a broken disk: it may still commit what nobody hears of."""
    lost = await connect(application_name=NAME)
    pid = lost.get_server_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(asyncpg.SerializationError, match="is still there"):
            await db.fetchval("select howdah.recover(1, '{}', $1)", NAME)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert await db.fetchval("select howdah.recover(1, '{}', $1)", NAME) == 0
    await happens(lost.is_closed)


async def test_one_that_has_ended_by_itself_is_over(db: Session) -> None:
    assert await db.fetchval("select howdah.recover(1, '{}', $1)", NAME) == 0
