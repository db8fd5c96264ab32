"""The lock files: who may open them, and who is said to hold them."""

import fcntl
import os
from pathlib import Path

import pytest
from howdah.embedded import locks
from howdah.errors import EmbeddedError


def test_shared_holders_are_counted_by_the_kernel_and_named(tmp_path: Path) -> None:
    path = tmp_path / "users"
    one, other = locks.share(path), locks.share(path)

    assert locks.is_held(path)
    assert locks.holders(path) == [os.getpid()]
    os.close(one)
    assert locks.is_held(path)
    os.close(other)
    assert not locks.is_held(path)
    assert locks.holders(path) == []


def test_a_lock_held_alone_is_not_taken_twice(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locks.exclusive(path):
        with locks.exclusive_at_once(path) as free:
            assert not free
        file = locks.open_lock(path)
        assert not locks.try_lock(file, fcntl.LOCK_SH)
        os.close(file)
    with locks.exclusive_at_once(path) as free:
        assert free


def test_a_lock_file_is_private_and_never_a_link(tmp_path: Path) -> None:
    os.close(locks.open_lock(tmp_path / "lock"))
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    (tmp_path / "planted").symlink_to(tmp_path / "victim")

    with pytest.raises(EmbeddedError, match="link"):
        locks.open_lock(tmp_path / "planted")

    assert not (tmp_path / "victim").exists()
