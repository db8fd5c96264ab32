"""A real PgBouncer in transaction mode before the tests' server. It refuses to run as root, so root steps down as for Postgres."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote, unquote

from howdah.embedded.account import account_for, surroundings

PROGRAM = shutil.which("pgbouncer", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))
"""Where it is; None: nowhere."""

PATIENCE_S = 60.0
PORT = 6432

SETTINGS = """
[databases]
* = host={server} port=5432
[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 300
max_db_connections = {size}
logfile = {folder}/log
"""


class Bouncer:
    """One PgBouncer, on a socket in a folder of its own."""

    def __init__(self, server_dsn: str, folder: Path, mode: str = "transaction", size: int = 8) -> None:
        assert PROGRAM is not None
        found = re.search(r"host=([^&]+)", server_dsn)
        assert found is not None, "the tests' server listens on a socket"
        self._server_host = found[0]
        self._folder = folder
        account = account_for(folder)
        (folder / "ini").write_text(SETTINGS.format(server=unquote(found[1]), port=PORT, folder=folder, mode=mode, size=size))
        self.know("postgres", reload=False)
        for path in (folder, *folder.iterdir()):
            os.chown(path, account.uid, account.gid)
        self._process = subprocess.Popen(
            [PROGRAM, str(folder / "ini")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **surroundings(account)
        )
        self._await_ready()

    def dsn(self, direct: str) -> str:
        """The way through here to the database of this DSN."""
        return direct.replace(self._server_host, f"host={quote(str(self._folder))}&port={PORT}")

    def know(self, *roles: str, reload: bool = True) -> None:
        """Lets these roles log in: it keeps a list of its own."""
        with (self._folder / "users").open("a") as users:
            users.writelines(f'"{role}" ""\n' for role in roles)
        if reload:
            self._process.send_signal(signal.SIGHUP)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(self._folder / f".s.PGSQL.{PORT}")) == 0:
                    return
            time.sleep(0.02)
        log = self._folder / "log"
        raise AssertionError(f"PgBouncer did not start:\n{log.read_text() if log.exists() else 'it wrote no log'}")
