"""Real servers in processes of their own, and what is asked of them over HTTP.

Only processes that were started here are ever signalled.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.to_thread
import httpx

from ..recovery.nodes import LONG, PATIENCE_S, START_S, happens

HERE = Path(__file__).parent
KINDS = ("uvicorn", "hypercorn", "granian")
ENDED = {0, -signal.SIGTERM, 128 + signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGINT}
"""Exit codes after a drain: uvicorn dies of the signal that it was sent once it is done, which a supervisor must take for well."""


def listening() -> socket.socket:
    """A socket for a server to inherit. uvicorn takes it for a Unix one, and leaves Nagle's algorithm on: 40 ms for each answer."""
    door = socket.create_server(("127.0.0.1", 0), backlog=1000)
    door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return door


def command(kind: str, target: str, door: socket.socket, words: Sequence[str]) -> list[str]:
    """How the server is started by hand, but for where it listens: who knocks before it is there is let in later."""
    match kind:
        case "uvicorn":
            return ["uvicorn", target, "--fd", str(door.fileno()), "--log-level", "info", *words]
        case "hypercorn":
            return ["hypercorn", target, "--bind", f"fd://{door.fileno()}", *words]
        case _:  # It takes no socket: the port is free this moment.
            port = door.getsockname()[1]
            door.close()
            return ["granian", target, "--interface", "asgi", "--port", str(port), *words]


class Server:
    """One server with all its processes, which are a group of their own. Its log goes to a file."""

    def __init__(
        self,
        kind: str,
        target: str,
        *words: str,
        dsn: str,
        folder: Path,
        door: socket.socket | None = None,
        settings: dict[str, object] | None = None,
    ) -> None:
        own = door or listening()
        self.url = f"http://127.0.0.1:{own.getsockname()[1]}"
        self._log = Path(tempfile.mkstemp(dir=folder, suffix=".log")[1])
        said = {**LONG, **(settings or {})}
        env = {f"HOWDAH_{name.upper()}": str(value) for name, value in said.items()}
        env |= {"HOWDAH_DSN": dsn, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONPATH": os.pathsep.join((str(folder), str(HERE)))}
        arguments = command(kind, target, own, words)
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True, pass_fds=[own.fileno()] if own.fileno() >= 0 else [],
            )  # fmt: skip
        if door is None:
            own.close()  # From now on it is the server's alone, and gone when that is gone.

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def ready(self, said: str = "startup complete") -> "Server":
        """Until its log says so; that of uvicorn does."""
        await happens(lambda: self.ended or said in self.log, START_S)
        assert not self.ended, self.log
        return self

    async def answers(self) -> "Server":
        """Until it answers requests."""
        with anyio.fail_after(START_S):
            async with httpx.AsyncClient(base_url=self.url, timeout=START_S) as http:
                while not self.ended:
                    try:
                        await http.get("/nothing-of-ours")
                    except httpx.TransportError:
                        await anyio.sleep(0.02)
                    else:
                        return self
        raise AssertionError(self.log)

    def send(self, number: signal.Signals) -> None:
        """To the process that was started, as a supervisor does."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """-9, to all of them at once."""
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    async def end(self, within_s: float = PATIENCE_S) -> int:
        """Waits until it has ended by itself; its exit status."""
        return await anyio.to_thread.run_sync(lambda: self._process.wait(within_s))

    def discard(self) -> None:
        """After a test."""
        if not self.ended:
            self.kill()


class Servers:
    """The servers of one test."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.folder = folder
        self._dsn = dsn
        self._started: list[Server] = []

    def start(self, kind: str, target: str, *words: str, door: socket.socket | None = None, **settings: object) -> Server:
        """Starts one. door: a socket of the test's to listen at. settings: of Howdah."""
        server = Server(kind, target, *words, dsn=self._dsn, folder=self.folder, door=door, settings=settings)
        self._started.append(server)
        return server

    def write(self, name: str, text: str) -> None:
        """A module for them to import."""
        (self.folder / f"{name}.py").write_text(text)

    def close(self) -> None:
        for server in self._started:
            server.discard()
