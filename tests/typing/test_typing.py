"""Type checkers say of the public interface what they should: both find each planted error, and no other.

In cases/ a line ending in `# error: why` is wrong on purpose; every other line is right. The files are read by the
checkers and never run.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

CASES = Path(__file__).parent / "cases"
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

Found = dict[str, dict[int, str]]
"""For each file what is said of its lines."""


def run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


@cache
def pyright() -> Found:
    found: Found = {}
    answer = json.loads(run(BIN / "pyright", "--project", CASES / "pyrightconfig.json", "--pythonpath", sys.executable, "--outputjson"))
    assert answer["summary"]["filesAnalyzed"] == len(cases())
    for said in answer["generalDiagnostics"]:
        lines = found.setdefault(Path(said["file"]).name, {})
        lines[said["range"]["start"]["line"] + 1] = said["message"]
    return found


@cache
def mypy() -> Found:
    found: Found = {}
    options = ["--no-error-summary", "--show-absolute-path", "--output=json", "--python-executable", sys.executable]
    for line in run(BIN / "mypy", "--config-file", ROOT / "pyproject.toml", *options, CASES).splitlines():
        said = json.loads(line)
        if said["severity"] == "error":
            found.setdefault(Path(said["file"]).name, {})[said["line"]] = said["message"]
    return found


def cases() -> list[Path]:
    return sorted(CASES.glob("*.py"))


def planted(file: Path) -> set[int]:
    return {number for number, line in enumerate(file.read_text().splitlines(), 1) if "# error: " in line}


@pytest.mark.parametrize("checker", [pyright, mypy], ids=["pyright", "mypy"])
@pytest.mark.parametrize("file", cases(), ids=lambda file: file.stem)
def test_a_checker_finds_each_planted_error_and_no_other(checker: Callable[[], Found], file: Path) -> None:
    found = checker().get(file.name, {})

    assert {line: said for line, said in found.items() if line not in planted(file)} == {}, "an error where all is right"
    assert planted(file) - set(found) == set(), "a planted error is not found"


def test_there_is_something_to_find_in_each_file() -> None:
    assert [file.name for file in cases() if len(planted(file)) < 3] == []
