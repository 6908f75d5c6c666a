"""What the units may: kingd-vip alone changes addresses."""

import re
from pathlib import Path

TOP = Path(__file__).parents[2]


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
