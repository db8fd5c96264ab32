"""docs/operating.md has every finding of the doctor, with what it leads to and its mend, as the code has it."""

import re
from pathlib import Path

from howdah.doctor.ailments import AILMENTS

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()


def test_the_table_of_findings_is_that_of_the_code() -> None:
    rows = [f"| `{name}` | {one.severity} | {one.why} | {one.mend} |" for name, one in AILMENTS.items()]
    assert re.findall(r"^\| `\w+` \| (?:error|warning) \|.*$", PAGE, re.MULTILINE) == rows
