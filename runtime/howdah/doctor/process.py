"""What a node that is started here would have: its event loop, and how many files it may open."""

import importlib
import shlex
import sys
from collections.abc import Iterator

from ..config import Config
from .ailments import finding
from .finding import Finding

try:
    import resource
except ImportError:  # Windows has no such limit.
    resource = None

FILES_PER_RUN = 2
"""Sockets and files of one run at once: a function that asks somebody and reads something."""

FILES_BESIDE = 64
"""What a process holds open for itself: its modules' files, its log, its connections."""


def judge_process(config: Config) -> Iterator[Finding]:
    """The event loop and the limits of this process."""
    if _wants_uvloop() and not _has_uvloop():
        yield finding(
            "uvloop_missing", "uvloop cannot be imported here.", f"{shlex.quote(sys.executable)} -m pip install --force-reinstall uvloop"
        )
    if resource is None:
        return
    needed = FILES_BESIDE + FILES_PER_RUN * (config.concurrency + config.threads + config.processes) + config.pool_size
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft not in (resource.RLIM_INFINITY, -1) and soft < needed:
        enough = max(4096, needed)
        unlimited = hard in (resource.RLIM_INFINITY, -1)
        beyond = not unlimited and hard < enough
        mend = f"ulimit -n {hard if beyond and hard >= needed else enough}"
        if beyond and hard < needed:
            mend += f"   # as root, or LimitNOFILE= of the unit: the hard limit is {hard}"
        yield finding("open_files", f"This process may open {soft} files; a busy node with these settings needs {needed}.", mend)


def _wants_uvloop() -> bool:
    """As pyproject.toml has it."""
    return sys.platform != "win32" and sys.implementation.name == "cpython"


def _has_uvloop() -> bool:
    try:
        importlib.import_module("uvloop")
    except ImportError:
        return False
    return True
