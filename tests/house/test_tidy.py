"""The tree keeps the rules, each rule catches what it is about, and no exception is older than its cause."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from . import rules
from .tree import PACKAGE, ROOT, SQL, package_files, python_files, short, sql_files

Rule = Callable[[str], Iterator[str]]

SQL_WORDS: dict[str, str] = {
    "db/migrate.py": "begin and commit around the files of a script for psql",
    "db/stores.py": "listen takes a name and no parameter",
}
CATCH_ALL: dict[str, str] = {
    "cli/otel.py": "what a log record is made of is user code, and logging has its own way to say so",
    "actors/lane.py": "user code is called here: whatever it raises is an outcome",
    "actors/room.py": "the same, for what interrupts it",
    "actors/gathering.py": "the same, for all of a batch; and for the function of its key",
    "actors/stock.py": "the same, for what lives as long as the node",
    "app.py": "the error of the user's block is raised after the drain, so that it is not part of a group",
    "asgi.py": "the app inside is user code; and this is the process above a node, which would start a worker anew",
    "combiner.py": "each error of a shared statement is raised where the caller waits who caused it",
    "child.py": "the import of a user's module: whatever it raises is told to the node",
    "db/link.py": "the owner of a connection: a lost one is expected here and had again",
    "portal.py": "what keeps the background thread from starting is raised where its caller waits",
    "db/stores.py": "the owner of the listening connection: the same",
    "logs.py": "arguments of a log record are user code, and logging never fails an attempt",
    "scopes.py": "user code that surrounds an attempt: what it raises is the attempt's error",
}
TRANSACTIONS: dict[str, str] = {
    "context.py": "howdah.transaction(), which is db.link's underneath",
    "db/link.py": "where the end of a transaction is shielded",
    "drivers/psycopg.py": "a user's connection that is in none: psycopg's own block, which ends as psycopg's users expect",
}
CLOCKS: dict[str, str] = {
    "functions/day_base.sql": "ids follow the wall clock: a shifted clock must not make ids of another day",
}

PACKAGE_RULES: list[tuple[Rule, Mapping[str, str]]] = [
    (rules.unstructured_tasks, {}),
    (rules.bare_transactions, TRANSACTIONS),
    (rules.swallowed_exceptions, CATCH_ALL),
    (rules.sql_in_python, SQL_WORDS),
    (rules.hidden_imports, {}),
]
SQL_RULES: list[tuple[Rule, Mapping[str, str]]] = [
    (rules.sql_without_header, {}),
    (rules.loud_sql, {}),
    (rules.open_search_path, {}),
    (rules.too_long, {}),
]
FUNCTION_RULES: list[tuple[Rule, Mapping[str, str]]] = [(rules.own_clock, CLOCKS), (rules.unlocked, {})]


def findings(rule: Rule, files: Iterable[Path], root: Path) -> dict[str, list[str]]:
    found = {file.relative_to(root).as_posix(): [*rule(file.read_text())] for file in files}
    return {name: said for name, said in found.items() if said}


def named(case: object) -> str | None:
    return case.__name__ if callable(case) else None


@pytest.mark.parametrize("rule", [rules.too_long, rules.long_functions], ids=named)
def test_python_comes_in_small_pieces(rule: Rule) -> None:
    assert findings(rule, python_files(), ROOT) == {}


@pytest.mark.parametrize(("rule", "exceptions"), PACKAGE_RULES, ids=named)
def test_the_package_keeps_the_rule_and_every_exception_is_needed(rule: Rule, exceptions: Mapping[str, str]) -> None:
    found = findings(rule, package_files(), PACKAGE)

    assert {name: said for name, said in found.items() if name not in exceptions} == {}
    assert set(exceptions) <= set(found), "an exception has outlived its cause"


@pytest.mark.parametrize(("rule", "exceptions"), SQL_RULES, ids=named)
def test_sql_keeps_the_rule(rule: Rule, exceptions: Mapping[str, str]) -> None:
    assert exceptions == {}
    assert findings(rule, sql_files(), SQL) == {}


@pytest.mark.parametrize(("rule", "exceptions"), FUNCTION_RULES, ids=named)
def test_sql_functions_keep_the_rule_and_every_exception_is_needed(rule: Rule, exceptions: Mapping[str, str]) -> None:
    found = findings(rule, sorted((SQL / "functions").glob("*.sql")), SQL)

    assert {name: said for name, said in found.items() if name not in exceptions} == {}
    assert set(exceptions) <= set(found), "an exception has outlived its cause"


def test_names_of_files_say_what_is_in_them() -> None:
    assert [short(file) for file in python_files() if file.stem.strip("_") in rules.VAGUE] == []


@pytest.mark.parametrize(
    ("rule", "planted"),
    [
        (rules.too_long, "x = 1\n" * rules.FILE_MAX),
        (rules.long_functions, "def f():\n" + "    x = 1\n" * rules.FUNCTION_MAX),
        (rules.unstructured_tasks, "asyncio.create_task(f())"),
        (rules.unstructured_tasks, "asyncio.get_running_loop().create_task(f())"),
        (rules.unstructured_tasks, "from asyncio import gather, sleep"),
        (rules.unstructured_tasks, "future.add_done_callback(print)"),
        (rules.unstructured_tasks, "await asyncio.shield(f())"),
        (rules.bare_transactions, "async with connection.transaction(): pass"),
        (rules.swallowed_exceptions, "try: f()\nexcept Exception: log()"),
        (rules.swallowed_exceptions, "try: f()\nexcept (ValueError, BaseException): log()"),
        (rules.swallowed_exceptions, "try: f()\nexcept: pass"),
        (rules.sql_in_python, "fetch('select 1')"),
        (rules.sql_in_python, "fetch(f'update {table} set x = 1')"),
        (rules.sql_in_python, "fetch('''\n  INSERT INTO run (id)\n  values (1)''')"),
        (rules.sql_in_python, "execute('listen howdah')"),
        (rules.hidden_imports, "def f():\n    from .node import Node"),
        (rules.hidden_imports, "def f():\n    import howdah.node"),
        (rules.hidden_imports, "from typing import TYPE_CHECKING"),
        (rules.hidden_imports, "if typing.TYPE_CHECKING:\n    import x"),
        (rules.sql_without_header, "select 1;"),
        (rules.sql_without_header, "-- Select.\nselect 1;"),
        (rules.loud_sql, "-- One row.\nSELECT 1;"),
        (rules.loud_sql, "select 1 -- the Row\nAS x;"),
        (rules.open_search_path, "create or replace function f() returns int\n  security definer\nas $$ select 1 $$;"),
        (rules.own_clock, "-- Now.\nselect now();"),
        (rules.own_clock, "select current_timestamp;"),
        (rules.unlocked, "-- Deletes everything.\ndelete from x;"),
    ],
)
def test_a_rule_catches_what_it_is_about(rule: Rule, planted: str) -> None:
    assert [*rule(planted)] != []


@pytest.mark.parametrize(
    ("rule", "sound"),
    [
        (rules.unstructured_tasks, "async with anyio.create_task_group() as group: group.start_soon(f)"),
        (rules.unstructured_tasks, "with anyio.CancelScope(shield=True): pass"),
        (rules.swallowed_exceptions, "try: f()\nexcept Exception as e: raise Away(e) from e"),
        (rules.sql_in_python, 'def f():\n    """Select one of them."""\n    raise E("update the package, and begin again")'),
        (rules.hidden_imports, "def f():\n    import json"),
        (rules.loud_sql, "-- Says LISTEN.\nselect 'A', \"B\";"),
    ],
)
def test_a_rule_lets_the_rest_be(rule: Rule, sound: str) -> None:
    assert [*rule(sound)] == []
