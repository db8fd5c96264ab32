"""Mends that are SQL: files of sql/mends, with the placeholders of psql. `:word` is a word or a number, `:'text'` a literal, `:"name"` an
identifier. What comes out can be pasted into psql as it is, whatever the names of others hold.
"""

import re

from ..db.files import query

_PLACEHOLDER = re.compile(r"""(?<![:\w]):(?:'(?P<literal>\w+)'|"(?P<name>\w+)"|(?P<word>[a-z]\w*))""")


def sql(mend: str, /, **values: object) -> str:
    """The statements of this mend with these values, one or more lines."""

    def filled(found: re.Match[str]) -> str:
        if name := found["literal"]:
            return _literal(str(values[name]))
        if name := found["name"]:
            return '"' + str(values[name]).replace('"', '""') + '"'
        word = str(values[found["word"]])
        assert re.fullmatch(r"-?[\w.]+", word), f"{word!r} is no word"
        return word

    return _PLACEHOLDER.sub(filled, query(mend, "mends")) + ("" if "-- " in query(mend, "mends").splitlines()[-1] else ";")


def _literal(text: str) -> str:
    quoted = "'" + text.replace("'", "''") + "'"
    # Backslashes mean themselves in a plain literal only where a setting says so.
    return f" E{quoted}".replace("\\", "\\\\").lstrip() if "\\" in text else quoted
