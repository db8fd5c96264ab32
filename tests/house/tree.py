"""The files of the checkout that the house rules are about."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "runtime" / "howdah"
SQL = ROOT / "sql"


def package_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def python_files() -> list[Path]:
    """What is ours: bench/.peers has the environments of other people's programs."""
    found = (path for folder in ("runtime", "tests", "bench", "examples") for path in (ROOT / folder).rglob("*.py"))
    return [ROOT / "dev.py", *sorted(path for path in found if ".peers" not in path.parts)]


def sql_files() -> list[Path]:
    return sorted(SQL.rglob("*.sql"))


def short(path: Path) -> str:
    """The path as people say it."""
    return path.relative_to(ROOT).as_posix()
