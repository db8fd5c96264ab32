"""Nodes and producers as processes: each is started again when it has ended, as a supervisor would. Only processes that were
started here are ever signalled."""

import os
import signal
import sys
import time
from pathlib import Path
from subprocess import PIPE
from typing import Protocol

import anyio
import anyio.abc
import msgspec

ROOT = Path(__file__).parents[2]
REBORN_S = 0.5
STARTED_S = 30.0
AWAY = ("DatabaseAway", "ConfigurationError: Postgres refused the connection")


class Life(msgspec.Struct):
    """One process, from its start to its end. why: what ended it."""

    name: str
    pid: int
    began: float
    diary: str
    ended: float = 0.0
    why: str = ""


class Lives(Protocol):
    """Who keeps what became of each."""

    def report(self, what: str) -> None: ...


class Member:
    """A place in the fleet: one process after the other."""

    def __init__(self, name: str, command: list[str], folder: Path, environment: dict[str, str], lives: Lives) -> None:
        self.name = name
        self.lives: list[Life] = []
        self.is_ready = False
        self._command = command
        self._folder = folder
        self._environment = environment
        self._reporter = lives
        self._process: anyio.abc.Process | None = None
        self._wanted = True
        self._doom = ""

    @property
    def pid(self) -> int | None:
        """Of the process that is alive."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def send(self, number: signal.Signals, doom: str = "") -> bool:
        """False: it is not there. doom: it will end of this, and that is why."""
        if self.pid is None or self._process is None:
            return False
        if doom:
            self._doom = doom
        self._process.send_signal(number)
        return True

    def retire(self) -> None:
        """It is not started again."""
        self._wanted = False

    async def live(self) -> None:
        """Until it is retired and its process has ended."""
        while self._wanted:
            await self._once()
            if self._wanted:
                await anyio.sleep(REBORN_S)

    async def _once(self) -> None:
        stem = self._folder / f"{self.name}-{len(self.lives)}"
        log, diary = stem.with_suffix(".log"), stem.with_suffix(".diary")
        diary.touch()
        self._doom = ""
        with log.open("wb") as file:
            process = self._process = await anyio.open_process(
                [sys.executable, *self._command],
                stdout=PIPE,
                stderr=file,
                cwd=ROOT,
                env={**os.environ, **self._environment, "CHAOS_DIARY": str(diary)},
            )
        life = Life(self.name, process.pid, time.monotonic(), str(diary))
        self.lives.append(life)
        assert process.stdout is not None
        try:
            with anyio.move_on_after(STARTED_S):
                self.is_ready = bool(await process.stdout.receive())
        except anyio.EndOfStream:
            pass
        code = await process.wait()
        await process.stdout.aclose()
        life.ended = time.monotonic()
        life.why = self._cause(code, log)
        self.is_ready = False

    def _cause(self, code: int, log: Path) -> str:
        if self._doom:
            # A signal may come before anybody listens, or when the first one has been obeyed and nobody does any more.
            expected = (
                code in (0, -signal.SIGKILL) or (code == -signal.SIGTERM and self._doom in ("roll", "dismissed")) or self._suffered(code)
            )
            return self._doom if expected else self._unexpected(code, log)
        if self._suffered(code):
            return "murder"
        if code == 0:
            return "ended"
        if not self.is_ready and any(word in log.read_text(errors="replace")[-3000:] for word in AWAY):
            return "Postgres was away"
        return self._unexpected(code, log)

    def _suffered(self, code: int) -> bool:
        return self.name.startswith("node") and code in (-signal.SIGKILL, -signal.SIGSEGV)

    def _unexpected(self, code: int, log: Path) -> str:
        told = log.read_text(errors="replace")[-1500:]
        self._reporter.report(f"{self.name} (process {self.lives[-1].pid}) came down with {code}, {self._doom or 'unasked'}:\n{told}")
        return f"came down with {code}"


class Fleet:
    """All of them."""

    def __init__(self, nodes: list[Member], producers: list[Member]) -> None:
        self.nodes = nodes
        self.producers = producers

    @property
    def lives(self) -> list[Life]:
        """Of all that were ever started."""
        return [life for member in (*self.nodes, *self.producers) for life in member.lives]

    def end(self) -> None:
        """Whatever became of the storm, nothing outlives it."""
        for member in (*self.nodes, *self.producers):
            member.retire()
            member.send(signal.SIGKILL, "the end")
