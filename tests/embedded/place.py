"""A place for one server: a base directory that every account can enter, and users of it in processes of their own."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import howdah
from howdah.embedded import Embedded
from howdah.embedded import postmaster as pm

QUICK = {"fsync": "off"}
SOURCE = Path(howdah.__file__).parent
GONE_S = 30.0

_USER = """
import sys
from pathlib import Path
from howdah.embedded import Embedded
server = Embedded(Path(sys.argv[1]), settings={"fsync": "off"}).start()
print(server.dsn(), flush=True)
sys.stdin.read()
"""


class Place:
    """One base directory, and the processes that a test starts on it. `close` leaves nothing behind."""

    def __init__(self, name: str = "base", *, folder: str | None = None) -> None:
        """folder: where it lies; None: where temporary files do."""
        self.root = Path(tempfile.mkdtemp(prefix="howdah-test-", dir=folder)).resolve()
        self.root.chmod(0o755)  # the temporary directories of pytest are closed to the user that root steps down to
        self.base = self.root / name
        self._processes: list[subprocess.Popen[str]] = []

    def embedded(self, settings: Mapping[str, str] | None = None) -> Embedded:
        return Embedded(self.base, settings=QUICK | dict(settings or {}))

    @property
    def data(self) -> Path:
        return self.base / "data"

    def postmaster(self) -> int:
        pid = pm.running_pid(self.data)
        assert pid is not None
        return pid

    def watchdog(self) -> int:
        """The process that holds the watch lock."""
        (pid,) = [pid for pid in _processes_naming(str(self.base)) if "watchdog.py" in _command(pid)]
        return pid

    def user(
        self,
        *,
        before: str = "",
        wrapper: Sequence[str] = (),
        python: str = sys.executable,
        env: Mapping[str, str] | None = None,
        uid: int | None = None,
    ) -> subprocess.Popen[str]:
        """A process that starts the server and uses it until its stdin ends. Read `ready` to wait for it."""
        who = {} if uid is None else {"user": uid, "group": uid, "extra_groups": ()}
        process = subprocess.Popen(
            [*wrapper, python, "-c", before + _USER, str(self.base)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | dict(env or {}),
            **who,  # pyright: ignore[reportArgumentType, reportCallIssue] - absent keys keep their defaults
        )
        self._processes.append(process)
        return process

    def library(self) -> Path:
        """The few modules that the embedded Postgres consists of, where every account can read them."""
        library = self.root / "library"
        package = library / "howdah"
        if not package.exists():
            package.mkdir(parents=True)
            (package / "__init__.py").touch()
            for name in ("errors.py", "duration.py"):
                shutil.copy(SOURCE / name, package)
            shutil.copytree(SOURCE / "embedded", package / "embedded")
        for path in (library, *library.rglob("*")):
            path.chmod(0o755)
        return library

    def gone(self, pid: int) -> bool:
        return pm.wait_until_gone(pid, self.data, GONE_S)

    def settle(self) -> None:
        """After a test: no user, no server, no watchdog."""
        while self._processes:
            process = self._processes.pop()
            process.kill()
            process.communicate()
        pid = pm.running_pid(self.data)
        if pid is not None and not self.gone(pid):
            Embedded(self.base).stop()
        for process_id in _processes_naming(str(self.base)):
            ended(process_id)
        assert [_command(process_id) for process_id in _processes_naming(str(self.base))] == []

    def close(self) -> None:
        sockets = Embedded(self.base).sockets
        try:
            self.settle()
        finally:
            shutil.rmtree(self.root)
            shutil.rmtree(sockets, ignore_errors=True)


def ready(user: subprocess.Popen[str]) -> str:
    """Wait for a user process to have its server; its DSN."""
    assert user.stdout is not None
    line = user.stdout.readline().strip()
    if not line:
        raise AssertionError(user.communicate()[1])
    return line


def ended(pid: int) -> bool:
    """Wait for the end of a process that is not our child."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], GONE_S)[0])
    finally:
        os.close(handle)


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _processes_naming(text: str) -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and text in _command(int(entry.name))]
