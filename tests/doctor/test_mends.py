"""Mends that are SQL can be pasted into psql whatever the names of others hold, and each of them is used."""

import re
from pathlib import Path

import howdah.doctor
import pytest
from howdah.db.files import listing
from howdah.doctor.mends import sql

SOURCES = "".join(path.read_text() for path in Path(howdah.doctor.__file__).parent.glob("*.py"))


@pytest.mark.parametrize(("name", "text"), listing("mends"), ids=[name for name, _ in listing("mends")])
def test_a_mend_says_what_it_does_and_is_used(name: str, text: str) -> None:
    assert re.match(r"-- [A-Z].+\.\n", text)
    assert f'"{name}"' in SOURCES


def test_names_of_others_are_quoted() -> None:
    assert sql("drop_slot", slot="o'clock") == "select pg_drop_replication_slot('o''clock');"
    assert sql("roll_back_prepared", gid="a\\'b") == "rollback prepared E'a\\\\''b';"
    assert sql("reset_of_role", role='a"b; drop', setting="fsync") == 'alter role "a""b; drop" reset fsync;'


def test_what_stands_for_a_word_is_one() -> None:
    with pytest.raises(AssertionError, match="is no word"):
        sql("end_session", pid="1); drop table x")


def test_a_remark_at_the_end_stays_behind_the_statement() -> None:
    assert sql("set_at_start", setting="port", value=5433) == "alter system set port = '5433';  -- then restart Postgres"
