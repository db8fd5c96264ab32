"""The floors stand, and whatever would break through one of them is caught."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .tree import PACKAGE, ROOT

LINT = Path(sys.executable).with_name("lint-imports")


def broken_contracts(root: Path) -> set[str]:
    """The contracts that the package below this root breaks."""
    done = subprocess.run(
        [LINT, "--no-cache", "--no-logo", str(ROOT / "pyproject.toml")],
        cwd=root, env={"PYTHONPATH": str(root), "NO_COLOR": "1", "COLUMNS": "200"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    verdicts = dict(re.findall(r"^(.+?) (KEPT|BROKEN)\b", done.stdout, re.MULTILINE))
    assert verdicts, done.stdout + done.stderr
    assert (done.returncode == 0) == ("BROKEN" not in verdicts.values())
    return {name for name, verdict in verdicts.items() if verdict == "BROKEN"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package to break."""
    shutil.copytree(PACKAGE, tmp_path / "howdah", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "howdah"


def test_the_floors_stand() -> None:
    assert broken_contracts(ROOT / "runtime") == set()


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("core/lines.py", "import asyncio", "the core does no I/O and reads no clock"),
        ("core/retry.py", "from time import monotonic", "the core does no I/O and reads no clock"),
        ("core/verdict.py", "from ..mailbox import Mailbox", "the core does no I/O and reads no clock"),
        ("core/states.py", "from ..messages import Claimed", "floors"),
        ("db/stores.py", "from ..actors.keeper import keep", "floors"),
        ("actors/writer.py", "from ..db.link import Link", "actors know no database"),
        ("actors/listener.py", "from ..results import Results", "actors know no database"),
        ("actors/heart.py", "import asyncpg", "actors do not speak to Postgres"),
        ("actors/writer.py", "from .keeper import keep", "actors do not know each other"),
        ("actors/lane.py", "from .room import Room", "actors do not know each other"),
        ("context.py", "from .db.link import Link", "floors"),
        ("definitions.py", "def late():\n    from .app import App", "floors"),
        ("stairs.py", '"""On no floor."""', "floors"),
        ("actors/stranger.py", '"""On no floor."""', "actors do not know each other"),
    ],
)
def test_a_planted_violation_is_caught(copy: Path, file: str, line: str, contract: str) -> None:
    planted = copy / file
    planted.write_text((planted.read_text() if planted.exists() else "") + f"\n{line}\n")

    assert contract in broken_contracts(copy.parent)
