"""What a worker says to programs: each line is JSON, whatever somebody logs."""

import json
import logging

import pytest
from howdah.cli.voice import Voice


@pytest.mark.parametrize(
    ("message", "extra", "said"),
    [
        ("plain", {}, {"message": "plain"}),
        ("half of a pair: \udc80", {}, {"message": "half of a pair: \udc80"}),
        ("an object", {"task": object}, {"task": "<class 'object'>"}),
        ("both \udc80", {"run": object}, {"message": "both \udc80", "run": "<class 'object'>"}),
    ],
)
def test_a_record_is_one_line_of_json_whatever_is_in_it(
    message: str, extra: dict[str, object], said: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    Voice(as_json=True).take_logs("info")

    logging.getLogger("shop").info(message, extra=extra)

    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told["event"] == "log"
    assert told | said == told
