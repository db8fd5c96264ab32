"""As whom Postgres runs, and in which environment. Postgres refuses to be root, so root steps down to a user that exists."""

import os
import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

from ..errors import EmbeddedError


class Account(NamedTuple):
    """The user and group that a server process runs as."""

    uid: int
    gid: int


class Surroundings(TypedDict, total=False):
    """Keyword arguments of subprocess that give a Postgres program its user, environment and directory."""

    cwd: str
    env: dict[str, str]
    stdin: int
    user: int
    group: int
    extra_groups: Sequence[int]
    umask: int


_DEVNULL = -3  # subprocess.DEVNULL, whose own type is a plain int


def account_for(base: Path) -> Account:
    """Say who runs Postgres: ourselves; for root the owner of the data (else of its directory), else postgres, else nobody."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    for path in (base / "data", base):
        if path.exists() and (owner := path.stat()).st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    message = "Postgres refuses to run as root, and there is neither a user 'postgres' nor 'nobody'. Start Howdah as a normal user."
    raise EmbeddedError(message)


def can_enter(directory: Path, account: Account) -> bool:
    """Whether the permissions let this user walk down to the directory; access lists are not looked at."""
    directory = directory.resolve()
    return account.uid == 0 or all(_may_pass(step.stat(), account) for step in (directory, *directory.parents))


def _may_pass(step: os.stat_result, account: Account) -> bool:
    if step.st_uid == account.uid:
        return bool(step.st_mode & 0o100)
    if step.st_gid == account.gid:
        return bool(step.st_mode & 0o010)
    return bool(step.st_mode & 0o001)


def clean_environment() -> dict[str, str]:
    """Our environment without what would bend initdb or the server: PG* variables, locale and time zone."""
    bending = ("PG", "LC_", "LANG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(bending)}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def surroundings(account: Account) -> Surroundings:
    """What subprocess needs to run a Postgres program as this account."""
    found: Surroundings = {"cwd": "/", "env": clean_environment(), "stdin": _DEVNULL, "umask": 0o077}
    if account.uid != os.geteuid():
        found |= {"user": account.uid, "group": account.gid, "extra_groups": ()}
    return found
