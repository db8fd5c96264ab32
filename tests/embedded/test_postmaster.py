"""Who the postmaster is and whether it answers, against servers that are full, absent or somebody else."""

import asyncio
import os
import socket
import subprocess
import threading
from pathlib import Path

import asyncpg
import pytest
from howdah.embedded import postmaster as pm

from .place import Place


def test_a_process_id_alone_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n/elsewhere\n")

    assert pm.recorded_pid(tmp_path) == os.getpid()
    assert pm.running_pid(tmp_path) is None
    assert not pm.is_postmaster(2**22 + 1, tmp_path)


def test_a_pid_file_that_is_absent_or_cut_short_names_nobody(tmp_path: Path) -> None:
    assert pm.recorded_pid(tmp_path) is None
    assert not pm.recorded_ready(tmp_path)
    (tmp_path / "postmaster.pid").touch()
    assert pm.recorded_pid(tmp_path) is None


def test_a_process_that_is_not_the_postmaster_is_never_signalled(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        pm.shut_down(bystander.pid, tmp_path)
        assert bystander.poll() is None
        bystander.kill()


async def fill(dsn: str) -> bool:
    """Take connections until the server is full; whether it is still said to accept."""
    taken: list[asyncpg.Connection[asyncpg.Record]] = []
    try:
        taken.extend([await asyncpg.connect(dsn) for _ in range(4)])
        with pytest.raises(asyncpg.TooManyConnectionsError):
            await asyncpg.connect(dsn)
        return pm.accepts(Path(dsn.partition("host=")[2]))
    finally:
        for connection in taken:
            await connection.close()


def test_a_full_server_is_running(place: Place) -> None:
    server = place.embedded({"max_connections": "4", "superuser_reserved_connections": "0", "max_wal_senders": "0"}).start()

    assert asyncio.run(fill(server.dsn()))
    server.release()


@pytest.mark.parametrize(
    ("answer", "accepting"),
    [
        (b"R\0\0\0\x08\0\0\0\0", True),
        (b"E\0\0\0\x20SFATAL\0VFATAL\0C57P03\0Mstarting up\0\0", False),
        (b"E\0\0\0\x20SFATAL\0VFATAL\0C53300\0Mtoo many clients\0\0", True),
        (b"", False),
    ],
)
def test_readiness_is_read_from_the_first_answer(tmp_path: Path, answer: bytes, accepting: bool) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / ".s.PGSQL.5432"))
        listener.listen()

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(100)
                client.sendall(answer)

        server = threading.Thread(target=serve)
        server.start()
        found = pm.accepts(tmp_path)
        server.join()
    assert found is accepting
    (tmp_path / ".s.PGSQL.5432").unlink()
    assert not pm.accepts(tmp_path)
