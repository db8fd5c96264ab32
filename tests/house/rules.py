"""The rules of CONTRIBUTING.md that a program can read, each a function from a text to what is wrong with it.

A finding starts with its line number. Exceptions stand in tables with their reasons; test_tidy.py says when one is stale.
"""

import ast
import re
from collections.abc import Iterable, Iterator

FILE_MAX = 400
FUNCTION_MAX = 70

UNSTRUCTURED = {"create_task", "ensure_future", "gather", "add_done_callback", "run_coroutine_threadsafe"}
"""Ways to start or bind a task outside of a task group."""

VAGUE = {"util", "utils", "common", "helper", "helpers", "manager", "managers", "base", "misc", "types"}
"""Names that do not say what is in a file."""

_STATEMENT = re.compile(
    r"""\s*(
      select\s+\S
    | with\s+\w+\s*(\([^)]*\)\s*)?as\s+((not\s+)?materialized\s+)?\(
    | insert\s+into\s
    | update\s+\S+\s+set\s
    | delete\s+from\s
    | copy\s+\S+\s*(\([^)]*\)\s*)?(from|to)\s
    | (create|alter|drop)\s+(or\s+replace\s+)?(table|index|schema|function|trigger|database|role)\s
    | truncate\s
    | (un)?listen\s+\S+$
    | notify\s+\S+(,|$)
    | lock\s+table\s
    | set\s+(local|session)\s
    | (begin|commit|rollback)\s*;?\s*$
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_SQL_PROSE = re.compile(r"(?P<comment>--[^\n]*)|'(?:[^']|'')*'|\"[^\"]*\"")
_CLOCK = re.compile(r"\b(now|(clock|statement|transaction)_timestamp)\(\)|\bcurrent_(timestamp|date|time)\b", re.IGNORECASE)


def too_long(text: str) -> Iterator[str]:
    """A file is read in one sitting."""
    lines = text.count("\n")
    if lines >= FILE_MAX:
        yield f"1: the file has {lines} lines, and {FILE_MAX} are too many: split it by responsibility"


def long_functions(text: str) -> Iterator[str]:
    """A function is seen at a glance."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines >= FUNCTION_MAX:
                yield f"{node.lineno}: {node.name} has {lines} lines, and {FUNCTION_MAX} are too many"


def unstructured_tasks(text: str) -> Iterator[str]:
    """Tasks are born in a task group alone, which is their supervisor."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name) if name in UNSTRUCTURED:
                yield f"{node.lineno}: {name} starts or binds a task outside of a task group"
            case ast.Attribute(value=ast.Name(id="asyncio"), attr="shield"):
                yield f"{node.lineno}: asyncio.shield leaves a task behind; shield a scope"
            case ast.ImportFrom(module="asyncio", names=names):
                for name in {alias.name for alias in names} & {*UNSTRUCTURED, "shield"}:
                    yield f"{node.lineno}: asyncio.{name} starts or binds a task outside of a task group"
            case _:
                pass


def bare_transactions(text: str) -> Iterator[str]:
    """Transactions are those of db/link.py, whose end is shielded: an anyio scope would cancel the rollback too."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(func=ast.Attribute(attr="transaction")):
                yield f"{node.lineno}: .transaction() of a driver; use db.link.transaction"
            case _:
                pass


def swallowed_exceptions(text: str) -> Iterator[str]:
    """What catches everything passes it on: an error is handled, returned or let fall, never logged and forgotten."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler) and not isinstance(node.body[-1], ast.Raise):
            caught = {leaf.id for leaf in ast.walk(node.type) if isinstance(leaf, ast.Name)} if node.type else {"BaseException"}
            if caught & {"Exception", "BaseException"}:
                yield f"{node.lineno}: catches everything and goes on"


def sql_in_python(text: str) -> Iterator[str]:
    """SQL stands in files, where psql and the PREPARE test reach it."""
    tree = ast.parse(text)
    silent = {id(statement.value) for statement in ast.walk(tree) if isinstance(statement, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=parts):
                said = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)
            case ast.Constant(value=str(said)) if id(node) not in silent:
                pass
            case _:
                continue
        if _STATEMENT.match(said):
            yield f"{node.lineno}: SQL in Python: {said[:60]!r}"


def hidden_imports(text: str) -> Iterator[str]:
    """A circle is a misplaced name. It is not hidden in a function or behind TYPE_CHECKING."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        match node:
            case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING") | ast.alias(name="TYPE_CHECKING"):
                yield f"{node.lineno}: TYPE_CHECKING"
            case _:
                pass
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.ImportFrom) and (inner.level > 0 or _ours(inner.module)):
                    yield f"{inner.lineno}: an import of ours inside of {node.name}"
                if isinstance(inner, ast.Import) and any(_ours(alias.name) for alias in inner.names):
                    yield f"{inner.lineno}: an import of ours inside of {node.name}"


def sql_without_header(text: str) -> Iterator[str]:
    """A file of SQL says what it guarantees before it does it."""
    first = text.split("\n", 1)[0]
    if not (first.startswith("-- ") and len(first.split()) > 3):
        yield "1: the file does not start with a sentence that says what it guarantees"


def loud_sql(text: str) -> Iterator[str]:
    """SQL is written in lower case."""
    for number, code in _sql_lines(text):
        if loud := re.search(r"[A-Z]\w*", code):
            yield f"{number}: {loud.group()} is not in lower case"


def open_search_path(text: str) -> Iterator[str]:
    """What runs with its owner's rights finds names where its owner says, not where the caller does."""
    code = " ".join(line for _, line in _sql_lines(text))
    for function in re.split(r"create or replace function", code)[1:]:
        if "security definer" in function and "set search_path = pg_catalog, pg_temp" not in function:
            yield f"1: {function.split('(')[0].strip()} is security definer and takes the caller's search_path"


def own_clock(text: str) -> Iterator[str]:
    """Time is howdah.clock(), which tests can shift."""
    for number, code in _sql_lines(text):
        if found := _CLOCK.search(code):
            yield f"{number}: {found.group()} instead of howdah.clock()"


def unlocked(text: str) -> Iterator[str]:
    """A function says which locks it takes, in which order, or that it takes none."""
    header = [line for line in text.split("\n") if line.startswith("--")]
    if not any(re.search(r"\block", line, re.IGNORECASE) for line in header):
        yield "1: the header does not say which locks it takes"


def _ours(module: str | None) -> bool:
    return module is not None and module.split(".")[0] == "howdah"


def _sql_lines(text: str) -> Iterable[tuple[int, str]]:
    """The lines as (number, code): literals and comments are blanked. Whichever begins first holds what looks like the other."""
    blanked = _SQL_PROSE.sub(lambda found: "" if found["comment"] else "''" + "\n" * found.group().count("\n"), text)
    return enumerate(blanked.split("\n"), 1)
