"""The documentation says what is so: its code is code, its links lead somewhere, and what is generated is fresh."""

import ast
import re
from pathlib import Path

import pytest
from howdah.cli import _COMMANDS
from howdah.cli.settings import markdown

from bench.peers import rounds, summary

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_the_documentation_is_python(page: Path) -> None:
    for code in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        compile(code, page.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_page_of_settings_is_what_the_command_prints() -> None:
    assert (ROOT / "docs/settings.md").read_text() == markdown(), "run `howdah settings --markdown > docs/settings.md`"


@pytest.mark.parametrize("command", sorted(_COMMANDS))
def test_each_command_stands_in_the_readme(command: str) -> None:
    assert re.search(rf"`howdah {command}\b", (ROOT / "README.md").read_text())


@pytest.mark.parametrize(
    ("said", "bar"),
    [
        ("times as fast as graphile-worker at its", "Drain by one worker, of graphile-worker at its fastest"),
        ("times as fast as the fastest Python peer", "Drain by one worker, of the fastest Python peer"),
        ("of that beside a snapshot", "Drain beside a held snapshot, of the drain without"),
    ],
)
def test_a_ratio_in_the_readme_is_the_report_s(said: str, bar: str) -> None:
    quoted = re.search(rf"([\d.]+) {said}", (ROOT / "README.md").read_text())
    measured = re.search(rf"\| {bar}: [^|]*\| ([\d.]+) ", (ROOT / "bench" / "report.md").read_text())
    assert quoted, said
    assert measured, bar
    assert quoted[1] == f"{float(measured[1]):.1f}"


def test_the_readme_s_table_is_the_one_that_was_measured() -> None:
    table = "\n".join([summary.BEGIN, *summary.summary(rounds.read()), summary.END])
    assert table in (ROOT / "README.md").read_text()
