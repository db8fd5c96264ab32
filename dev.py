#!/usr/bin/env python3
"""Sets up a private environment and runs something in it. Needs Python >= 3.11 and nothing else.

    python3 dev.py demo [ARGS]    the main job, on an embedded Postgres
    python3 dev.py test [ARGS]    lint, types, floors, then the suite; with ARGS only `pytest ARGS`
    python3 dev.py lint           lint, types and floors alone
    python3 dev.py suite [ARGS]   the suite alone (for a second Python or Postgres)
    python3 dev.py run CMD...     any command of the environment

The environment is .venv (HOWDAH_VENV names another one): made by uv where that is on PATH, else by venv and pip, else by
a private copy of uv (images that have pip but no venv). constraints.txt pins what goes in. The system's Python is left alone.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("HOWDAH_VENV", ROOT / ".venv")).absolute()
BIN = VENV / "bin"
BOOT = ROOT / ".boot"
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("pyright", "--pythonpath", str(BIN / "python")),
    ("lint-imports", "--no-logo"),
)

AT_ONCE = ("-n", "4", "--dist", "worksteal")
"""The whole suite in four processes, each with a Postgres of its own: tests wait more than they compute."""


def stamp() -> str:
    """What the environment depends on: another stamp means that it is made anew."""
    digest = hashlib.sha256(sys.version.encode() + str(VENV).encode())
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def set_up() -> None:
    """Makes the environment unless it is there already."""
    mark = VENV / ".stamp"
    if mark.exists() and mark.read_text() == stamp():
        return
    if VENV.exists() and not (VENV / "pyvenv.cfg").exists():
        sys.exit(f"HOWDAH_VENV names {VENV}, which is there and is no environment: name another folder, or remove it")
    print(f"setting up {VENV} ...", file=sys.stderr, flush=True)
    package = ["-c", "constraints.txt", "-e", ".[dev]"]
    uv = shutil.which("uv") or (None if plain_venv() else private_uv())
    if uv:
        shutil.rmtree(VENV, ignore_errors=True)
        call(uv, "venv", "-q", "--python", sys.executable, str(VENV))
        call(uv, "pip", "install", "-q", "--python", str(BIN / "python"), *package)
    else:
        call(str(BIN / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *package)
    mark.write_text(stamp())


def plain_venv() -> bool:
    """Makes the environment with the standard library, unless this Python comes without the means."""
    silent = subprocess.DEVNULL
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], cwd=ROOT, stdout=silent, stderr=silent, check=False)
    return made.returncode == 0


def private_uv() -> str:
    """A copy of uv in this checkout, for images that have pip but no venv."""
    program = BOOT / "bin" / "uv"
    if not program.exists():
        call(sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", str(BOOT), "uv")
    return str(program)


def call(*command: str) -> None:
    """Runs a command in the project's folder; its failure is ours."""
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"failed: {' '.join(command)}")


def lint() -> None:
    """Everything that is checked without running it."""
    for command, *arguments in CHECKS:
        print("$", command, *(part for part in arguments if not part.startswith("/")), flush=True)
        call(str(BIN / command), *arguments)


def become(*command: str) -> None:
    """Hands the process over to a program of the environment, so that signals reach it."""
    os.chdir(ROOT)
    program = str(BIN / command[0])  # whole in argv too: it is how Python learns which environment it is in
    os.execv(program, [program, *command[1:]])


def main() -> None:
    """Reads the command line."""
    command, *rest = sys.argv[1:] or ["help"]
    if command not in ("demo", "test", "lint", "suite", "run") or (command == "run" and not rest):
        sys.exit(__doc__)
    set_up()
    if command == "demo":
        become("howdah", "demo", *rest)
    elif command == "run":
        become(*rest)
    elif command == "lint":
        lint()
    else:
        if command == "test" and not rest:
            lint()
        become("pytest", "-q", *(rest or AT_ONCE))


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is started by whatever python3 is, and speaks to 3.8 and newer
        newer = sorted(found for minor in range(11, 20) if (found := shutil.which(f"python3.{minor}")))
        sys.exit(
            f"Howdah needs Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}. "
            + (f"Start this with {newer[-1]} instead." if newer else "Install one, for example with `apt install python3.11`.")
        )
    main()
