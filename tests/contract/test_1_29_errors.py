"""CONTRACT 1.29: one table of refusals, and nothing that is raised on purpose is missing in it."""

import ast
import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

import howdah.errors
import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "runtime/howdah"
TABLE = ROOT / "tests/test_errors.py"
ROWS_OF = sorted((ROOT / "tests/refusals").glob("*.py"))
ELSEWHERE: dict[str, str] = {
    "cli": "tests/cli: what a command says",
    "demo": "tests/demo: the same of the demo",
    "embedded": "tests/embedded: the server's own troubles",
    "estimate": "tests/estimate: what keeps it from measuring",
}
"""Folders whose refusals have tables of their own."""
HERE = ("cli/otel.py", "cli/worker.py")
"""Files in these whose refusals are not about what a command was told, but about where it was told so."""

OURS = {
    name
    for name, value in vars(howdah.errors).items()
    if isinstance(value, type) and issubclass(value, howdah.errors.HowdahError) and not issubclass(value, howdah.errors.RunEnded)
}
APART: dict[str, str] = {
    "the app's background thread was ended": "a race of atexit with a thread, which no test can win at will",
    "node % has lost its lease": "told to a node, which takes a new identity: nobody reads it",
    "the gate is held by another node since epoch %": "told to the gate, which waits for its turn: nobody reads it",
    "there is no gate behind the channel %": "a bug of a node, never a user's doing",
    "the connection that a claim was lost on is still there": "told to a node, which comes again: tests/db/test_recover.py",
    "run % is no longer held under lease %": "becomes LeaseLost, which has its row",
    "the task % was added by a transaction that this one": "Postgres itself says 40001 before: tests/db/test_isolation.py",
    "a batch of events names a run twice": "a bug of the writer, never a user's doing",
    "unique runs of % are enqueued by submit()": "a bug of the client, never a user's doing",
    "runs of % are debounced, and enqueued by submit()": "the client hears of it and sends them one by one: nobody reads it",
}
"""Texts that no row can say, and why."""

TESTED: dict[str, str] = {
    ".runs has them": "tests/contract/test_3_10_batches.py",
    "the node was stopped during the attempt": "tests/actors/test_lane.py",
    "of the pool are in use": "tests/db/test_pool.py",
    "nothing was sent": "tests/db/test_pool.py",
    " could not be made ready:": "tests/process/test_pool.py",
    " was imported, and there is no ": "tests/process/test_pool.py",
}
"""Texts that are hard to provoke here, and the test that asserts them."""

LONG = 20
"""So many characters in common are no accident."""


def literals(node: ast.AST) -> list[str]:
    """The constant parts of a text, in order."""
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def named_texts(tree: ast.Module) -> dict[str, list[str]]:
    """The constant parts of texts that are named first, or made by a function, and said then."""
    named: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                named.setdefault(name, []).extend(literals(value))
            case ast.FunctionDef(name=name):
                returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value is not None]
                named[name] = [part for value in returned for part in literals(value)]
            case _:
                pass
    return named


def refusals() -> Iterator[tuple[str, list[str]]]:
    """Where an exception of ours is made, be it raised, returned or set, and the constant parts of what it says."""
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE)
        if place.parts[0] in ELSEWHERE and place.as_posix() not in HERE:
            continue
        tree = ast.parse(file.read_text())
        named = named_texts(tree)
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=kind), args=[text, *_]) if kind in OURS:
                    names = [one.id for one in ast.walk(text) if isinstance(one, ast.Name)]
                    said = literals(text) or [part for name in names for part in named.get(name, [])]
                    if sum(map(len, said)) >= LONG // 2:  # Else it passes on what Postgres says.
                        yield f"{place}:{node.lineno}:{node.col_offset} {kind}", said
                case _:
                    pass


def said_by_rows() -> Iterator[str]:
    """The sentences of the table, and those that the tests below it match."""
    for node in (node for file in (TABLE, *ROWS_OF) for node in ast.walk(ast.parse(file.read_text()))):
        match node:
            case ast.Call(func=ast.Name(id="Row"), args=[_, _, _, says, _]):
                yield "".join(literals(says))
            case ast.keyword(arg="match", value=ast.Constant(value=str(says))):
                yield says
            case _:
                pass


def common(says: str, parts: list[str]) -> bool:
    """Whether the sentence of a row is of this text: a piece of it of some length stands in both. Of a text whose parts are
    all shorter, the sentence holds every one."""
    if all(len(part) < LONG for part in parts):
        return all(part.strip() in says for part in parts)
    return any(says[start : start + LONG] in part for start in range(len(says) - LONG + 1) for part in parts)


ROWS = list(said_by_rows())
REFUSALS = dict(refusals())


def closeness(says: str, parts: list[str]) -> int:
    """The length of the longest piece that both have."""
    return max(SequenceMatcher(None, says, part, autojunk=False).find_longest_match().size for part in parts)


def named_by_rows(texts: dict[str, list[str]]) -> set[str]:
    """The refusals that a row names: of those that have something in common with its sentence, the closest."""
    named: set[str] = set()
    for says in ROWS:
        close = {place: closeness(says, parts) for place, parts in texts.items() if common(says, parts)}
        named.update(place for place, size in close.items() if size == max(close.values()))
    return named


NAMED = named_by_rows(REFUSALS)


def test_there_are_refusals_to_look_for() -> None:
    assert len(REFUSALS) > 40


@pytest.mark.parametrize("place", REFUSALS)
def test_each_refusal_has_its_row(place: str) -> None:
    parts = REFUSALS[place]
    if any(text in part for text in [*APART, *TESTED] for part in parts):
        return
    assert place in NAMED, f"no row of tests/refusals says a part of {parts}"


def test_each_refusal_of_sql_has_its_row() -> None:
    raised = re.compile(r"raise exception '((?:[^']|'')*)'")
    found = [text for file in sorted((ROOT / "sql/functions").glob("*.sql")) for text in raised.findall(file.read_text())]
    texts = {text: text.replace("''", "'").split("%") for text in found if not any(text.startswith(apart) for apart in APART)}
    assert len(texts) > 25
    assert set(texts) - named_by_rows(texts) == set()


@pytest.mark.parametrize("text", TESTED)
def test_what_is_tested_elsewhere_is_asserted_there(text: str) -> None:
    assert re.search(f"(match=|assert ).*{re.escape(text.strip())}", (ROOT / TESTED[text]).read_text())


def test_a_row_says_cause_class_sentence_and_mend() -> None:
    tree = ast.parse((ROOT / "tests/refusals/row.py").read_text())
    (row,) = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == "Row"]
    assert [line.target.id for line in row.body if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)] == [
        "cause", "do", "kind", "says", "mend",
    ]  # fmt: skip
