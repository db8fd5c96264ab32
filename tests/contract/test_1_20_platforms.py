"""CONTRACT 1.20: where Howdah runs."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def uvloop() -> Marker:
    (marker,) = [found.marker for found in map(Requirement, PROJECT["dependencies"]) if found.name == "uvloop"]
    assert marker is not None
    return marker


@pytest.mark.parametrize(
    ("platform", "implementation", "wanted"),
    [("linux", "cpython", True), ("darwin", "cpython", True), ("win32", "cpython", False), ("linux", "pypy", False)],
)
def test_uvloop_is_asked_for_where_it_can_be_had(platform: str, implementation: str, wanted: bool) -> None:
    assert str(uvloop()) == 'sys_platform != "win32" and implementation_name == "cpython"'
    assert uvloop().evaluate({"sys_platform": platform, "implementation_name": implementation}) is wanted


def test_linux_and_macos_are_what_is_said_to_be_supported() -> None:
    systems = {each for each in PROJECT["classifiers"] if each.startswith("Operating System")}
    assert systems == {"Operating System :: POSIX :: Linux", "Operating System :: MacOS"}


def test_the_documentation_says_what_works_on_windows() -> None:
    assert "Windows" in (ROOT / "docs/operating.md").read_text()
    assert "Windows" in (ROOT / "README.md").read_text()


def test_the_package_and_its_commands_start_without_uvloop() -> None:
    program = "import sys; sys.modules['uvloop'] = None; import howdah; from howdah.cli import main; main(['worker', '--help'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


WITHOUT_POSIX = """
import sys
for name in ("fcntl", "grp", "pwd", "resource", "termios", "tty", "uvloop"):
    sys.modules[name] = None
from howdah.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("command", ["--help", "top", "doctor", "enqueue", "worker", "runs", "migrate", "settings"])
def test_commands_start_where_there_is_no_posix(command: str) -> None:
    words = [command] if command == "--help" else [command, "--help"]
    done = subprocess.run([sys.executable, "-c", WITHOUT_POSIX, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["db", "dev", "demo", "estimate"])
def test_those_that_may_start_a_postgres_say_in_one_sentence_where_that_works(command: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_POSIX, command, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"howdah: `howdah {command}` may start a Postgres of its own, and that works on Linux and macOS alone\n"
