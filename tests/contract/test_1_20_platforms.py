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
