"""Who runs Postgres: root steps down, a normal user runs it itself, and both can work in one place."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from howdah.embedded import Embedded, binaries, cluster
from howdah.embedded.account import Account, account_for, can_enter, clean_environment
from howdah.errors import EmbeddedError

from .place import Place, kill, ready

NOBODY = 65534


def python_for(account: Account) -> str:
    """An interpreter that the account can run."""
    for program in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")):
        if program is not None and can_enter(Path(program).resolve().parent, account):
            check = subprocess.run([program, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], check=False)
            if check.returncode == 0:
                return program
    pytest.skip("every Python 3.11 here lies in somebody's private directory")


@pytest.fixture
def owned(root: None) -> Iterator[Place]:
    """A place in a directory of the user nobody."""
    place = Place()
    os.chown(place.root, NOBODY, NOBODY)
    yield place
    place.close()


def as_nobody(place: Place) -> dict[str, str]:
    """An environment in which the account nobody finds our code and Postgres' programs."""
    programs = binaries.reachable_binaries(place.root, Account(NOBODY, NOBODY))
    return {"PYTHONPATH": str(place.library()), "HOWDAH_PG_BIN": str(programs), "HOME": str(place.root)}


def owner_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def test_a_normal_user_runs_postgres_as_itself_and_root_can_share_it(owned: Place) -> None:
    user = owned.user(python=python_for(Account(NOBODY, NOBODY)), env=as_nobody(owned), uid=NOBODY)
    ready(user)
    pid = owned.postmaster()
    assert owner_of(pid) == NOBODY
    assert owned.base.stat().st_mode & 0o777 == 0o700

    root = owned.embedded().start()
    kill(user.pid)
    user.wait()

    assert owned.postmaster() == pid
    assert root.running()
    root.release()
    assert owned.gone(pid)


def test_what_root_makes_in_a_users_directory_stays_usable_for_that_user(owned: Place) -> None:
    owned.base.mkdir(mode=0o700)
    os.chown(owned.base, NOBODY, NOBODY)
    root = owned.embedded().start()
    assert owner_of(owned.postmaster()) == NOBODY
    root.release()

    user = owned.user(python=python_for(Account(NOBODY, NOBODY)), env=as_nobody(owned), uid=NOBODY)

    ready(user)
    assert {path.stat().st_uid for path in owned.base.iterdir()} == {NOBODY}


@pytest.mark.usefixtures("root")
def test_root_steps_down_to_postgres_or_nobody(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    expected = known.get("postgres", known["nobody"])
    server = place.embedded().start()
    assert owner_of(place.postmaster()) == expected.pw_uid
    server.release()

    def only_nobody(name: str) -> pwd.struct_passwd:
        if name != "nobody":
            raise KeyError(name)
        return known["nobody"]

    monkeypatch.setattr(pwd, "getpwnam", only_nobody)
    assert account_for(place.root / "new") == (known["nobody"].pw_uid, known["nobody"].pw_gid)

    def no_one(name: str) -> pwd.struct_passwd:
        raise KeyError(name)

    monkeypatch.setattr(pwd, "getpwnam", no_one)
    with pytest.raises(EmbeddedError, match="refuses to run as root"):
        account_for(place.root / "new")


@pytest.mark.usefixtures("root")
def test_a_normal_user_is_told_that_roots_place_is_not_its_own(place: Place) -> None:
    place.embedded().start().release()

    user = place.user(python=python_for(Account(NOBODY, NOBODY)), env=as_nobody(place), uid=NOBODY)

    told = user.communicate()[1]
    assert "belongs to another user" in told
    assert "HOWDAH_HOME" in told


@pytest.mark.usefixtures("root")
def test_root_is_told_that_its_private_directory_cannot_be_entered_by_postgres(place: Place) -> None:
    private = place.root / "private"
    private.mkdir(mode=0o700)

    with pytest.raises(EmbeddedError, match="a directory above it is private"):
        Embedded(private / "deeper").start()

    assert private.stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("root")
def test_a_strict_umask_of_root_does_not_lock_postgres_out() -> None:
    place = Place("one/two")
    try:
        user = place.user(before="import os; os.umask(0o077)")
        ready(user)
    finally:
        place.close()


def test_a_place_that_cannot_be_made_is_reported() -> None:
    with pytest.raises(EmbeddedError, match=r"cannot be made.*HOWDAH_HOME"):
        cluster.prepare_base(Path("/proc/nothing"), account_for(Path("/proc/nothing")))


def test_permissions_are_read_as_the_kernel_reads_them(tmp_path: Path) -> None:
    mine = Account(os.geteuid() or 4321, os.getegid())
    directory = tmp_path / "d"
    directory.mkdir()
    parents_allow = can_enter(tmp_path, Account(0, 0))

    assert parents_allow
    if os.geteuid() == 0:
        for step in (tmp_path, *tmp_path.parents):
            assert can_enter(step, Account(0, 0))
        os.chown(directory, mine.uid, 0)
    directory.chmod(0o077)
    assert not can_enter(directory, mine)  # the owner's bits count, although everybody else may enter


def test_the_environment_of_the_server_holds_nothing_that_bends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGDATA", "PGPORT", "PG_COLOR", "LC_COLLATE", "LANG", "LANGUAGE"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("KEPT", "yes")

    environment = clean_environment()

    assert environment["KEPT"] == "yes"
    assert environment["LC_ALL"] == "C"
    assert not {"PGDATA", "PGPORT", "PG_COLOR", "LC_COLLATE", "LANG", "LANGUAGE"} & set(environment)
