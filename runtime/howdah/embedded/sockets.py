"""The directory of the server's socket. Authentication is `trust`, so the directory *is* the authentication: mode 0700, our own.

It never lies in the data directory, because a socket's path holds 107 bytes (103 on macOS).
"""

import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path

from ..errors import EmbeddedError
from .account import Account

_PRIVATE = 0o700


def sockets_of(base: Path, account: Account) -> Path:
    """The socket directory of a base directory: the same in every process, whatever its TMPDIR."""
    mark = hashlib.sha256(os.fsencode(base)).hexdigest()[:12]
    common = Path("/tmp")
    parent = common if sys.platform != "darwin" and os.access(common, os.W_OK) else Path(tempfile.gettempdir())
    return parent / f"howdah-{account.uid}-{mark}"


def make_sockets(directory: Path, account: Account) -> None:
    """Make or check the directory: a real directory of the account, closed to everybody else."""
    try:
        directory.mkdir(mode=_PRIVATE)
    except FileExistsError:
        pass
    except OSError as error:
        message = f"The directory for Postgres' socket, {directory}, cannot be made ({error}). Set TMPDIR to a writable directory."
        raise EmbeddedError(message) from error
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        message = f"{directory} is not a directory of ours but a link or a file ({error}). Somebody else made it; remove it."
        raise EmbeddedError(message) from error
    try:
        found = os.fstat(handle)
        if found.st_uid not in {account.uid, os.geteuid()}:
            message = (
                f"{directory} belongs to uid {found.st_uid}, not to uid {account.uid}: whoever made it could read your data. Remove it."
            )
            raise EmbeddedError(message)
        if found.st_uid != account.uid:
            os.fchown(handle, *account)
        if stat.S_IMODE(found.st_mode) != _PRIVATE:
            os.fchmod(handle, _PRIVATE)
    finally:
        os.close(handle)
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
        # A server that was killed leaves them; the caller knows that none is running on this base.
        (directory / name).unlink(missing_ok=True)
