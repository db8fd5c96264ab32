"""A wheel of the tree in a virtual environment, which is what the examples of deployment run."""

import subprocess
import sys
from pathlib import Path

import pytest
from howdah.embedded import Embedded

from .stage import interpreter, open_to_all

ROOT = Path(__file__).parents[2]


def _run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution, built as it is released."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of an environment that holds it and what it depends on. A registry must be in reach."""
    python = interpreter()
    if python is None:
        pytest.skip("no Python here may be started by another account than root's")
    home = tmp_path_factory.mktemp("service") / "venv"
    _run(python, "-m", "venv", "--without-pip", home, cwd=home.parent)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", home / "bin" / "python"]
    _run(*pip, "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel, cwd=home)
    open_to_all(home)
    return home / "bin"


@pytest.fixture
def reachable(server: Embedded, dsn: str) -> str:
    """The test's database, for another account as well: the embedded server's socket is for its own user's eyes."""
    server.sockets.chmod(0o755)
    return dsn
