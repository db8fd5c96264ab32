"""Where the SQL is: a wheel carries it as howdah/_sql, a checkout has it at sql/ beside runtime/."""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def root() -> Traversable:
    """The folder with migrations/, functions/, queries/ and demo/."""
    packaged = files("howdah") / "_sql"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "sql"


@cache
def query(name: str, folder: str = "queries") -> str:
    """One statement of sql/queries, without its header and the closing semicolon, ready to be prepared."""
    text = (root() / folder / f"{name}.sql").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return "\n".join(lines).strip().removesuffix(";")


def listing(folder: str) -> list[tuple[str, str]]:
    """The files of a folder as (name without .sql, text), in order of their names."""
    entries = sorted((entry.name, entry) for entry in (root() / folder).iterdir() if entry.name.endswith(".sql"))
    return [(name.removesuffix(".sql"), entry.read_text()) for name, entry in entries]
