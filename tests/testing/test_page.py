"""The page about testing is a project whose tests pass."""

import re
import sys
from pathlib import Path

import anyio
import pytest
from howdah.embedded import Embedded

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


async def test_the_project_on_the_page_passes(server: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = re.findall(r"^`(\w+\.py)`:\n\n```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert [name for name, _ in files] == ["shop.py", "conftest.py", "test_shop.py"]
    for name, code in files:
        (tmp_path / name).write_text(code)
    monkeypatch.setenv("HOWDAH_TEST_DSN", server.dsn("postgres"))
    with anyio.fail_after(60):
        done = await anyio.run_process([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], check=False, cwd=tmp_path)
    assert "1 passed" in done.stdout.decode(), done.stdout.decode() + done.stderr.decode()
