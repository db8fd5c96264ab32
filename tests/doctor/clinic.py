"""A server that may be made ill, a doctor who is asked as a person asks, and mends that are done as they are printed."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import asyncpg
import msgspec
from howdah.doctor import Finding
from howdah.embedded import Embedded

from ..cli.programs import beside, environment

Db = asyncpg.Connection

PATIENCE_S = 60.0
SOON = "0.05s"
"""What is older than this is old here."""

_SQL = re.compile(r"(alter|rollback|select|set|vacuum) ")


class Clinic:
    """One database on a server of the tests' own, with a session of its owner."""

    def __init__(self, server: Embedded, dsn: str, db: Db) -> None:
        self.server = server
        self.dsn = dsn
        self.db = db
        self.said = {"HOWDAH_DSN": dsn}
        """What the doctor's environment says."""
        self.words: tuple[str, ...] = ("doctor", "--json", "--older-than", SOON)

    async def findings(self) -> list[Finding]:
        """What the doctor finds now."""
        asked = await beside(*self.words, **self.said)
        assert asked.exception is None or isinstance(asked.exception, SystemExit), asked.exception
        found = [msgspec.json.decode(line, type=Finding) for line in asked.stdout.splitlines()]
        assert asked.exit_code == (1 if found else 0), asked.output
        return found

    async def finds(self, *names: str) -> Finding:
        """Returns the first of these findings when they are found, and nothing else is."""
        found: list[Finding] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while sorted(one.name for one in found) != sorted(names):
                    found = await self.findings()
        except TimeoutError:
            raise AssertionError(f"{names} are not found, but {found}") from None
        return next(one for one in found if one.name == names[0])

    async def falls_silent(self) -> None:
        """Returns when there is nothing to find."""
        found = await self.findings()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while found:
                    found = await self.findings()
        except TimeoutError:
            raise AssertionError(f"after the mend there is still {found}") from None

    async def follow(self, mend: str, *, folder: Path | None = None) -> str:
        """Does what a mend says, in psql's manner or in a shell, as it stands there."""
        if _SQL.match(mend):
            for line in mend.splitlines():
                await self.db.execute(line.partition("--")[0])
            return ""
        return await anyio.to_thread.run_sync(shell, mend, self.said, folder)

    async def set_up(self, *statements: str) -> None:
        """Statements one by one: some of them must not be in a transaction together."""
        for statement in statements:
            await self.db.execute(statement)


def shell(line: str, said: dict[str, str], folder: Path | None = None) -> str:
    """What this line prints in a shell with our programs."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env={**environment(said), "PATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def found_in_shell(line: str, said: dict[str, str]) -> list[Finding]:
    """What `howdah doctor --json` finds at the end of a line in a shell."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {**environment(said), "PATH": path}
    done = subprocess.run(["sh", "-c", line], env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    found = [msgspec.json.decode(one, type=Finding) for one in done.stdout.splitlines()]
    assert done.returncode == (1 if found else 0), done.stderr
    return found


def told(line: str, said: dict[str, str]) -> list[str]:
    """Their names."""
    return [one.name for one in found_in_shell(line, said)]
