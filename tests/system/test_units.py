"""The units of an installed host: what they may, and that systemd has nothing to say against them."""

import re

import pytest

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
