"""What `kingctl status` says of floating addresses."""

import json
from pathlib import Path

import pytest

from kingd.cli.floating import floating_facts
from kingd.control.target import DEFAULT_SOCKET

HELD = {
    "address": "192.0.2.9",
    "interface": "eth0",
    "label": None,
    "state": "held",
    "why": None,
    "lost": 0,
    "conflicts": 0,
}


def test_v18_each_address_has_its_own_state(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    other = HELD | {"address": "2001:db8::9", "state": "conflict", "why": "02:00 has it", "conflicts": 3, "lost": 1}
    file.write_text(json.dumps({"version": 1, "addresses": [HELD, other]}))
    assert floating_facts(DEFAULT_SOCKET, file) == [
        ("address", "192.0.2.9 on eth0: held"),
        (
            "address",
            "2001:db8::9 on eth0: conflict: 02:00 has it (was gone 1 times, claimed by another host 3 times)",
        ),
    ]


def test_nothing_is_said_where_it_does_not_run_or_of_another_daemon(tmp_path: Path) -> None:
    assert floating_facts(DEFAULT_SOCKET, tmp_path / "status.json") == []
    (tmp_path / "status.json").write_text(json.dumps({"addresses": [HELD]}))
    assert floating_facts("/run/kingd-office/control.sock", tmp_path / "status.json") == []


@pytest.mark.parametrize("content", ["", "[]", '{"addresses": 3}', '{"addresses": [{"address": 4}]}'])
def test_file_that_is_not_understood_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "status.json").write_text(content)
    ((_, said),) = floating_facts(DEFAULT_SOCKET, tmp_path / "status.json")
    assert said.startswith(f"not known: {tmp_path}/status.json: ")
