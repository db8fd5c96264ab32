"""What a user gets: the wheel, in an empty environment outside of the checkout, migrates a database and runs two examples."""

import subprocess
import sys
import venv
from collections.abc import AsyncIterator
from pathlib import Path
from zipfile import ZipFile

import asyncpg
import pytest
from howdah.config import Config
from howdah.db.migrate import script
from howdah.embedded import Embedded

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[1]
BARE = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
"""Nothing of the checkout's environment, and no settings."""


SIGN_UP = """
from fastapi.testclient import TestClient
from signup import app

with TestClient(app) as client:
    made = client.post("/users", json={"email": "ada@example.org"})
    print(client.get(f"/mails/{made.json()['run_id']}").json())
"""


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of an environment that holds the wheel and what it depends on. A registry must be in reach."""
    home = tmp_path_factory.mktemp("user") / "venv"
    venv.create(home, symlinks=True)
    programs = home / "bin"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", programs / "python"]
    run(*pip, "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel, "fastapi", "httpx", cwd=home)
    return programs


@pytest.fixture
async def empty(server: Embedded) -> AsyncIterator[str]:
    """A database without a schema of ours."""
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute("create database test_wheel")
    yield server.dsn("test_wheel")
    await admin.execute("drop database test_wheel with (force)")
    await admin.close()


def test_the_wheel_holds_the_package_the_sql_and_the_licence_and_nothing_else(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    source = {f"howdah/{path.relative_to(ROOT / 'runtime/howdah')}" for path in (ROOT / "runtime/howdah").rglob("*.py")}
    sql = {f"howdah/_sql/{path.relative_to(ROOT / 'sql')}" for path in (ROOT / "sql").rglob("*.sql")}
    about = {name for name in names if ".dist-info/" in name}

    assert names - about == source | sql | {"howdah/py.typed"}
    assert any(name.endswith("/LICENSE") for name in about)


async def test_a_user_migrates_a_database_and_runs_the_sql_example(installed: Path, empty: str, tmp_path: Path) -> None:
    env = BARE | {"HOWDAH_DSN": empty}
    example = tmp_path / "sql_enqueue.py"
    example.write_text((ROOT / "examples/sql_enqueue.py").read_text())

    where = run(installed / "python", "-c", "import howdah; print(howdah.__file__)", cwd=tmp_path, env=env)
    assert Path(where).is_relative_to(installed.parent)
    assert "Applied 0001" in run(installed / "howdah", "migrate", cwd=tmp_path, env=env)
    assert "up to date" in run(installed / "howdah", "migrate", "--check", cwd=tmp_path, env=env)
    assert run(installed / "python", "-W", "error", example, cwd=tmp_path, env=env) == "5\n"


async def test_a_user_runs_the_fastapi_example_beside_a_worker(installed: Path, empty: str, tmp_path: Path) -> None:
    env = BARE | {"HOWDAH_DSN": empty}
    (tmp_path / "signup.py").write_text((ROOT / "examples/signup.py").read_text())
    run(installed / "howdah", "migrate", cwd=tmp_path, env=env)
    worker = subprocess.Popen([installed / "howdah", "worker", "signup"], cwd=tmp_path, env=env, stderr=subprocess.DEVNULL)
    try:
        assert run(installed / "python", "-c", SIGN_UP, cwd=tmp_path, env=env) == "to ada@example.org: welcome aboard, user 1\n"
    finally:
        worker.terminate()
        assert worker.wait(60) == 0


def test_the_sql_of_the_wheel_is_the_sql_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "howdah", "migrate", "--sql", cwd=tmp_path, env=BARE) == script(Config())


def test_every_command_starts_without_the_extras(installed: Path, tmp_path: Path) -> None:
    for command in ("db", "demo", "migrate", "settings", "tasks", "worker"):
        assert run(installed / "howdah", command, "--help", cwd=tmp_path, env=BARE).startswith(f"Usage: howdah {command}")
