"""A table for effects, and servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..recovery.nodes import EFFECTS, Session
from .servers import Servers


@pytest.fixture
async def effects(db: Session) -> Session:
    """The test's database, with a table for what tasks did."""
    await db.execute(EFFECTS)
    return db


@pytest.fixture
def servers(dsn: str, effects: Session, tmp_path: Path) -> Iterator[Servers]:
    """Starts servers on the test's database."""
    started = Servers(dsn, tmp_path)
    yield started
    started.close()
