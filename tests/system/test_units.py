"""The units of an installed host: what they may, and that systemd has nothing to say against them."""

import json
import re

import pytest

from kingd.journald import MESSAGE_ID
from tests.system import images
from tests.system.lab import Host

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def test_each_may_no_more_than_the_page_on_security_says(trio: list[Host]) -> None:
    page = (images.TOP / "docs" / "security.md").read_text()
    figures = re.findall(r"^\| (kingd[^|]*) \| (\d)\.(\d) \|", page, re.MULTILINE)
    for units, whole, tenths in figures:
        for unit in units.split(", "):
            named = unit.replace("@", "@office")
            trio[0].run(f"systemd-analyze security --no-pager --threshold={int(whole + tenths)} {named}")
    described = {unit for units, *_ in figures for unit in units.split(", ")}
    assert described == {file.name for file in (images.TOP / "systemd").glob("*.service")}


def test_they_are_well_formed(trio: list[Host]) -> None:
    files = [file for kind in ("service", "path", "target") for file in (images.TOP / "systemd").glob(f"*.{kind}")]
    assert len(files) > 10
    for file in files:
        done = trio[0].attempt(f"systemd-analyze verify --man=no {file.name.replace('@', '@office')}")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_event_is_in_the_journal_with_its_fields(trio: list[Host]) -> None:
    found = trio[0].run(f"journalctl --unit kingd --output json --lines 1 MESSAGE_ID={MESSAGE_ID} KINGD_REASON=joined")
    event = json.loads(found)
    kind, term, leader = event["KINGD_EVENT"], event["KINGD_TERM"], event.get("KINGD_LEADER", "")
    assert event["MESSAGE"].startswith(f"kingd: {kind} term={term} leader={leader or '-'} ")
    assert event["_SYSTEMD_UNIT"] == "kingd.service"
    history = [json.loads(line) for line in trio[0].run("kingctl history --json").splitlines()]
    told = [(each["event"], str(each["term"]), each["leader"]["name"] if each["leader"] else "") for each in history]
    assert (kind, term, leader) in told
