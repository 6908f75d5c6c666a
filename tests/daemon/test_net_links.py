"""Which links this host has. What needs interfaces of its own is in tests/lan/test_net_transport.py."""

import netifaces
import pytest

from kingd.net import links
from kingd.net.links import scan, why_unused


def test_loopback_is_a_link_only_when_named() -> None:
    named = scan(["lo"])
    assert [(link.interface, link.address, link.primary) for link in named if link.family == 4][:1] == [
        ("lo", "127.0.0.1", True)
    ]
    assert "lo" not in {link.interface for link in scan([])}


def test_two_scans_are_equal() -> None:
    assert scan([]) == scan([])


def test_missing_interface_gives_no_link_and_a_reason() -> None:
    assert scan(["none7"]) == []
    assert "no such interface" in why_unused("none7")


@pytest.mark.parametrize("when", [0, 1], ids=["before", "after"])
def test_floating_address_is_no_link_if_it_comes_or_goes_meanwhile(monkeypatch: pytest.MonkeyPatch, when: int) -> None:
    known: list[set[tuple[int, str]]] = [set(), set()]
    known[when] = {(1, "127.0.0.1")}
    monkeypatch.setattr(links, "floating", lambda: known.pop(0))
    assert "127.0.0.1" not in {link.address for link in scan(["lo"])}


def test_label_that_goes_meanwhile_takes_no_other_address_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = netifaces.interfaces
    monkeypatch.setattr(netifaces, "interfaces", lambda: [*listed(), "lo:king"])
    assert "127.0.0.1" in {link.address for link in scan(["lo"])}
