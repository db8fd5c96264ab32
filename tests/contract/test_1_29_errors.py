"""CONTRACT 1.29: one table of refusals, and nothing that is raised on purpose is missing in it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import howdah.errors
import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "runtime/howdah"
TABLE = ROOT / "tests/test_errors.py"
ELSEWHERE: dict[str, str] = {
    "cli": "tests/cli: what a command says",
    "demo": "tests/demo: the same of the demo",
    "embedded": "tests/embedded: the server's own troubles",
}
"""Folders whose refusals have tables of their own."""

OURS = {
    name
    for name, value in vars(howdah.errors).items()
    if isinstance(value, type) and issubclass(value, howdah.errors.HowdahError) and not issubclass(value, howdah.errors.RunEnded)
}
APART: dict[str, str] = {
    "the app's background thread was ended": "a race of atexit with a thread: tests of the portal",
    "node % has lost its lease": "told to a node, which takes a new identity: tests/db/test_fence.py",
    "run % is no longer held under lease %": "becomes LeaseLost, which has its row: tests/db/test_fence.py",
    "a batch of events names a run twice": "a bug of the writer, never a user's doing",
    "unique runs of % are enqueued by submit()": "a bug of the client, never a user's doing",
}
"""Texts without a row, and why."""

LONG = 10
"""So many characters in common are no accident."""


def literals(node: ast.AST) -> list[str]:
    """The constant parts of a text, in order."""
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def refusals() -> Iterator[tuple[str, list[str]]]:
    """Where something is raised on purpose, and the constant parts of what it says."""
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE)
        if place.parts[0] in ELSEWHERE:
            continue
        tree = ast.parse(file.read_text())
        names = {  # Texts that are named first and raised then.
            target.id: literals(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            match node:
                case ast.Raise(exc=ast.Call(func=ast.Name(id=kind), args=[text, *_])) if kind in OURS:
                    named = [one.id for one in ast.walk(text) if isinstance(one, ast.Name)]
                    said = literals(text) + [part for name in named for part in names.get(name, [])]
                    if any(len(part) >= LONG for part in said):  # Else it passes on what Postgres says.
                        yield f"{place}:{node.lineno} {kind}", said
                case _:
                    pass


def rows() -> set[str]:
    """The sentences of the table."""
    return {text for text in literals(ast.parse(TABLE.read_text())) if len(text) >= LONG}


def common(says: str, parts: list[str]) -> bool:
    """Whether the sentence of a row is of this text: a part of it of some length stands in both."""
    pieces = (says[start : start + LONG] for start in range(max(1, len(says) - LONG + 1)))
    return any(piece in part for piece in pieces for part in parts)


REFUSALS = dict(refusals())


def test_there_are_refusals_to_look_for() -> None:
    assert len(REFUSALS) > 40


@pytest.mark.parametrize("place", REFUSALS)
def test_each_refusal_has_its_row(place: str) -> None:
    parts = REFUSALS[place]
    if any(text in part for text in APART for part in parts):
        return
    assert any(common(says, parts) for says in rows()), f"no row of tests/test_errors.py says a part of {parts}"


def test_each_refusal_of_sql_has_its_row() -> None:
    # The text, and the hint behind it, up to the end of the statement.
    raised = re.compile(r"raise exception ('.*?);$", re.MULTILINE | re.DOTALL)
    found = [text for file in sorted((ROOT / "sql/functions").glob("*.sql")) for text in raised.findall(file.read_text())]
    texts = [text for text in found if not any(text.startswith(f"'{apart}") for apart in APART)]
    assert len(texts) > 5
    assert [text for text in texts if not any(common(says, [text.replace("''", "'")]) for says in rows())] == []


def test_a_row_says_cause_class_sentence_and_mend() -> None:
    tree = ast.parse(TABLE.read_text())
    (row,) = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == "Row"]
    assert [line.target.id for line in row.body if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)] == [
        "cause", "do", "kind", "says", "mend",
    ]  # fmt: skip
