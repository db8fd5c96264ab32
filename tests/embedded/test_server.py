"""Sharing one server between processes, however they end."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from howdah.embedded import Embedded, default_base
from howdah.embedded import postmaster as pm
from howdah.errors import EmbeddedError

from .place import Place, ended, kill, ready


def ask(dsn: str, *statements: str) -> object:
    """Run the statements one by one; the value of the last."""

    async def session() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(session())


def test_a_first_start_makes_a_cluster_of_postgres_18_and_a_release_stops_it(fresh: Place) -> None:
    server = fresh.embedded()

    assert not server.running()
    assert server.start().running()
    assert server.start() is server
    assert server.dsn("shop") == f"postgresql://postgres@/shop?host={server.sockets}"
    assert server.path == fresh.base / "data"
    assert str(ask(server.dsn(), "show server_version")).startswith("18")
    assert ask(server.dsn(), "show listen_addresses") == ""

    pid = fresh.postmaster()
    server.release()
    server.release()

    assert pm.running_pid(fresh.data) is None
    assert fresh.gone(pid)


def test_sort_order_and_encoding_do_not_depend_on_the_operating_system(place: Place) -> None:
    server = place.embedded().start()

    found = ask(
        server.dsn(), "select datlocprovider::text || ' ' || datlocale || ' ' || pg_encoding_to_char(encoding) from pg_database limit 1"
    )

    assert found == "b C.UTF-8 UTF8"
    server.release()


def test_settings_reach_the_server(place: Place) -> None:
    server = place.embedded({"max_connections": "17"}).start()

    assert ask(server.dsn(), "show max_connections") == "17"
    server.release()


def test_a_port_in_the_environment_does_not_lead_drivers_elsewhere(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "5999")
    server = place.embedded().start()

    assert ask(server.dsn(), "select 1") == 1
    server.release()


def test_twelve_simultaneous_cold_starters_share_one_initdb_and_one_server(fresh: Place) -> None:
    users = [fresh.user() for _ in range(12)]

    assert len({ready(user) for user in users}) == 1

    log = (fresh.base / "log").read_text()
    assert log.count("database system is ready to accept connections") == 1
    assert [entry.name for entry in fresh.base.iterdir() if entry.name.startswith("data")] == ["data"]
    pid = fresh.postmaster()
    for user in users[1:]:
        kill(user.pid)
    assert pm.is_postmaster(pid, fresh.data)
    kill(users[0].pid)
    assert fresh.gone(pid)
    assert "database system is shut down" in (fresh.base / "log").read_text()


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_server_stops_when_its_last_user_dies_of_a_signal(place: Place, sign: signal.Signals) -> None:
    user = place.user()
    ready(user)
    pid = place.postmaster()

    user.send_signal(sign)

    assert place.gone(pid)


def test_the_server_outlives_a_user_as_long_as_there_is_another(place: Place) -> None:
    server = place.embedded().start()
    user = place.user()
    ready(user)
    pid = place.postmaster()

    kill(user.pid)
    user.wait()

    assert pm.running_pid(place.data) == pid
    assert ask(server.dsn(), "select 1") == 1
    server.release()
    assert place.gone(pid)


def test_racing_starts_and_exits_never_fail_and_leave_nothing(place: Place) -> None:
    users = [place.user() for _ in range(10)]

    for user in users:
        ready(user)
        user.communicate()  # ends its stdin while others are still starting

    assert [user.returncode for user in users] == [0] * 10
    assert pm.running_pid(place.data) is None


def test_the_last_user_waits_for_the_clean_stop_when_it_exits(place: Place) -> None:
    user = place.user()
    ready(user)
    pid = place.postmaster()
    kill(place.watchdog())  # as when a container ends with its first process

    user.communicate()

    assert not pm.is_postmaster(pid, place.data)


def test_an_orphan_is_adopted_by_the_next_start_and_stopped_later(place: Place) -> None:
    user = place.user()
    ready(user)
    pid, watchdog = place.postmaster(), place.watchdog()
    kill(watchdog)
    ended(watchdog)

    other = place.user()
    ready(other)

    assert place.postmaster() == pid
    assert place.watchdog() != watchdog
    kill(user.pid)
    kill(other.pid)
    assert place.gone(pid)


def test_an_orphan_without_users_is_adopted_too(place: Place) -> None:
    user = place.user()
    ready(user)
    pid, watchdog = place.postmaster(), place.watchdog()
    kill(watchdog)
    ended(watchdog)
    kill(user.pid)
    user.wait()

    server = place.embedded().start()

    assert place.postmaster() == pid
    server.release()
    assert place.gone(pid)


def test_a_killed_postmaster_recovers_at_the_next_start_with_what_was_committed(place: Place) -> None:
    server = Embedded(place.base).start()
    ask(server.dsn(), "create table if not exists kept (n int)", "truncate kept", "insert into kept values (42)", "select 1")
    watchdog = place.watchdog()
    kill(place.postmaster())
    assert ended(watchdog)

    server.start()

    assert ask(server.dsn(), "select n from kept") == 42
    assert "automatic recovery in progress" in server.log.read_text()
    server.release()


def test_a_stale_pid_file_that_names_another_living_process_is_no_obstacle(place: Place) -> None:
    # A container gives out the same few process ids each time. The bystander has Postgres' own user, or the check would not see it.
    server = place.embedded().start()
    lines = (place.data / "postmaster.pid").read_text().splitlines(keepends=True)
    sockets = server.sockets
    server.release()
    owner = place.data.stat()
    who = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    bystander = subprocess.Popen(["sleep", "60"], **who)  # pyright: ignore[reportArgumentType, reportCallIssue]
    try:
        (place.data / "postmaster.pid").write_text("".join([f"{bystander.pid}\n", *lines[1:]]))
        os.chown(place.data / "postmaster.pid", owner.st_uid, owner.st_gid)
        (sockets / ".s.PGSQL.5432.lock").write_text(f"{bystander.pid}\n")

        server.start()

        assert place.postmaster() != bystander.pid
        assert bystander.poll() is None
        server.stop()
        assert bystander.poll() is None
        server.release()
    finally:
        bystander.kill()
        bystander.wait()


def test_stop_ends_a_server_in_use_and_says_by_whom(place: Place) -> None:
    user = place.user()
    ready(user)
    pid = place.postmaster()

    users = place.embedded().stop()

    assert not pm.is_postmaster(pid, place.data)
    assert len(users) == 1
    assert users[0].startswith(f"process {user.pid} (")


def test_reset_refuses_while_in_use_and_then_deletes(place: Place) -> None:
    user = place.user()
    ready(user)
    with pytest.raises(EmbeddedError, match=f"in use by process {user.pid}"):
        place.embedded().reset()
    assert place.embedded().running()
    kill(user.pid)
    user.wait()

    place.embedded().reset()

    assert not place.data.exists()
    assert not place.embedded().sockets.exists()
    assert not place.embedded().running()


def test_reset_and_stop_of_a_place_that_does_not_exist_do_nothing(tmp_path: Path) -> None:
    server = Embedded(tmp_path / "nothing")

    server.reset()

    assert server.stop() == []
    assert not server.running()
    assert not (tmp_path / "nothing").exists()


def test_a_path_of_over_two_hundred_characters_with_spaces_works() -> None:
    place = Place("/".join(["a directory with a quite long name, really long"] * 5))
    try:
        assert len(str(place.base)) > 200
        server = place.embedded().start()
        assert ask(server.dsn(), "select 1") == 1
        server.release()
    finally:
        place.close()


def test_a_foreign_locale_and_foreign_postgres_variables_do_not_reach_the_server(fresh: Place) -> None:
    user = fresh.user(
        env={"LC_ALL": "xx_YY", "LANG": "xx_YY", "PGDATA": "/nonexistent", "PGHOST": "elsewhere", "PGPORT": "1", "PGOPTIONS": "-c x"}
    )

    dsn = ready(user)

    assert ask(dsn, "select current_setting('lc_messages')") == "C.UTF-8"


def test_a_server_that_refuses_to_start_says_why(place: Place) -> None:
    with pytest.raises(EmbeddedError, match=r"unrecognized configuration parameter \"no_such_setting\""):
        place.embedded({"no_such_setting": "1"}).start()

    server = place.embedded().start()  # and nothing stands in the way of the next try
    server.release()


def test_data_of_another_major_version_is_refused_with_the_ways_out(place: Place) -> None:
    place.embedded().start().release()
    (place.data / "PG_VERSION").write_text("17\n")

    with pytest.raises(EmbeddedError, match=r"made by Postgres 17.*are Postgres 18.*HOWDAH_PG_BIN.*howdah db reset"):
        place.embedded().start()

    (place.data / "PG_VERSION").write_text("18\n")
    place.embedded().start().release()


def test_an_older_system_postgres_works_as_well(fresh: Place, debian_binaries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_PG_BIN", str(debian_binaries))
    server = fresh.embedded().start()

    assert str(ask(server.dsn(), "show server_version")).startswith("15")
    server.release()


def test_a_deleted_socket_directory_is_reported_and_stop_clears_it(place: Place) -> None:
    server = place.embedded().start()
    pid = place.postmaster()
    for entry in server.sockets.iterdir():
        entry.unlink()

    with pytest.raises(EmbeddedError, match="howdah db stop"):
        place.embedded().start()

    server.stop()
    assert not pm.is_postmaster(pid, place.data)
    assert server.start().running()
    server.release()


def test_a_forked_child_counts_as_a_user_and_does_not_end_the_count_of_its_parent(place: Place) -> None:
    script = """
import os, sys
from pathlib import Path
from howdah.embedded import Embedded
server = Embedded(Path(sys.argv[1]), settings={"fsync": "off"}).start()
child = os.fork()
if child == 0:
    server.release()
    os._exit(0)
os.waitpid(child, 0)
print(server.running())
"""
    told = subprocess.run([sys.executable, "-c", script, str(place.base)], capture_output=True, text=True, check=True).stdout

    assert told == "True\n"


def test_the_default_place_is_chosen_by_variable_then_by_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_base() == Path("/data/howdah/default")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/ann")
    assert default_base() == Path("/home/ann/.local/share/howdah/default")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_base() == Path("/var/lib/howdah/default-0")
    monkeypatch.setenv("HOWDAH_HOME", "/mine")
    assert default_base() == Path("/mine")


def test_what_a_start_leaves_in_the_file_system_is_closed_to_others(place: Place) -> None:
    server = place.embedded().start()

    assert stat.S_IMODE(server.sockets.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.log.stat().st_mode) == 0o600
    server.release()
