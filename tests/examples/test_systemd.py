"""examples/systemd: systemd finds nothing wrong with the unit, and what it starts works, drains and exits 0."""

import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from howdah.config import Config, configure
from howdah.duration import seconds

from ..recovery.nodes import until
from .stage import EXAMPLES, Service, open_to_all

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

UNIT = EXAMPLES / "systemd" / "howdah-worker.service"
TOLD: dict[str, list[str]] = {}
for _name, _value in re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE):
    TOLD.setdefault(_name, []).append(_value)

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed (apt install systemd)")


def environment(lines: list[str]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture
def place(installed: Path, tmp_path: Path) -> Path:
    """/srv/shop, as the unit expects it: a program, and an environment in .venv."""
    shop = tmp_path / "shop"
    (shop / ".venv").mkdir(parents=True)
    (shop / ".venv" / "bin").symlink_to(installed)
    (shop / "shop.py").write_text((EXAMPLES / "container" / "shop.py").read_text())
    open_to_all(shop)
    return shop


@pytest.fixture
async def service(place: Path, reachable: str, tmp_path: Path) -> AsyncIterator[Service]:
    (command,) = TOLD["ExecStart"]
    env = {"PATH": "/usr/bin:/bin", **environment(TOLD["Environment"])}
    env |= environment((EXAMPLES / "systemd" / "worker.env").read_text().splitlines()) | {"HOWDAH_DSN": reachable}
    words = [word.replace("/srv/shop", str(place)) for word in shlex.split(command)]
    service = Service(words, cwd=place, env=env, said=tmp_path / "journal")
    yield service
    service.kill()


def analyze(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(place: Path, tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/srv/shop", str(place)))
    done = analyze("verify", str(unit))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_a_word_that_systemd_does_not_know_is_found(place: Path, tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/srv/shop", str(place)).replace("TimeoutStopSec", "TimeoutStopSeconds"))
    assert "TimeoutStopSeconds" in analyze("verify", str(unit)).stderr


@needs_systemd
def test_the_service_is_let_do_little() -> None:
    done = analyze("security", "--offline=true", "--threshold=20", str(UNIT))
    assert done.returncode == 0, done.stdout


async def test_what_it_starts_works_and_a_stop_lets_what_runs_end(service: Service, db: Db) -> None:
    service.tells("Ready")
    run = await db.fetchval("""select howdah.enqueue('welcome', '{"user_id": 7}')""")
    await until(db, "select howdah.state($1) = 'running'", run)
    (kill,), (stop_s,) = TOLD["KillSignal"], TOLD["TimeoutStopSec"]
    assert service.stop(signal.Signals[kill], float(stop_s)) == 0
    assert await db.fetchval("select howdah.state($1)", run) == "succeeded"
    assert await db.fetchval("select count(*) from howdah.node") == 0


def test_systemd_kills_no_earlier_than_the_worker_would_end_by_itself() -> None:
    env = environment(TOLD["Environment"])
    config = configure({"grace_s": float(env["HOWDAH_GRACE_S"])})
    assert config.grace_s == Config().grace_s, "the comments speak of the default"
    assert seconds(f"{TOLD['TimeoutStopSec'][0]}s") > config.grace_s + config.hard_grace_s


def test_only_the_main_process_is_told_since_it_tells_the_others() -> None:
    assert TOLD["KillMode"] == ["mixed"]
