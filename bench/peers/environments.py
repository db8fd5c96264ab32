"""Each peer's own environment, made under bench/.peers of what versions.toml says, and made anew when that changes."""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
HOMES = HERE.parent / ".peers"
PROGRAMS = HERE / "programs"
VERSIONS: dict[str, dict[str, Any]] = tomllib.loads((HERE / "versions.toml").read_text())


class CannotBeHadError(Exception):
    """A peer's environment cannot be made; the text says why."""


class Environment(NamedTuple):
    """How a program of the peer is started."""

    command: tuple[str, ...]
    variables: dict[str, str]
    home: Path


def environment(peer: str, program: str) -> Environment:
    """The environment of a peer, made first if need be."""
    home = HOMES / peer
    if peer == "howdah":
        return Environment((sys.executable, str(PROGRAMS / program)), {}, PROGRAMS)
    if peer in VERSIONS["python"]:
        _make(home, VERSIONS["python"][peer], _python)
        return Environment((str(home / "bin" / "python"), str(PROGRAMS / program)), {"PYTHONPATH": ""}, PROGRAMS)
    _make(home, VERSIONS["node"][peer], _node)
    for file in PROGRAMS.glob("*.mjs"):  # An ES module finds packages by the folder in which it lies.
        shutil.copy(file, home / file.name)
    return Environment((str(home / "node_modules" / "node" / "bin" / "node"), str(home / program)), {}, home)


def redis() -> tuple[str, dict[str, str]]:
    """The program redis-server and the variables that it needs: the system's, or Debian's unpacked beside the others."""
    found = shutil.which("redis-server")
    if found:
        return found, {}
    home = HOMES / "redis"
    _make(home, VERSIONS["debian"]["redis"], _debian)
    libraries = ":".join(str(path) for path in home.glob("usr/lib/*-linux-gnu*"))
    return str(home / "usr" / "bin" / "redis-server"), {"LD_LIBRARY_PATH": libraries}


def version(peer: str) -> str:
    """What of the peer itself is installed, as pinned."""
    if peer in VERSIONS["python"]:
        return ", ".join(VERSIONS["python"][peer])
    return ", ".join(f"{name} {pin}" for name, pin in VERSIONS["node"].get(peer, {}).items())


def _make(home: Path, wanted: Any, how: Any) -> None:
    stamp = hashlib.sha256(f"{sys.version}{home}{wanted}".encode()).hexdigest()
    mark = home / ".stamp"
    if mark.exists() and mark.read_text() == stamp:
        return
    print(f"setting up {home} ...", file=sys.stderr, flush=True)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    how(home, wanted)
    mark.write_text(stamp)


def _python(home: Path, packages: list[str]) -> None:
    _call(sys.executable, "-m", "venv", str(home))
    _call(str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages)


def _node(home: Path, packages: dict[str, str]) -> None:
    if not shutil.which("npm"):
        raise CannotBeHadError("npm is not installed")
    pins = [f"{name}@{pin}" for name, pin in packages.items()]
    _call("npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(home), *pins)


def _debian(home: Path, packages: list[str]) -> None:
    if not shutil.which("apt-get"):
        raise CannotBeHadError("redis-server is not installed, and this is no Debian to fetch it from")
    _call("apt-get", "download", "-q", *packages, cwd=home)
    for package in home.glob("*.deb"):
        _call("dpkg", "-x", str(package), str(home))


def _call(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env={**os.environ, "PYTHONPATH": ""})
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise CannotBeHadError(f"{' '.join(command[:4])} ... failed: {' / '.join(last)}")
