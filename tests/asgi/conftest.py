"""Servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..recovery.nodes import Session
from .servers import Servers


@pytest.fixture
def servers(dsn: str, effects: Session, tmp_path: Path) -> Iterator[Servers]:
    """Starts servers on the test's database."""
    started = Servers(dsn, tmp_path)
    yield started
    started.close()
