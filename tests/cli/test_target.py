"""What `howdah worker` understands by module:attribute, and what it says of everything else."""

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from howdah import App
from howdah.cli.target import find_app
from howdah.errors import ConfigurationError

SHOP = """
    from howdah import App

    class FastAPI:
        pass

    jobs = App()
    also = jobs
    app = FastAPI()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with modules of a shop."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "market"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "stall.py").write_text(textwrap.dedent(SHOP))
    (tmp_path / "two.py").write_text("from howdah import App\nfirst, second = App(), App()\n")
    (tmp_path / "bare.py").write_text("answer = 42\n")
    (tmp_path / "broken.py").write_text("def fails():\n    return 1 / 0\n\nfails()\n")
    (tmp_path / "lacking.py").write_text("import no_such_library\n")
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_an_app_is_found_by_its_name_and_as_the_single_one_of_its_module() -> None:
    assert isinstance(find_app("market.stall:jobs"), App)
    assert find_app("market.stall") is find_app("market.stall:jobs")


@pytest.mark.parametrize(
    ("target", "sentences"),
    [
        ("market.stall:app", ["is a FastAPI app (market.stall.FastAPI), which serves HTTP, not a howdah.App", "market.stall:jobs"]),
        ("market.stall:jbos", ["no 'jbos'", "did you mean jobs?", "market.stall:jobs"]),
        ("bare:jobs", ["bare has no 'jobs'", "holds no App"]),
        ("bare", ["holds no howdah.App", "answer", "jobs = App()"]),
        ("two", ["holds 2 Apps: first, second", "two:first"]),
        ("two:third", ["two:first, two:second"]),
        ("markte.stall:jobs", ["no module 'markte'", "did you mean market?"]),
        ("market.stal:jobs", ["no module 'market.stal' in the package market", "did you mean market.stall?"]),
        ("market/stall.py", ["name the module as in an import: market.stall:jobs"]),
        ("./two.py:first", ["two:first"]),
        ("", ["module:attribute"]),
        ("lacking:jobs", ["importing it failed", "No module named 'no_such_library'"]),
    ],
)
def test_what_is_no_app_is_told_with_what_was_found(target: str, sentences: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        find_app(target)
    for sentence in sentences:
        assert sentence in str(refused.value)


def test_a_module_that_fails_shows_its_own_lines_only(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigurationError, match="ZeroDivisionError"):
        find_app("broken")
    shown = capfd.readouterr().err
    assert "return 1 / 0" in shown
    assert "importlib" not in shown
