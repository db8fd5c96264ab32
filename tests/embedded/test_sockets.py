"""The socket directory is the authentication, so nobody else's is accepted."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from howdah.embedded import sockets
from howdah.embedded.account import Account, account_for
from howdah.errors import EmbeddedError

from .place import Place

OURSELVES = Account(os.geteuid(), os.getegid())


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    path = sockets.sockets_of(tmp_path, OURSELVES)
    yield path
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        path.rmdir()


def test_the_path_is_short_and_the_same_whatever_tmpdir_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = sockets.sockets_of(tmp_path / ("long" * 60), OURSELVES)
    monkeypatch.setenv("TMPDIR", "/elsewhere")

    assert found == sockets.sockets_of(tmp_path / ("long" * 60), OURSELVES)
    assert found != sockets.sockets_of(tmp_path, OURSELVES)
    assert found.name.startswith(f"howdah-{os.geteuid()}-")
    assert len(f"{found}/.s.PGSQL.5432") <= 103


def test_it_is_made_private_and_made_private_again(directory: Path) -> None:
    sockets.make_sockets(directory, OURSELVES)
    directory.chmod(0o777)

    sockets.make_sockets(directory, OURSELVES)

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_what_a_killed_server_left_is_removed(directory: Path) -> None:
    directory.mkdir()
    (directory / ".s.PGSQL.5432").touch()
    (directory / ".s.PGSQL.5432.lock").touch()

    sockets.make_sockets(directory, OURSELVES)

    assert list(directory.iterdir()) == []


def test_a_link_is_refused_and_what_it_points_to_left_alone(directory: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir(mode=0o755)
    directory.symlink_to(target)

    with pytest.raises(EmbeddedError, match="not a directory of ours"):
        sockets.make_sockets(directory, OURSELVES)

    assert stat.S_IMODE(target.stat().st_mode) == 0o755


@pytest.mark.usefixtures("root")
def test_a_directory_of_somebody_else_is_refused(place: Place) -> None:
    server = place.embedded()
    account = account_for(place.base)
    server.sockets.mkdir(exist_ok=True)
    os.chown(server.sockets, account.uid + 1, account.gid)
    try:
        with pytest.raises(EmbeddedError, match=f"belongs to uid {account.uid + 1}"):
            server.start()
    finally:
        os.chown(server.sockets, *account)
