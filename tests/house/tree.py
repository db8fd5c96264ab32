"""The files of the checkout that the house rules are about."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "runtime" / "howdah"
SQL = ROOT / "sql"


def package_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def python_files() -> list[Path]:
    folders = ("runtime", "tests", "bench", "examples")
    return [ROOT / "dev.py", *sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]


def sql_files() -> list[Path]:
    return sorted(SQL.rglob("*.sql"))


def short(path: Path) -> str:
    """The path as people say it."""
    return path.relative_to(ROOT).as_posix()
