#!/usr/bin/env python3
"""Sets up a private environment and runs something in it. Needs Python >= 3.11 and nothing else.

    python3 dev.py demo [ARGS]    the main job, on an embedded Postgres
    python3 dev.py test [ARGS]    lint, types, floors, then the suite; with ARGS only `pytest ARGS`
    python3 dev.py suite [ARGS]   the suite alone (for a second Python or Postgres)
    python3 dev.py run CMD...     any command of the environment

The environment is .venv (HOWDAH_VENV names another one): made by uv where that is on PATH, else by venv and pip, else by
a private copy of uv (images that have pip but no venv). constraints.txt pins what goes in. The system's Python is left alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("HOWDAH_VENV", ROOT / ".venv")).absolute()
BIN = VENV / "bin"
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("pyright", "--pythonpath", str(BIN / "python")),
    ("lint-imports",),
)


def stamp() -> str:
    """What the environment depends on: another stamp means that it is made anew."""
    digest = hashlib.sha256(sys.version.encode())
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def set_up() -> None:
    """Makes the environment unless it is there already."""
    mark = VENV / ".stamp"
    if mark.exists() and mark.read_text() == stamp():
        return
    print(f"setting up {VENV} ...", file=sys.stderr, flush=True)
    uv = shutil.which("uv") or make_venv()
    package = ["-c", "constraints.txt", "-e", ".[test]"]
    if uv:
        call(uv, "venv", "-q", "--clear", "--python", sys.executable, str(VENV))
        call(uv, "pip", "install", "-q", "--python", str(BIN / "python"), *package)
    else:
        call(str(BIN / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *package)
    mark.write_text(stamp())


def make_venv() -> str | None:
    """Makes the environment with the standard library; where that cannot be, gets a private uv and returns it."""
    quiet = subprocess.DEVNULL
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], cwd=ROOT, stdout=quiet, stderr=quiet, check=False)
    if made.returncode == 0:
        return None
    boot = ROOT / ".boot"
    call(sys.executable, "-m", "pip", "install", "-q", "--target", str(boot), "uv")
    return str(boot / "bin" / "uv")


def call(*command: str) -> None:
    """Runs a command in the project's folder; its failure is ours."""
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"failed: {' '.join(command)}")


def become(*command: str) -> None:
    """Hands the process over, so that signals reach the program itself."""
    os.chdir(ROOT)
    os.execv(str(BIN / command[0]), list(command))


def main() -> None:
    """Reads the command line."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is started by whatever python3 is
        sys.exit("Howdah needs Python 3.11 or newer; this is " + sys.version.split()[0])
    command, *rest = sys.argv[1:] or ["help"]
    if command not in ("demo", "test", "suite", "run"):
        sys.exit(__doc__)
    set_up()
    if command == "demo":
        become("howdah", "demo", *rest)
    if command == "run":
        become(*rest)
    if command == "test" and not rest:
        for check in CHECKS:
            print("$", *(part for part in check if not part.startswith("/")), flush=True)
            call(str(BIN / check[0]), *check[1:])
    become("pytest", "-q", *rest)


if __name__ == "__main__":
    main()
