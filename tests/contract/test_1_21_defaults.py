"""CONTRACT 1.21: every setting by keyword, by variable and on the page; defaults that are decided and printed."""

import re
from pathlib import Path
from typing import Any

import pytest
from howdah import App, ConfigurationError, Defaults, Retry
from howdah.cli.settings import Setting, markdown, settings_of
from howdah.config import Config

PAGE = Path(__file__).parents[2] / "docs/settings.md"


@pytest.mark.parametrize("setting", settings_of(Config), ids=lambda setting: setting.name)
def test_a_setting_is_a_keyword_a_variable_and_a_row(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    name = setting.name
    value: Any = setting.default
    if not isinstance(value, int | float | str):
        value = "postgresql:///x" if name.endswith("dsn") else 1
    if name == "labels":
        value = {"zone": "eu"}
    said: dict[str, Any] = {name: value}
    assert getattr(App(**said).config, name) == value
    monkeypatch.setenv(f"HOWDAH_{name.upper()}", "zone=eu" if name == "labels" else str(value))
    assert getattr(App().config, name) == value
    (row,) = re.findall(rf"^\| `{name}` \| `HOWDAH_{name.upper()}` \| (.+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert len(row[1]) > 10, "it says what it is, and why"


def test_the_page_is_generated_from_config_py() -> None:
    assert PAGE.read_text() == markdown(), "run `howdah settings --markdown > docs/settings.md`"


def test_the_number_in_retry_is_attempts_in_all_the_first_included() -> None:
    assert Retry(1).delay_s(1, 0.5) is None
    assert Retry(2).delay_s(1, 0.5) is not None
    assert Retry(2).delay_s(2, 0.5) is None


def test_defaults_are_decided_and_printed() -> None:
    async def silent() -> None: ...

    jobs = App()
    policy = jobs.task(silent).definition.policy
    assert (policy.retry, policy.timeout_s) == (Retry(3), 15 * 60)
    assert [Retry().delay_s(1, jitter) for jitter in (0, 0.5, 1)] == [0, 0.5, 1], "full jitter"
    assert (jobs.config.heartbeat_s, jobs.config.lease_s) == (5, 15)
    page = PAGE.read_text()
    for said in ("`Retry(3)`", "full jitter", "15 min", "| `HOWDAH_HEARTBEAT_S` | 5 s |", "| `HOWDAH_LEASE_S` | 15 s |"):
        assert said in page


def test_a_lease_under_three_heartbeats_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="under three heartbeats"):
        App(lease_s=14.9)
    assert App(lease_s=30, heartbeat_s=10).config.lease_s == 30


def test_defaults_are_merged_with_a_sentinel() -> None:
    assert Defaults(priority=0).over(Defaults(priority=5, queue="x")) == Defaults(priority=0, queue="x")
    assert Defaults().over(Defaults(retry=2)) == Defaults(retry=2)
