"""kingctl history --all: what every host saw."""

import json
import re

import pytest

from kingd.cli.main import run
from tests.cli.fake_kingd import FakeKingd


def test_history_of_all_is_one_story(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "--all"]) == 0
    (_, line) = capfd.readouterr().out.splitlines()
    assert re.split("  +", line)[1:] == ["12", "box1, box2", "box1 leads", "leader-timeout", "2 of 2 peers agree"]


def test_history_of_all_in_json_is_every_event_of_every_host(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str]
) -> None:
    silent = {"id": "c" * 16, "name": "box3", "ok": False, "more": False, "events": []}
    members = kingd.service.histories_are["members"]
    assert isinstance(members, list)
    members.append(silent)
    assert run(["history", "--all", "--json"]) == 1
    said = capfd.readouterr()
    assert [json.loads(line)["host"] for line in said.out.splitlines()] == ["box1", "box2"]
    assert said.err == "kingctl: no answer, so that its part is missing: box3\n"
