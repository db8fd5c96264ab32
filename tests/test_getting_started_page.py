"""docs/getting-started.md is one sitting: every block of it, in its order, on a Postgres that it starts itself."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from howdah.embedded import Embedded
from packaging.requirements import Requirement

from .cli.programs import environment
from .house.test_constraints import PROJECT

PAGE = (Path(__file__).parents[1] / "docs" / "getting-started.md").read_text()
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
PATIENCE_S = 60.0

SAID = {
    "howdah migrate": "Applied 0001",
    "howdah enqueue": '"ada@example.org"',
    "psql": "(1 row)",
    "python script.py": "cy@example.org",
    "howdah tasks": "welcome",
    "howdah runs ls": "succeeded",
    "howdah todo": "",
    "curl": "",
    "pytest": "1 passed",
}
"""Lines that end, by how they begin, and what each of them says."""


class Sitting:
    """A person with a folder and terminals, some of which stay open."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._env = {**environment({}), "HOWDAH_HOME": str(folder / "home"), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        self.port = _free_port()
        self.ran: list[str] = []

    def write(self, code: str) -> None:
        name = re.match(r"# (\w+\.py)\n", code)
        assert name, f"a block does not begin with the name of its file: {code[:40]}"
        (self._folder / name[1]).write_text(code)

    def type(self, line: str) -> None:
        """A line of a terminal."""
        line = line.replace("8000", str(self.port))
        self.ran.append(line)
        if line.startswith("pip install"):
            self._install(shlex.split(line)[2:])
        elif line == "howdah db start":
            self._env["ADDRESS"] = self._stays(line, "").strip()
        elif line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            self._env[name] = self._shell(f"echo {value}").strip()
        elif line.startswith("howdah worker"):
            self._stays(line, "Ready")
        elif line.startswith("uvicorn"):
            self._stays(line, "running on")
        else:
            (expected,) = [said for begin, said in SAID.items() if line.startswith(begin)]
            assert expected in self._shell(line), line

    def _install(self, words: list[str]) -> None:
        """What the line names is what the project offers, or what its own tests have."""
        ours, *others = [Requirement(word) for word in words]
        assert ours.name == "howdah"
        assert ours.extras <= set(PROJECT["project"]["optional-dependencies"])
        known = {Requirement(each).name for each in PROJECT["project"]["optional-dependencies"]["dev"]}
        assert {each.name for each in others} <= known

    def _shell(self, line: str) -> str:
        done = subprocess.run(["sh", "-c", line], cwd=self._folder, env=self._env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    def _stays(self, line: str, ready: str) -> str:
        """Starts a program that stays, and returns the line that says that it is ready."""
        shown = self._folder / f"terminal-{len(self.ran)}"
        with shown.open("w") as terminal:
            process = subprocess.Popen(shlex.split(line), cwd=self._folder, env=self._env, stdout=terminal, stderr=subprocess.STDOUT)
        self._stack.callback(_end, process)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            for told in shown.read_text().splitlines():
                if ready in told and (ready or told.startswith("postgresql://")):
                    return told
            assert process.poll() is None, shown.read_text()
            time.sleep(0.02)
        raise AssertionError(f"{line} does not get ready: {shown.read_text()}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) in (0, -signal.SIGINT), process.args


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def sitting() -> Iterator[Sitting]:
    # Not pytest's own folder, which is closed to the account that root's server runs as.
    with tempfile.TemporaryDirectory(prefix="howdah-sitting-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        stack.callback(lambda: Embedded(folder / "home").stop())
        yield Sitting(folder, stack)


@pytest.mark.slow
def test_one_sitting(sitting: Sitting) -> None:
    # Files first: a block that runs one may stand before it.
    for language, code in BLOCKS:
        if language == "python":
            sitting.write(code)
    for language, code in BLOCKS:
        if language == "sh":
            for line in code.splitlines():
                sitting.type(line)
    run = httpx.post(f"http://localhost:{sitting.port}/users", params={"email": "eve@example.org"}).json()
    assert httpx.get(f"http://localhost:{sitting.port}/mails/{run}").json() == "eve@example.org"
    assert len(sitting.ran) == 15


def test_no_block_is_left_out() -> None:
    assert {language for language, _ in BLOCKS} == {"python", "sh"}
