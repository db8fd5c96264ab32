"""dev.py: one file of the standard library, which sets up an environment of its own or says why not. That it does is what CI runs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

from .tree import ROOT

PROGRAM = ROOT / "dev.py"


def run(*words: str, **said: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(PROGRAM), *words]
    return subprocess.run(command, env={**os.environ, **said}, capture_output=True, text=True, check=False)


def test_it_needs_the_standard_library_alone() -> None:
    tree = ast.parse(PROGRAM.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    refused = run("lint", HOWDAH_VENV=str(tmp_path))
    assert refused.returncode == 1
    assert "is there and is no environment: name another folder, or remove it" in refused.stderr
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_without_a_command_it_says_what_there_is() -> None:
    for words in ((), ("build",), ("run",)):
        told = run(*words)
        assert (told.returncode, "python3 dev.py demo" in told.stderr) == (1, True)
