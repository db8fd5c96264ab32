"""initdb: under little shared memory, cut short, and against leftovers."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from howdah.embedded import cluster
from howdah.embedded.account import account_for
from howdah.errors import EmbeddedError

from .place import Place, ready


def with_shared_memory_of(size: str) -> tuple[str, ...]:
    """The command that runs another one over a /dev/shm of this size."""
    return ("unshare", "-m", "sh", "-c", f'mount -t tmpfs -o size={size} tmpfs /dev/shm && exec "$@"', "sh")


TINY = with_shared_memory_of("1m")


@pytest.fixture
def fresh() -> Iterator[Place]:
    """On a disk: what is mounted here would hide what lies in shared memory."""
    place = Place(folder="/var/tmp")
    yield place
    place.close()


@pytest.fixture
def mounts(root: None) -> None:
    if subprocess.run([*TINY, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this container may not mount a file system")


@pytest.mark.usefixtures("mounts")
def test_a_shared_memory_of_one_megabyte_is_enough(fresh: Place) -> None:
    user = fresh.user(wrapper=TINY)

    ready(user)

    assert "dynamic_shared_memory_type = mmap" in (fresh.data / "postgresql.conf").read_text()


@pytest.mark.usefixtures("mounts")
def test_a_shared_memory_of_one_megabyte_is_enough_for_data_made_elsewhere(fresh: Place) -> None:
    fresh.embedded().start().release()
    user = fresh.user(wrapper=TINY)

    ready(user)

    assert "dynamic_shared_memory_type=mmap" in Path(f"/proc/{fresh.postmaster()}/cmdline").read_text()


@pytest.mark.usefixtures("mounts")
def test_initdb_is_tried_again_when_the_lack_of_shared_memory_could_not_be_seen(fresh: Place) -> None:
    blind = "from howdah.embedded import cluster; cluster._ENOUGH_SHARED_MEMORY_BYTES = 0\n"
    user = fresh.user(wrapper=TINY, before=blind)

    ready(user)

    assert "dynamic_shared_memory_type = mmap" in (fresh.data / "postgresql.conf").read_text()


@pytest.mark.usefixtures("mounts")
def test_an_older_postgres_works_with_four_megabytes_of_shared_memory(fresh: Place, debian_binaries: Path) -> None:
    user = fresh.user(wrapper=with_shared_memory_of("4m"), env={"HOWDAH_PG_BIN": str(debian_binaries)})

    ready(user)


@pytest.mark.usefixtures("mounts")
def test_an_older_postgres_says_what_to_do_about_one_megabyte(fresh: Place, debian_binaries: Path) -> None:
    user = fresh.user(wrapper=TINY, env={"HOWDAH_PG_BIN": str(debian_binaries)})

    told = user.communicate()[1]

    assert "Enlarge it, or run `pip install 'howdah[embedded]'`" in told


def test_a_half_made_cluster_is_never_taken_for_one(fresh: Place) -> None:
    half = fresh.base / "data.tmp.killed"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    server = fresh.embedded().start()

    assert not half.exists()
    assert server.running()
    server.release()


def test_an_initdb_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    initdb = programs / "initdb"
    initdb.write_text("#!/bin/sh\nmkdir -p $2/base\necho the disk is full >&2\nexit 1\n")
    initdb.chmod(0o755)
    account = account_for(tmp_path)._replace(uid=os.geteuid(), gid=os.getegid())

    with pytest.raises(EmbeddedError, match="the disk is full"):
        cluster.make_cluster(tmp_path, programs, 18, account, {})

    assert [entry.name for entry in tmp_path.iterdir()] == ["bin"]
