"""A user without rights on the host that leads: leadership, root's calls and the unit go on (local_attacker.py)."""

import pytest

from tests.system.lab import Host
from tests.system.local_attacker import under_attack

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


def test_user_without_rights_stops_nothing(trio: list[Host]) -> None:
    seen = under_attack(trio, for_s=15)
    assert not seen.changes, seen
    assert not seen.failed, seen
    assert min(seen.calls.values()) > 0, seen
