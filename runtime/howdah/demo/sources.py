"""Reads Python source: which files a folder holds, and what one of them says about its modules, classes and functions.

Pure but for reading the file: knows neither Postgres nor the queue.
"""

import ast
import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec

from ..errors import ConfigurationError

_FOREIGN = {"__pycache__", "site-packages", "dist-packages", "node_modules"}
"""Folders whose files are not this folder's own source."""

Documented: TypeAlias = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Source(msgspec.Struct, frozen=True):
    """A file as it is on disk: another size or time means that it has changed."""

    path: str
    module: str
    size: int
    modified_ns: int


class Entry(msgspec.Struct, frozen=True):
    """What one module, class or function says about itself."""

    kind: str
    name: str
    line: int
    summary: str
    body: str


class Unreadable(Exception):
    """The file is no Python source that this Python can read. Trying again will not help."""


def standard_library() -> Path:
    """Where the sources of the running Python are."""
    return Path(sysconfig.get_path("stdlib"))


def listing(folder: Path) -> list[Source]:
    """Every source file below the folder, in order. ConfigurationError: it is no folder, or holds none."""
    if not folder.exists():
        raise ConfigurationError(f"there is no folder {folder}")
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is a file; the demo takes a folder of Python source")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise ConfigurationError(f"the folder {folder} may not be read by this user")
    root = folder.resolve()
    found = sorted(_walk(root), key=lambda source: source.path)
    if not found:
        raise ConfigurationError(f"there is no Python source (*.py) below {root}")
    return found


def _walk(root: Path) -> Iterator[Source]:
    for here, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _FOREIGN and not name.startswith(".")]
        for name in names:
            path = Path(here, name)
            # A path that is not UTF-8 can be kept neither in json nor in Postgres.
            if not name.endswith(".py") or not path.is_file() or not str(path).isprintable():
                continue
            about = path.stat()
            yield Source(str(path), _module(path.relative_to(root)), about.st_size, about.st_mtime_ns)


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def entries(path: str, module: str) -> list[Entry]:
    """What the file documents, in its order. Unreadable: it does not parse. OSError: it could not be read just now."""
    text = Path(path).read_bytes()
    try:
        tree = ast.parse(text, path)
    except SyntaxError as error:
        raise Unreadable(f"line {error.lineno}: {error.msg}" if error.lineno else error.msg) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error
    return list(_documented(tree, module))


def _documented(tree: ast.Module, module: str) -> Iterator[Entry]:
    waiting: list[tuple[Documented, str]] = [(tree, module)]
    while waiting:
        node, name = waiting.pop()
        text = ast.get_docstring(node)
        if text:
            line = 1 if isinstance(node, ast.Module) else node.lineno
            yield _entry(node, name, line, text)
        inner = [(child, f"{name}.{child.name}") for child in _definitions(node.body)]
        waiting.extend(reversed(inner))


def _definitions(body: list[ast.stmt]) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """The classes and functions of a block, also those inside of its ifs and tries."""
    for statement in body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield statement
        else:
            for part in ("body", "orelse", "finalbody"):
                yield from _definitions(getattr(statement, part, []))
            for handler in getattr(statement, "handlers", []):
                yield from _definitions(handler.body)


def _entry(node: Documented, name: str, line: int, text: str) -> Entry:
    # Postgres keeps neither NUL nor half of a surrogate pair, and some test data has both.
    clean = text.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode()
    summary, _, body = clean.strip().partition("\n")
    kind = "module" if isinstance(node, ast.Module) else "class" if isinstance(node, ast.ClassDef) else "function"
    return Entry(kind, name, line, summary.strip(), body.strip())
