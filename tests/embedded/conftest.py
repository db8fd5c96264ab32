"""Places for servers. Most tests share one, one after the other, which saves an initdb each."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .place import Place


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] - pytest uses it
    for name in ("HOWDAH_HOME", "HOWDAH_PG_BIN", "PGPORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fresh() -> Iterator[Place]:
    """A place without data."""
    place = Place()
    yield place
    place.close()


@pytest.fixture(scope="session")
def shared_place() -> Iterator[Place]:
    place = Place()
    yield place
    place.close()


@pytest.fixture
def place(shared_place: Place) -> Iterator[Place]:
    """The place that most tests share; it mostly has its data already. No server runs in it."""
    yield shared_place
    shared_place.settle()


@pytest.fixture
def root() -> None:
    """For tests that take other accounts or mounts, which only root can."""
    if os.geteuid() != 0:
        pytest.skip("only root can take another account or mount a file system")


@pytest.fixture
def debian_binaries() -> Path:
    """An older Postgres of the system."""
    directory = Path("/usr/lib/postgresql/15/bin")
    if not (directory / "initdb").exists():
        pytest.skip("no Postgres 15 is installed here")
    return directory
