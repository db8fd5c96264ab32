"""Reading source: which files a folder holds, and what one says about itself."""

import textwrap
from pathlib import Path

import pytest
from howdah.demo.sources import Unreadable, entries, listing, standard_library
from howdah.errors import ConfigurationError

SOURCE = '''
    """The module.

    With \\0 and \\ud800 in its words."""

    if True:
        class Outer:
            """A class."""

            async def inner(self):
                """A function."""
    try:
        def tried(): pass
    except ImportError:
        def caught():
            """Second of two."""
'''


def test_modules_classes_and_functions_are_found_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "shop.py"
    path.write_text(textwrap.dedent(SOURCE))

    found = entries(str(path), "shop")

    assert [(entry.kind, entry.name, entry.line) for entry in found] == [
        ("module", "shop", 1),
        ("class", "shop.Outer", 7),
        ("function", "shop.Outer.inner", 10),
        ("function", "shop.caught", 15),
    ]
    assert found[0].summary == "The module."
    assert "\0" not in found[0].body
    assert found[0].body.encode()


@pytest.mark.parametrize("text", [b"def (:\n", b"# coding: uft-8\n", b"x = '\xf6'\n", b"x\0y\n", b"x = " + b"(" * 5000])
def test_what_does_not_parse_is_unreadable(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "bad.py"
    path.write_bytes(text)
    with pytest.raises(Unreadable):
        entries(str(path), "bad")


def test_a_folder_is_listed_without_what_is_not_its_own_source(tmp_path: Path) -> None:
    for name in ("a/__init__.py", "a/b.py", "__init__.py", ".hidden/c.py", "__pycache__/d.py", "site-packages/e.py", "f.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert [source.module for source in listing(tmp_path)] == ["__init__", "a", "a.b"]


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for folder, sentence in ((tmp_path / "none", "there is no folder"), (tmp_path, "no Python source"), (Path(__file__), "is a file")):
        with pytest.raises(ConfigurationError, match=sentence):
            listing(folder)


def test_the_standard_library_is_large() -> None:
    assert len(listing(standard_library())) > 500
