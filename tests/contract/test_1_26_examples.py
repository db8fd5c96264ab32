"""CONTRACT 1.26: the examples work as they stand. tests/test_wheel.py runs two of them with the wheel alone."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parents[2] / "examples"

BY_FASTAPI = """
from fastapi.testclient import TestClient
from signup import app

with TestClient(app) as client:
    made = client.post("/users", json={"email": "ada@example.org"})
    assert made.status_code == 201, made.text
    print(client.get(f"/mails/{made.json()['run_id']}").json())
    assert client.post("/users", json={"email": "ada@example.org"}).status_code == 409
"""

BY_DJANGO = """
from django_signup import jobs, users, welcome
from django.test import RequestFactory
import json

answer = users(RequestFactory().post("/users", {"email": "ada@example.org"}))
assert answer.status_code == 201
print(welcome.attach(json.loads(answer.content)["run_id"]).result_sync(timeout="30s"))
"""


class Shell:
    """Runs programs in the folder of the examples, against one database."""

    def __init__(self, dsn: str) -> None:
        self._env = {"HOWDAH_DSN": dsn, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(EXAMPLES)}

    def run(self, *arguments: str) -> str:
        done = subprocess.run([sys.executable, *arguments], cwd=EXAMPLES, env=self._env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, *arguments], cwd=EXAMPLES, env=self._env, stderr=subprocess.DEVNULL)


@pytest.fixture
async def shell(dsn: str) -> Shell:
    return Shell(dsn)


@pytest.fixture
def worker(shell: Shell) -> Iterator[None]:
    """The program that the sign-ups' tasks live in."""
    process = shell.start("-m", "howdah", "worker", "signup:jobs", "--grace", "2s")
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


async def test_a_script_with_sql_enqueue(shell: Shell) -> None:
    assert shell.run("sql_enqueue.py") == "5\n"


@pytest.mark.parametrize(
    "arguments", [("-c", BY_FASTAPI), ("-c", BY_DJANGO), ("psycopg_signup.py", "ada@example.org")], ids=["FastAPI", "Django", "psycopg"]
)
async def test_a_sign_up_with_transactional_enqueue(shell: Shell, worker: None, arguments: tuple[str, ...]) -> None:
    assert shell.run(*arguments) == "to ada@example.org: welcome aboard, user 1\n"


def test_every_example_is_run_by_this_file() -> None:
    assert {file.stem for file in EXAMPLES.glob("*.py")} == {"signup", "sql_enqueue", "psycopg_signup", "django_signup"} | {
        "reports"  # by test_2_10_reports.py
    }
