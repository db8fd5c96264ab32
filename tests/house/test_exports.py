"""The public face: what howdah exports is there, is documented, and is all of it."""

import ast
import inspect
import itertools

import howdah
import howdah.errors
import pytest

from .tree import PACKAGE

EXPORTS = sorted(howdah.__all__)
TYPES = [name for name in EXPORTS if isinstance(getattr(howdah, name), type)]


def text_under(name: str) -> str | None:
    """The string under the assignment that makes this name, wherever in the package that is: an alias has no __doc__."""
    for path in PACKAGE.glob("*.py"):
        body = ast.parse(path.read_text()).body
        for statement, following in itertools.pairwise(body):
            match statement, following:
                case (
                    (ast.Assign(targets=[ast.Name(id=made)]) | ast.AnnAssign(target=ast.Name(id=made))),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    if made == name:
                        return text
                case _:
                    pass
    return None


def test_the_names_are_sorted_and_each_is_there_once() -> None:
    assert list(howdah.__all__) == sorted(set(howdah.__all__))
    assert [name for name in EXPORTS if not hasattr(howdah, name)] == []


def test_everything_imported_at_the_top_is_exported() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    imported = {alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}

    assert imported == set(EXPORTS)


def test_every_error_is_exported() -> None:
    errors = {name for name, value in vars(howdah.errors).items() if isinstance(value, type) and value.__module__ == "howdah.errors"}

    assert {name for name in errors if not name.startswith("_")} <= set(EXPORTS)


def test_one_base_catches_every_failure_that_a_caller_may_see() -> None:
    raised = {name for name in TYPES if issubclass(getattr(howdah, name), BaseException)}

    assert {name for name in raised if not issubclass(getattr(howdah, name), howdah.HowdahError)} <= {"Snooze", "RateLimited", "GiveUp"}


@pytest.mark.parametrize("name", EXPORTS)
def test_the_name_is_documented(name: str) -> None:
    value = getattr(howdah, name)
    own = (
        value.__dict__.get("__doc__")
        if isinstance(value, type)
        else inspect.getdoc(value)
        if inspect.isfunction(value)
        else text_under(name)
    )

    assert own, f"howdah.{name} says nothing of itself"


@pytest.mark.parametrize("name", TYPES)
def test_what_can_be_done_with_it_is_documented(name: str) -> None:
    value = getattr(howdah, name)
    public = {member: what for member, what in vars(value).items() if not member.startswith("_")}
    described = {member: what for member, what in public.items() if inspect.isfunction(what) or isinstance(what, property)}

    assert [member for member, what in described.items() if not what.__doc__] == []
