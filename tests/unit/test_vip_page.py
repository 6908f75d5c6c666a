"""The table of tests in docs/vip.md names those that there are, and all of them; and what the units may."""

import re
from pathlib import Path

TOP = Path(__file__).parents[2]
UNIT = [f"tests/unit/test_vip_{part}.py" for part in ("carriers", "frames", "floating", "config", "page", "status")]


def test_table_names_each_test_with_a_number() -> None:
    named = set(re.findall(r"`(test_v\d\d_\w+)`", (TOP / "docs" / "vip.md").read_text()))
    lan = [f"tests/lan/test_vip{part}.py" for part in ("", "_before")]
    files = (*UNIT, *lan, "tests/system/test_vip.py", "tests/daemon/test_vip_tenancy.py")
    there = {
        name for file in files for name in re.findall(r"^def (test_v\d\d_\w+)", (TOP / file).read_text(), re.MULTILINE)
    }
    assert named == there


def test_v20_no_other_unit_may_change_addresses() -> None:
    """Hooks and the check are what root makes of them; all else has no capability, or these two."""

    def granted(unit: Path) -> set[str]:
        lines = re.findall(r"^(?:CapabilityBoundingSet|AmbientCapabilities)=(.*)", unit.read_text(), re.MULTILINE)
        return {word for line in lines for word in line.split()} if lines else {"all"}

    units = {unit.name: granted(unit) for unit in (TOP / "systemd").glob("*.service")}
    assert units.pop("kingd-vip.service") == {"CAP_NET_ADMIN", "CAP_NET_RAW"}
    assert {name for name, words in units.items() if words == {"all"}} == {
        "kingd-check.service",
        "kingd-check@.service",
        "kingd-hooks.service",
    }
    assert set().union(*units.values()) == {"all"}
