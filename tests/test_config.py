"""Every setting by keyword and by environment, and the refusals."""

import typing
from typing import Any

import msgspec
import pytest
from howdah import App
from howdah.config import Config, configure
from howdah.core.ancestry import Parenting
from howdah.errors import ConfigurationError

FIELDS = {field.name: field for field in msgspec.structs.fields(Config)}


def other(name: str) -> Any:
    """A value that is not the default and that is allowed beside the other defaults."""
    default = FIELDS[name].default
    if name == "pooler":
        return True
    if name == "log_level":
        return "ERROR"
    if name == "labels":
        return {"zone": "eu"}
    if name == "processes":
        return 7
    if name == "tracing":
        return False
    if name == "trace_parenting":
        return "link"
    return f"postgres://{name}" if default is None else default + 1 if name != "heartbeat_s" else default - 1


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_is_a_keyword_and_a_variable_and_the_keyword_wins(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = other(name)
    assert getattr(configure({name: value}), name) == value
    monkeypatch.setenv(f"HOWDAH_{name.upper()}", "zone=eu" if name == "labels" else str(value))
    assert getattr(configure({}), name) == value
    default = FIELDS[name].default
    if default not in (None, msgspec.NODEFAULT):
        assert getattr(configure({name: default}), name) == default


@pytest.mark.parametrize("name", [name for name in FIELDS if FIELDS[name].default is not None and name != "log_level"])
def test_a_variable_that_is_no_number_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"HOWDAH_{name.upper()}", "many")
    with pytest.raises(ConfigurationError, match=name):
        configure({})


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"lease_s": 5, "heartbeat_s": 2}, "under three heartbeats"),
        ({"concurrency": 0}, "concurrency=0 must be at least 1"),
        ({"pool_size": -1}, "pool_size=-1 must be at least 1"),
        ({"poll_s": 0}, "poll_s=0 must be more than 0"),
        ({"pooler": "maybe"}, "wrong type"),
        ({"trace_parenting": "child"}, "wrong type"),
        ({"retention_days": 0}, "retention_days=0 must be at least 1"),
        ({"lease": 5}, "does not know the setting 'lease'"),
        ({"threads": "few"}, "wrong type"),
        ({"threads": 1.5}, "wrong type"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_the_app(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        App(**settings)


def test_the_dsn_is_the_first_argument_or_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_DSN", "postgres://from-env")
    assert App().config.dsn == "postgres://from-env"
    assert App("postgres://given").config.dsn == "postgres://given"


def test_every_setting_has_a_type_that_text_can_say() -> None:
    hints = typing.get_type_hints(Config)
    own = dict[str, Any] | None  # Labels, which have a text of their own.
    assert {hints[name] for name in FIELDS} <= {bool, int, float, str, str | None, bool | None, Parenting, own}
