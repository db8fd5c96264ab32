"""examples/container: there is no docker here, so its steps are taken one by one, in an environment of their own and without root."""

import json
import re
import shlex
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import asyncpg
import pytest
import yaml
from howdah.config import Config
from howdah.duration import seconds
from packaging.requirements import Requirement

from ..recovery.nodes import until
from .stage import EXAMPLES, STRANGER, Service, open_to_all

pytestmark = pytest.mark.anyio

Db = asyncpg.Connection

FOLDER = EXAMPLES / "container"


def steps() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile in their order, each with what it says."""
    text = re.sub(r"^#.*\n", "", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    return [(name, said.strip()) for name, said in found]


def only(name: str) -> str:
    (said,) = [said for each, said in steps() if each == name]
    return said


PORT = "8080"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())


@pytest.fixture
def free_port() -> str:
    """In place of the one of the Dockerfile, which somebody here may have."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@pytest.fixture
async def container(installed: Path, reachable: str, tmp_path: Path, free_port: str) -> AsyncIterator[Service]:
    """What the last step starts, after all the others."""
    app = tmp_path / "app"
    app.mkdir()
    env = {"PATH": f"{installed}:/usr/bin:/bin", "HOWDAH_DSN": reachable}
    for name, said in steps():
        match name:
            case "COPY":
                *files, _ = said.split()
                for file in files:
                    (app / file).write_text((FOLDER / file).read_text())
            case "RUN":
                assert said == "pip install --no-cache-dir -r requirements.txt", "the fixture has taken this step"
                assert [Requirement(line).name for line in (app / "requirements.txt").read_text().splitlines()] == ["howdah"]
            case "ENV":
                env |= dict(word.split("=", 1) for word in shlex.split(said))
            case _:
                assert name in {"FROM", "WORKDIR", "USER", "STOPSIGNAL", "HEALTHCHECK", "CMD"}, name
    open_to_all(app)
    program, *words = json.loads(only("CMD").replace(PORT, free_port))
    service = Service([str(installed / program), *words], cwd=app, env=env, said=tmp_path / "log")
    yield service
    service.kill()


def probe(installed: Path, port: str) -> "subprocess.CompletedProcess[str]":
    """The health check, as docker asks."""
    _, _, command = only("HEALTHCHECK").partition("CMD ")
    program, *words = json.loads(command.replace(PORT, port))
    return subprocess.run([installed / program, *words], capture_output=True, text=True, timeout=10, check=False)


def stop_signal() -> signal.Signals:
    return signal.Signals[only("STOPSIGNAL")]


async def test_a_container_works_and_its_stop_lets_what_runs_end_and_exits_0(container: Service, db: Db) -> None:
    container.tells("Ready")
    assert Path(f"/proc/{container.pid}").stat().st_uid != 0
    run = await db.fetchval("""select howdah.enqueue('welcome', '{"user_id": 7}')""")
    await until(db, "select howdah.state($1) = 'running'", run)
    assert container.stop(stop_signal(), seconds(COMPOSE["services"]["worker"]["stop_grace_period"])) == 0
    assert await db.fetchval("select howdah.state($1)", run) == "succeeded"


async def test_the_health_check_tells_whether_the_worker_is_alive(container: Service, installed: Path, free_port: str) -> None:
    container.tells("Ready")
    assert (await anyio.to_thread.run_sync(probe, installed, free_port)).returncode == 0
    container.kill()
    assert (await anyio.to_thread.run_sync(probe, installed, free_port)).returncode != 0


def deployment() -> dict[str, Any]:
    """The Deployment of docs/operating.md."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (EXAMPLES.parent / "docs" / "operating.md").read_text(), re.MULTILINE | re.DOTALL)
    (found,) = (block for block in map(yaml.safe_load, blocks) if block.get("kind") == "Deployment")
    return found


def test_kubernetes_asks_where_the_worker_answers_and_kills_no_earlier_than_it_would_end_by_itself() -> None:
    pod = deployment()["spec"]["template"]["spec"]
    (worker,) = pod["containers"]
    words = worker["command"]
    assert words == json.loads(only("CMD"))
    assert [port["containerPort"] for port in worker["ports"]] == [int(words[words.index("--health") + 1])]
    assert worker["livenessProbe"]["httpGet"] == {"path": "/live", "port": worker["ports"][0]["name"]}
    assert worker["readinessProbe"]["httpGet"] == {"path": "/ready", "port": worker["ports"][0]["name"]}
    assert pod["terminationGracePeriodSeconds"] > seconds(words[words.index("--grace") + 1]) + Config().hard_grace_s
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_kubernetes_selects_the_pods_that_it_makes() -> None:
    spec = deployment()["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]


def test_the_signal_reaches_the_worker_and_no_shell() -> None:
    assert json.loads(only("CMD"))[:2] == ["howdah", "worker"]


def test_it_is_not_root_by_number() -> None:
    assert only("USER") == f"{STRANGER}:{STRANGER}"
    assert [name for name, _ in steps()].index("USER") < [name for name, _ in steps()].index("CMD")


def test_compose_kills_no_earlier_than_the_worker_would_end_by_itself() -> None:
    words = json.loads(only("CMD"))
    grace_s = seconds(words[words.index("--grace") + 1])
    assert seconds(COMPOSE["services"]["worker"]["stop_grace_period"]) > grace_s + Config().hard_grace_s


def test_compose_migrates_before_the_worker_starts_and_starts_none_after_a_drain() -> None:
    services = COMPOSE["services"]
    assert services["worker"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert services["migrate"]["command"] == ["howdah", "migrate"]
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert services["worker"]["environment"] == services["migrate"]["environment"]
    assert services["worker"]["restart"] == "on-failure"
