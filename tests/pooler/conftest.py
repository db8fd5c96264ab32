"""A PgBouncer before the session's server, and the two ways to use it: beside a direct DSN, and alone.

CI sets HOWDAH_TESTS_NEED_PGBOUNCER, and then a machine without it fails; elsewhere these tests are skipped with the reason.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from howdah import App
from howdah.embedded import Embedded

from ..recovery.nodes import SHORT, Fleet, Session
from .bouncer import PROGRAM, Bouncer

NEEDED = "HOWDAH_TESTS_NEED_PGBOUNCER"
MISSING = "PgBouncer is not installed (apt-get install pgbouncer)"


@contextmanager
def before(server_dsn: str) -> Generator[Bouncer]:
    """A PgBouncer in transaction mode before this server; the test is skipped, or fails, where there is none."""
    if PROGRAM is None:
        if os.environ.get(NEEDED):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with tempfile.TemporaryDirectory(prefix="howdah-bouncer-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - root's bouncer runs as another account
        running = Bouncer(server_dsn, Path(folder))
        yield running
        running.close()


@pytest.fixture(scope="session")
def bouncer(server: Embedded) -> Iterator[Bouncer]:
    """In transaction mode."""
    with before(server.dsn("postgres")) as running:
        yield running


@pytest.fixture
def pooled(bouncer: Bouncer, dsn: str) -> str:
    """The test's database through it."""
    return bouncer.dsn(dsn)


@pytest.fixture(params=["beside a direct DSN", "alone"])
def reach(request: pytest.FixtureRequest, pooled: str, dsn: str) -> dict[str, Any]:
    """Settings that reach the test's database: each test that takes this runs both ways."""
    alone = request.param == "alone"
    return {"dsn": pooled, "grace_s": 2, "hard_grace_s": 2, **({"poll_s": 0.05} if alone else {"direct_dsn": dsn})}


@pytest.fixture
def jobs(reach: dict[str, Any]) -> App:
    """An app that reaches the test's database through the pooler."""
    return App(**reach)


@pytest.fixture
async def fleet(reach: dict[str, Any], effects: Session, tmp_path: Path) -> AsyncIterator[Fleet]:
    """Starts nodes behind the pooler. Their tasks leave their effects through it as well."""
    said = {name: value for name, value in reach.items() if name != "dsn"}
    nodes = Fleet(reach["dsn"], tmp_path, **{**SHORT, **said})
    yield nodes
    nodes.close()
