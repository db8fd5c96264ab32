"""docs/placement.md: its blocks work as they stand, in their order."""

import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from howdah import App
from howdah.labels import read

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

PAGE = (Path(__file__).parents[1] / "docs" / "placement.md").read_text()


@pytest.fixture
def page(dsn: str) -> dict[str, Any]:
    """What its blocks define, one after the other, in an app whose node has the labels of the shell's block."""
    _, line = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0].strip().split("\n")
    defined: dict[str, Any] = {"jobs": App(dsn, labels=read(line.split()[0].removeprefix("HOWDAH_LABELS="), "x"), grace_s=2)}
    for code in re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        exec(code, defined)
    return defined


async def test_its_tasks_run_on_a_node_with_its_labels(page: dict[str, Any]) -> None:
    async with page["jobs"].work() as node:
        assert dict(node.labels) == {"zone": "eu", "mem_gb": 32, "gpu": True}
        assert await (await page["render"].enqueue(7)).result(timeout=10) == "film 7"
        assert await (await page["split"].enqueue(3)).result(timeout=10) == [0, 1, 2]
        await (await page["move_to"].enqueue("us")).result(timeout=10)
        assert node.labels["zone"] == "us"
        await (await page["train"].enqueue(1)).result(timeout=10)


async def test_its_sql_works(page: dict[str, Any], db: Db) -> None:
    async with page["jobs"]:
        await page["render"].options(requires={"gpu": False}).enqueue(1)
    (block,) = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    first, second = [await db.fetchval(statement) for statement in block.strip().split("\n")]
    stored = {row[0]: row[1] for row in await db.fetch("select id, placement from howdah.run")}
    assert '"requires": {"gpu": true, "mem_gb": {"at_least": 16}}' in stored[first]
    assert '"prefer_for": 60' in stored[second]
