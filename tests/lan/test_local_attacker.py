"""A user without rights on the leader's host: whatever is done to the control socket, leadership and root's calls go on."""

from tests.lan.host import Host
from tests.lan.local_attacker import under_attack
from tests.lan.network import Lan


def test_user_without_rights_neither_moves_leadership_nor_shuts_root_out(
    lan: Lan, trio: tuple[Host, Host, Host]
) -> None:
    seen = under_attack(lan, trio[0], for_s=10)
    assert not seen.changes, seen
    assert not seen.failed, seen
    assert min(seen.calls.values()) > 0, seen
