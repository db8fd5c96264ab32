"""Whether the schema and this code fit together."""

from collections.abc import Iterator

from .ailments import finding
from .finding import Finding

MIGRATE = "howdah migrate"


def judge_schema(number: int, ours: int) -> Iterator[Finding]:
    """number: the newest migration in the database (0: none); ours: the newest that this code knows."""
    if number == 0:
        yield finding("schema_missing", "This database has no howdah schema.", MIGRATE)
    elif number < ours:
        yield finding("schema_older", f"The schema is at migration {number}, and this code needs {ours}.", MIGRATE)
    elif number > ours + 1:
        seen = f"The schema is at migration {number}, more than one release beyond the {ours} that this code knows."
        yield finding("schema_newer", seen, "pip install --upgrade howdah")
