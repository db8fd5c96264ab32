"""The watchdog by itself: what it is made of, where it lives, and how it leaves."""

import ast
import os
import signal
import sys
from pathlib import Path

from howdah.embedded import watchdog

from .place import Place, ended, kill, ready


def test_it_imports_the_standard_library_only() -> None:
    tree = ast.parse(Path(watchdog.__file__).read_text())

    imports = {alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    sources = {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert imports | sources <= sys.stdlib_module_names


def test_it_is_nobodys_child_and_out_of_reach_of_the_terminal(place: Place) -> None:
    server = place.embedded().start()
    pid = place.watchdog()

    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    assert words[1:3] == [b"-I", b"-S"]
    assert os.getsid(pid) != os.getsid(0)
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert parent != os.getpid()
    assert str(Path(f"/proc/{pid}/cwd").readlink()) == "/"
    server.release()


def test_it_holds_no_lock_through_its_children(place: Place) -> None:
    server = place.embedded().start()
    locks = {str(place.base / name) for name in ("lock", "users", "watch")}

    held = {str(entry.readlink()) for entry in Path(f"/proc/{place.postmaster()}/fd").iterdir() if entry.is_symlink()}

    assert not held & locks
    server.release()


def test_a_sigterm_to_the_watchdog_shuts_the_server_down_cleanly(place: Place) -> None:
    user = place.user(before="import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})")
    ready(user)
    pid, keeper = place.postmaster(), place.watchdog()

    os.kill(keeper, signal.SIGTERM)

    assert place.gone(pid)
    assert ended(keeper)
    assert (place.base / "log").read_text().rstrip().endswith("database system is shut down")


def test_it_leaves_with_a_server_that_dies(place: Place) -> None:
    ready(place.user())
    keeper = place.watchdog()

    kill(place.postmaster())

    assert ended(keeper)


def test_it_does_not_adopt_a_process_that_is_not_the_postmaster(place: Place) -> None:
    order = watchdog.Order(base=str(place.base), data=str(place.data), report=0, account=None, command=[], adopt=os.getpid())

    assert watchdog.begin(order) is None
