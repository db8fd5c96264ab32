"""`howdah top` where nobody looks at a terminal: one plain frame, or one JSON object per look."""

import json

import asyncpg
import pytest

from ..db import world
from .programs import beside

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection


async def test_for_programs_each_look_is_one_object_and_the_first_has_no_pace(dsn: str, db: Db) -> None:
    await world.enqueue(db, 3)
    said = await beside("top", "--json", "--count", "3", "--interval", "0.05s", HOWDAH_DSN=dsn)
    first, second, third = [json.loads(line) for line in said.stdout.splitlines()]
    assert said.exit_code == 0
    assert first["total"]["pace"] is None
    assert second["queues"][0]["pace"] == third["total"]["pace"] == {"enqueued": 0, "succeeded": 0, "failed": 0, "retried": 0}
    assert (first["queues"][0]["queue"], first["queues"][0]["ready"]) == ("default", 3)


async def test_elsewhere_than_on_a_terminal_one_plain_frame_is_printed(dsn: str, db: Db) -> None:
    await world.enqueue(db, 3)
    said = await beside("top", "--interval", "0.05s", HOWDAH_DSN=dsn, COLUMNS="80")
    assert said.exit_code == 0
    assert "\x1b" not in said.stdout
    assert said.stdout.startswith("howdah top  test_")
    assert "default" in said.stdout
    assert max(map(len, said.stdout.splitlines())) <= 80


async def test_its_options_have_variables(dsn: str, db: Db) -> None:
    said = await beside("top", HOWDAH_DSN=dsn, HOWDAH_TOP_JSON="1", HOWDAH_TOP_COUNT="1", HOWDAH_TOP_INTERVAL="0.05s")
    assert len(said.stdout.splitlines()) == 1


@pytest.mark.parametrize("interval", ["0", "soon"])
async def test_an_interval_that_is_none_is_refused(dsn: str, db: Db, interval: str) -> None:
    said = await beside("top", "--interval", interval, HOWDAH_DSN=dsn)
    assert said.exit_code == 2


async def test_a_database_that_is_away_at_the_beginning_is_one_sentence() -> None:
    said = await beside("top", HOWDAH_DSN="postgresql://postgres@127.0.0.1:1/none")
    assert said.exit_code == 1
    assert said.stderr.startswith("howdah: Postgres does not answer")
