"""SQL of the benchmarks stands in .sql files, in sections that begin with `-- name: x`."""

import re
from pathlib import Path


def sections(name: str) -> dict[str, str]:
    """The statements of bench/NAME.sql by their names."""
    text = (Path(__file__).with_name(f"{name}.sql")).read_text()
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return {title: body.strip() for title, body in zip(parts[1::2], parts[2::2], strict=True)}
