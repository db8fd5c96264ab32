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


def test_every_dependency_is_pinned_at_a_version_that_pyproject_allows() -> None:
    pinned = pins()

    assert [str(each) for each in demands() if canonicalize_name(each.name) not in pinned] == []
    assert [str(each) for each in demands() if not each.specifier.contains(pinned[canonicalize_name(each.name)])] == []


def test_the_environment_holds_what_is_pinned_and_nothing_else() -> None:
    installed = {canonicalize_name(each.metadata["Name"]): each.version for each in importlib.metadata.distributions()}

    assert {name: version for name, version in installed.items() if name not in BROUGHT} == pins()
