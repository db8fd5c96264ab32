"""A database that nobody has migrated."""

import pytest
from howdah.embedded import Embedded


@pytest.fixture
def server_dsn(server: Embedded) -> str:
    return server.dsn("postgres")
