"""`howdah db`, as a person uses it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from howdah.cli.db import db
from howdah.embedded import postmaster as pm

from .place import Place, kill, ready

_DB = "from howdah.cli.db import db; db()"


def run(place: Place, *words: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(db, ["--home", str(place.base), *words], input=answer)


def begin(place: Place, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _DB, "--home", str(place.base), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_path_prints_the_data_directory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(place, "path").output == f"{place.data}\n"
    monkeypatch.setenv("HOWDAH_HOME", str(place.base))
    assert CliRunner().invoke(db, ["path"]).output == f"{place.data}\n"


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_start_prints_the_address_and_holds_the_server_until_told(place: Place, sign: signal.Signals) -> None:
    with begin(place, "start") as process:
        assert ready(process) == place.embedded().dsn()
        pid = place.postmaster()

        process.send_signal(sign)

        assert process.wait(10) == 0
    assert not pm.is_postmaster(pid, place.data)


def test_stop_says_who_used_the_server(place: Place) -> None:
    assert run(place, "stop").output == "Postgres was not running.\n"
    user = place.user()
    ready(user)

    result = run(place, "stop")

    assert f"in use by process {user.pid}" in result.output
    assert "Postgres is stopped." in result.output
    assert pm.running_pid(place.data) is None


def test_reset_asks_first_and_refuses_while_in_use(place: Place) -> None:
    user = place.user()
    ready(user)
    refused = run(place, "reset", "--yes")
    assert refused.exit_code == 1
    assert f"in use by process {user.pid}" in refused.output
    kill(user.pid)
    user.wait()

    assert run(place, "reset", answer="n\n").exit_code == 1
    assert place.data.exists()
    assert run(place, "reset", answer="y\n").exit_code == 0
    assert not place.data.exists()


def test_psql_holds_the_server_as_long_as_it_lives(place: Place) -> None:
    with begin(place, "psql", "-At") as process:
        assert process.stdin is not None
        process.stdin.write("select 6 * 7;\n")
        process.stdin.flush()
        assert ready(process) == "42"
        pid = place.postmaster()
        assert str(Path(f"/proc/{process.pid}/exe").readlink()).endswith("psql")

        process.stdin.close()

        assert process.wait(10) == 0
    assert place.gone(pid)


def test_without_psql_the_message_says_what_to_install(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_name: str) -> None:
        return None

    monkeypatch.setattr("howdah.cli.db.client_program", none)
    monkeypatch.setenv("PATH", str(place.root))

    result = run(place, "psql")

    assert result.exit_code == 1
    assert "postgresql-client" in result.output
