"""constraints.txt pins what the environment is made of, on each Python that is tested, and agrees with pyproject.toml."""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterator
from itertools import chain

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BROUGHT = {"howdah", "pip", "setuptools", "uv"}
"""Distributions that come with the environment itself."""


def lines() -> list[str]:
    text = (ROOT / "constraints.txt").read_text()
    return [line for line in text.splitlines() if not line.startswith("#")]


def pins() -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines())}


def demands() -> Iterator[Requirement]:
    project = PROJECT["project"]
    extras = chain.from_iterable(project["optional-dependencies"].values())
    for text in chain(PROJECT["build-system"]["requires"], project["dependencies"], extras):
        requirement = Requirement(text)
        if requirement.name not in BROUGHT:
            yield requirement


def test_every_line_is_a_name_and_an_exact_version() -> None:
    assert [line for line in lines() if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line)] == []
    assert [line.lower() for line in lines()] == sorted(line.lower() for line in lines())


def test_any_python_from_3_11_on_will_do_and_none_is_asked_for() -> None:
    assert PROJECT["project"]["requires-python"] == ">=3.11"
    assert not (ROOT / ".python-version").exists(), "uv would fetch that one, from where it may not be reached"


def test_every_dependency_is_pinned_at_a_version_that_pyproject_allows() -> None:
    pinned = pins()

    assert [str(each) for each in demands() if canonicalize_name(each.name) not in pinned] == []
    assert [str(each) for each in demands() if not each.specifier.contains(pinned[canonicalize_name(each.name)])] == []


def needed() -> dict[str, str]:
    """What howdah[dev] needs here, directly or not, with the versions that are installed."""
    found: dict[str, str] = {}
    open_ends = [(canonicalize_name(each.name), frozenset(each.extras)) for each in demands()]
    while open_ends:
        name, extras = open_ends.pop()
        if name in BROUGHT or name in found:
            continue
        distribution = importlib.metadata.distribution(name)
        found[name] = distribution.version
        for requirement in map(Requirement, distribution.requires or []):
            wanted = requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in (extras or {""}))
            if wanted:
                open_ends.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return found


def test_what_is_needed_is_pinned_and_installed_so_and_nothing_else_is_pinned() -> None:
    assert needed() == pins()
